"""The tables. Tortoise finds every model through this module."""

from models.credit import CreditTransaction
from models.file import File
from models.generation import Generation, IdempotencyKey
from models.style import Collection, Style
from models.upload import Upload
from models.user import Session, User
from models.worker import Worker

__all__ = [
    "Collection",
    "CreditTransaction",
    "File",
    "Generation",
    "IdempotencyKey",
    "Session",
    "Style",
    "Upload",
    "User",
    "Worker",
]
