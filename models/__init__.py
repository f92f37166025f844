"""The tables. Tortoise finds every model through this module."""

from models.api_key import ApiKey
from models.audit_log import AuditEntry
from models.credit import CreditTransaction
from models.entitlement import Membership, Pass, PassHour
from models.export import DataExport
from models.file import File
from models.generation import Generation, IdempotencyKey
from models.mail import MailToken
from models.maintenance import Maintenance
from models.payment import Checkout, ExternalEvent, Purchase
from models.plan import CreditPackage, Plan
from models.style import Collection, Style
from models.upload import Upload
from models.user import Session, User
from models.worker import Worker

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Checkout",
    "Collection",
    "CreditPackage",
    "CreditTransaction",
    "DataExport",
    "ExternalEvent",
    "File",
    "Generation",
    "IdempotencyKey",
    "MailToken",
    "Maintenance",
    "Membership",
    "Pass",
    "PassHour",
    "Plan",
    "Purchase",
    "Session",
    "Style",
    "Upload",
    "User",
    "Worker",
]
