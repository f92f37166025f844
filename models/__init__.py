"""The tables. Tortoise finds every model through this module."""

from models.api_key import ApiKey
from models.credit import CreditTransaction
from models.export import DataExport
from models.file import File
from models.generation import Generation, IdempotencyKey
from models.mail import MailToken
from models.style import Collection, Style
from models.upload import Upload
from models.user import Session, User
from models.worker import Worker

__all__ = [
    "ApiKey",
    "Collection",
    "CreditTransaction",
    "DataExport",
    "File",
    "Generation",
    "IdempotencyKey",
    "MailToken",
    "Session",
    "Style",
    "Upload",
    "User",
    "Worker",
]
