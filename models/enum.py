"""The closed sets of values that rows hold and the API shows, each value explained."""

from enum import StrEnum


class Role(StrEnum):
    """What an account may do."""

    USER = "USER"
    ADMIN = "ADMIN"  # sees and mends other people's accounts
    SUPER_ADMIN = "SUPER_ADMIN"  # also names admins


class RefundPolicy(StrEnum):
    """When a generation that brought no picture gives its credits back."""

    ON_FAILURE = "ON_FAILURE"  # failed: always; canceled: only while no request had left for the provider
    BEFORE_PROVIDER = "BEFORE_PROVIDER"  # only if no request left for the provider; a refused key counts as called
    NEVER = "NEVER"  # an admin decides


class ReferenceImage(StrEnum):
    """Whether a style works from a person's photo."""

    REQUIRED = "REQUIRED"
    OPTIONAL = "OPTIONAL"
    UNUSED = "UNUSED"  # drawn from words alone; a photo is refused


class MediaKind(StrEnum):
    """What is made."""

    IMAGE = "IMAGE"
    VIDEO = "VIDEO"


class GenerationStatus(StrEnum):
    """The life of a generation; the last three are final and never left again."""

    PENDING = "PENDING"  # paid for, waiting for a worker
    PROCESSING = "PROCESSING"  # claimed by a worker that holds a lease
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in (GenerationStatus.COMPLETED, GenerationStatus.FAILED, GenerationStatus.CANCELED)


class GenerationStage(StrEnum):
    """What a person is told is happening right now."""

    QUEUED = "QUEUED"
    VALIDATING = "VALIDATING"  # the worker reads the row and the original again
    GENERATING = "GENERATING"  # the provider works
    STORING = "STORING"  # the result is checked, re-encoded and put away
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Size(StrEnum):
    """How big the subject is made; part of the prompt."""

    SMALL = "SMALL"
    MEDIUM = "MEDIUM"
    LARGE = "LARGE"


class Quality(StrEnum):
    """How many pixels the provider is asked for; priced by the collection's multipliers."""

    STANDARD = "STANDARD"  # about 1 megapixel
    HD = "HD"  # about 2K
    ULTRA = "ULTRA"  # about 4K


class PaidBy(StrEnum):
    """What paid for a generation."""

    CREDITS = "CREDITS"
    PASS = "PASS"  # noqa: S105 - a time-boxed purchase, not a password
    PLAN = "PLAN"  # an unlimited plan


class TransactionType(StrEnum):
    """Why a line stands in the ledger."""

    BONUS = "BONUS"  # sign-up, referral
    PURCHASE = "PURCHASE"
    SUBSCRIPTION = "SUBSCRIPTION"  # a plan's monthly grant
    DEDUCTION = "DEDUCTION"
    REFUND = "REFUND"
    ADMIN = "ADMIN"
    REVERSAL = "REVERSAL"  # a purchase that was refunded or charged back


class TransactionStatus(StrEnum):
    """Whether a line has settled; every line written today is COMPLETED at once."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class FileKind(StrEnum):
    """Where a file comes from; also the first part of its storage key."""

    ORIGINAL = "ORIGINAL"
    RESULT = "RESULT"


class FileState(StrEnum):
    """Bytes have a row before they exist and keep it until they are gone."""

    PENDING = "PENDING"  # the row is written, the bytes may or may not be there yet
    LIVE = "LIVE"  # stored, and something refers to it
    DELETING = "DELETING"  # hidden from every read; the sweeper removes bytes, then the row


class PlanKind(StrEnum):
    """What a plan sells."""

    SUBSCRIPTION = "SUBSCRIPTION"  # credits every month
    PASS = "PASS"  # noqa: S105 - hourly allowances for some hours, not a password


class MembershipStatus(StrEnum):
    """How a monthly plan stands; what it opens also ends by itself, at a time that the row says."""

    ACTIVE = "ACTIVE"  # paid, perhaps canceled for the end of the period
    PAST_DUE = "PAST_DUE"  # a payment failed; nothing new is granted
    ENDED = "ENDED"


class PurchaseStatus(StrEnum):
    """How an order at the payment provider stands with us."""

    PAID = "PAID"  # what it bought is granted
    REFUNDED = "REFUNDED"  # all or part of it was taken back
    PARKED = "PARKED"  # its buyer or product is unknown to us; an admin decides


class EventOutcome(StrEnum):
    """What became of an event from outside, which is kept whatever it was."""

    RECEIVED = "RECEIVED"  # stored, not handled yet
    HANDLED = "HANDLED"
    IGNORED = "IGNORED"  # of a type that means nothing to us
    PARKED = "PARKED"  # names somebody or something unknown; an admin decides
    FAILED = "FAILED"  # handling it broke; it can be replayed


class JobState(StrEnum):
    """How one run of an hourly job stands."""

    RUNNING = "RUNNING"  # claimed by a worker; stays so if that worker died
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"  # the next run makes up for it


class MailPurpose(StrEnum):
    """What the link in a mail does for its reader."""

    VERIFY = "VERIFY"  # proves that the address is theirs
    RESET = "RESET"  # chooses a new password


class ExportState(StrEnum):
    """An export of one's own data has a row before it has bytes, and keeps it until they are gone."""

    PENDING = "PENDING"  # asked for; a worker makes it
    READY = "READY"
    DELETING = "DELETING"  # past its time; the sweeper removes bytes, then the row


class AdminAction(StrEnum):
    """What an admin can do, as the audit log has it."""

    ADJUST_CREDITS = "ADJUST_CREDITS"
    REFUND_GENERATION = "REFUND_GENERATION"
    RETRY_GENERATION = "RETRY_GENERATION"
    CANCEL_GENERATION = "CANCEL_GENERATION"
    SET_ROLE = "SET_ROLE"
    SET_MEMBERSHIP = "SET_MEMBERSHIP"
    GRANT_PASS = "GRANT_PASS"  # noqa: S105 - a time-boxed purchase, not a password
    SET_SUSPENDED = "SET_SUSPENDED"
    CREATE_STYLE = "CREATE_STYLE"  # in the catalogue; one's own is nobody's business
    UPDATE_STYLE = "UPDATE_STYLE"
    DELETE_STYLE = "DELETE_STYLE"
    IMPORT_CATALOGUE = "IMPORT_CATALOGUE"
    SET_MAINTENANCE = "SET_MAINTENANCE"


class ErrorCode(StrEnum):
    """What went wrong, for programs; people read the message beside it."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    INVALID_INPUT = "INVALID_INPUT"
    CONFLICT = "CONFLICT"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    MEMBERSHIP_REQUIRED = "MEMBERSHIP_REQUIRED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    UPLOAD_FAILED = "UPLOAD_FAILED"
    GENERATION_FAILED = "GENERATION_FAILED"  # the provider answered, with no usable image
    GENERATION_TIMEOUT = "GENERATION_TIMEOUT"
    CONTENT_REJECTED = "CONTENT_REJECTED"  # the provider's moderation
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_MISCONFIGURED = "PROVIDER_MISCONFIGURED"  # no key, or a key that was refused
    PAYMENTS_UNAVAILABLE = "PAYMENTS_UNAVAILABLE"
    UNAVAILABLE = "UNAVAILABLE"  # an outage or maintenance on our side; try again later
    TOO_COMPLEX = "TOO_COMPLEX"  # depth, cost, aliases, tokens
    INTERNAL = "INTERNAL"
