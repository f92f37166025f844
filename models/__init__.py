"""All tables of the database; Tortoise finds every model through this module."""

from models.column_filters import limit_column_filters
from telemetry.hidden_packages import hidden_class_sources

# Tortoise parses the source of every model and its own, for `#:` comments, which none has: 5 MiB, and 0.1 s of a start.
with hidden_class_sources():
    limit_column_filters()
    from models.accounts import (
        AccountPresence,
        ApiKey,
        DataExport,
        Identity,
        MailToken,
        RecoveryCode,
        SecondFactor,
        Session,
        SpentToken,
        User,
    )
    from models.albums import Album, AlbumEntry, Tag, TagEntry
    from models.billing import (
        CreditGrant,
        CreditRefill,
        CreditTransaction,
        Membership,
        Pass,
        PassHour,
        SignupBonus,
    )
    from models.catalogue import Collection, Style, StylePicture
    from models.events import AuditEntry
    from models.generations import Generation, IdempotencyKey, ResultNotice
    from models.media import Archive, File, Upload
    from models.operations import JobRun, Maintenance, ProviderPause, Worker
    from models.payments import Checkout, ExternalEvent, Purchase
    from models.plan import CreditPackage, Plan
    from models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent

__all__ = [
    "AccountPresence",
    "Album",
    "AlbumEntry",
    "ApiKey",
    "Archive",
    "AuditEntry",
    "Checkout",
    "Collection",
    "CreditGrant",
    "CreditPackage",
    "CreditRefill",
    "CreditTransaction",
    "DataExport",
    "ExternalEvent",
    "File",
    "Generation",
    "IdempotencyKey",
    "Identity",
    "JobRun",
    "MailToken",
    "Maintenance",
    "Membership",
    "Pass",
    "PassHour",
    "Plan",
    "ProviderPause",
    "Purchase",
    "RecoveryCode",
    "ResultNotice",
    "SecondFactor",
    "Session",
    "SignupBonus",
    "SpentToken",
    "Style",
    "StylePicture",
    "Tag",
    "TagEntry",
    "Upload",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "Worker",
]
