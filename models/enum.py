"""The enums of values that rows store and the API shows, each value explained."""

import enum


class StrEnum(enum.StrEnum):
    """An enum of texts, found in sets and dictionaries as fast as they are: Enum's own hash is a Python function."""

    __hash__ = str.__hash__


class Role(StrEnum):
    """The permissions of an account."""

    USER = "USER"
    ADMIN = "ADMIN"  # reads and manages users' accounts
    SUPER_ADMIN = "SUPER_ADMIN"  # also appoints admins


class RefundPolicy(StrEnum):
    """When a generation without a result refunds its credits."""

    ON_FAILURE = "ON_FAILURE"  # failed: always; canceled: only before a request was sent to the provider
    BEFORE_PROVIDER = "BEFORE_PROVIDER"  # only before a request was sent; a rejected API key counts as one
    NEVER = "NEVER"  # an admin decides


class ReferenceImage(StrEnum):
    """Whether a style uses the user's photo."""

    REQUIRED = "REQUIRED"
    OPTIONAL = "OPTIONAL"
    UNUSED = "UNUSED"  # made from the prompt alone; a photo is refused


class MediaKind(StrEnum):
    """The kind of result."""

    IMAGE = "IMAGE"
    VIDEO = "VIDEO"


class GenerationStatus(StrEnum):
    """The status of a generation; the last three are final and never change."""

    PENDING = "PENDING"  # paid for, waiting for a worker
    PROCESSING = "PROCESSING"  # claimed by a worker with a lease
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Whether the status can no longer change."""
        return self in FINAL


FINAL = frozenset({GenerationStatus.COMPLETED, GenerationStatus.FAILED, GenerationStatus.CANCELED})


class GenerationStage(StrEnum):
    """The current step of a generation, as shown to the user."""

    QUEUED = "QUEUED"
    VALIDATING = "VALIDATING"  # the worker reads the row and the original again
    GENERATING = "GENERATING"  # the provider is called
    STORING = "STORING"  # the result is sanitized and stored
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Size(StrEnum):
    """How large the subject is; part of the prompt."""

    SMALL = "SMALL"
    MEDIUM = "MEDIUM"
    LARGE = "LARGE"


class Quality(StrEnum):
    """The requested resolution; priced by the collection's multipliers."""

    STANDARD = "STANDARD"  # about 1 megapixel
    HD = "HD"  # about 2K
    ULTRA = "ULTRA"  # about 4K


class PaidBy(StrEnum):
    """The funding source of a generation."""

    CREDITS = "CREDITS"
    PASS = "PASS"  # noqa: S105 - a time-boxed purchase, not a password
    PLAN = "PLAN"  # an unlimited plan


class TransactionType(StrEnum):
    """The type of a ledger line."""

    BONUS = "BONUS"  # sign-up, referral, monthly refill
    PURCHASE = "PURCHASE"
    SUBSCRIPTION = "SUBSCRIPTION"  # a plan's monthly grant
    DEDUCTION = "DEDUCTION"
    REFUND = "REFUND"
    ADMIN = "ADMIN"
    REVERSAL = "REVERSAL"  # of a purchase that was refunded or charged back
    TRANSFER = "TRANSFER"  # from a guest to the account that it was merged into: one line of each
    EXPIRY = "EXPIRY"  # what was left of a grant when it expired, or when its plan's next month began
    ROLLOVER = "ROLLOVER"  # what of it the next month keeps


class TransactionStatus(StrEnum):
    """Whether a ledger line has settled; at present every line is written as COMPLETED."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class FileKind(StrEnum):
    """The origin of a file, which decides the first part of its storage key."""

    ORIGINAL = "ORIGINAL"
    RESULT = "RESULT"


class FileState(StrEnum):
    """The state of a file, whose row is written before its bytes and deleted after them."""

    PENDING = "PENDING"  # the row is written; the bytes may not exist yet
    LIVE = "LIVE"  # stored and referred to
    DELETING = "DELETING"  # no longer readable; the sweeper removes the bytes, then the row


class PlanKind(StrEnum):
    """The kind of a plan."""

    SUBSCRIPTION = "SUBSCRIPTION"  # credits every month
    PASS = "PASS"  # noqa: S105 - hourly allowances for a limited time, not a password


class MembershipStatus(StrEnum):
    """The status of a membership; its benefits also end by themselves, at a time in the row."""

    ACTIVE = "ACTIVE"  # paid; possibly canceled at the end of the period
    PAST_DUE = "PAST_DUE"  # a payment failed; nothing new is granted
    ENDED = "ENDED"


class PurchaseStatus(StrEnum):
    """How an order at the payment provider was settled."""

    PAID = "PAID"  # its product is granted
    REFUNDED = "REFUNDED"  # refunded in full or in part
    PARKED = "PARKED"  # needs review by an admin: its buyer or product is unknown


class EventOutcome(StrEnum):
    """The outcome of a webhook event; events are kept with every outcome."""

    RECEIVED = "RECEIVED"  # stored, not handled yet
    HANDLED = "HANDLED"
    IGNORED = "IGNORED"  # of a type without an effect
    PARKED = "PARKED"  # needs review by an admin: it refers to something unknown
    FAILED = "FAILED"  # handling it raised an error; it can be replayed


class WebhookEventType(StrEnum):
    """The types of events that are sent to webhook endpoints, as their payloads name them."""

    GENERATION_COMPLETED = "generation.completed"
    GENERATION_FAILED = "generation.failed"
    GENERATION_CANCELED = "generation.canceled"
    CREDITS_LOW = "credits.low"  # the balance fell below the endpoint's threshold
    PURCHASE_COMPLETED = "purchase.completed"  # what was paid for is granted
    PURCHASE_REFUNDED = "purchase.refunded"  # in full or in part
    MEMBERSHIP_CHANGED = "membership.changed"


class DeliveryState(StrEnum):
    """The state of the delivery of an event to a webhook endpoint."""

    WAITING = "WAITING"  # for its next attempt, or being sent
    DELIVERED = "DELIVERED"  # the endpoint answered with a status of 200 to 299
    DEAD = "DEAD"  # every attempt of a day failed, or the endpoint was disabled; it can be replayed


class DisabledReason(StrEnum):
    """Why a webhook endpoint is sent nothing."""

    OWNER = "OWNER"  # switched off by its owner, or no longer one of WEBHOOK_URLS
    FAILING = "FAILING"  # every attempt of a day failed
    GONE = "GONE"  # it answered 410
    SECRET = "SECRET"  # noqa: S105 - a reason: SECRET_KEY has changed, and a new secret is needed


class AttemptFailure(StrEnum):
    """Why an attempt to send an event to a webhook endpoint failed."""

    STATUS = "STATUS"  # a status outside 200 to 299; redirects are not followed
    UNSAFE_ADDRESS = "UNSAFE_ADDRESS"  # the host has no public address; nothing was sent
    DNS = "DNS"  # the host has no address
    CONNECTION = "CONNECTION"  # refused or closed
    TLS = "TLS"  # no trusted certificate for the host
    TIMEOUT = "TIMEOUT"
    PROTOCOL = "PROTOCOL"  # the response is not HTTP


class JobState(StrEnum):
    """The state of one run of an hourly job."""

    RUNNING = "RUNNING"  # claimed by a worker; stays so if that worker died
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"  # the next run makes up for it


class MailPurpose(StrEnum):
    """The purpose of a mailed link."""

    VERIFY = "VERIFY"  # verifies the address
    RESET = "RESET"  # resets the password
    CHANGE = "CHANGE"  # changes the address
    SIGN_IN = "SIGN_IN"  # opens a session


class ApiKeyScope(StrEnum):
    """What an API key may do. Some operations need a session, whatever the scope of a key."""

    READ = "READ"  # queries and subscriptions
    GENERATE = "GENERATE"  # READ, and what requests generations: uploads, requests, cancellation
    EVERYTHING = "EVERYTHING"  # whatever API keys may do


class ExportState(StrEnum):
    """The state of a data export, whose row is written before its bytes and deleted after them."""

    PENDING = "PENDING"  # requested; a worker builds it
    READY = "READY"
    DELETING = "DELETING"  # expired; the sweeper removes the bytes, then the row


class AdminAction(StrEnum):
    """The actions of admins in the audit log."""

    ADJUST_CREDITS = "ADJUST_CREDITS"
    REFUND_GENERATION = "REFUND_GENERATION"
    RETRY_GENERATION = "RETRY_GENERATION"
    CANCEL_GENERATION = "CANCEL_GENERATION"
    UNSHARE_GENERATION = "UNSHARE_GENERATION"
    DELETE_GENERATION = "DELETE_GENERATION"
    SET_ROLE = "SET_ROLE"
    SET_MEMBERSHIP = "SET_MEMBERSHIP"
    GRANT_PASS = "GRANT_PASS"  # noqa: S105 - a time-boxed purchase, not a password
    SET_SUSPENDED = "SET_SUSPENDED"
    SETTLE_PAYMENT = "SETTLE_PAYMENT"  # one that needed review
    DISMISS_PAYMENT = "DISMISS_PAYMENT"
    GRANT_PLAN = "GRANT_PLAN"
    END_PLAN = "END_PLAN"
    CHANGE_EMAIL = "CHANGE_EMAIL"  # by its user: an account left an address that ADMIN_EMAILS lists
    CREATE_STYLE = "CREATE_STYLE"  # in the catalogue; custom styles are private
    UPDATE_STYLE = "UPDATE_STYLE"
    DELETE_STYLE = "DELETE_STYLE"
    IMPORT_CATALOGUE = "IMPORT_CATALOGUE"
    SET_MAINTENANCE = "SET_MAINTENANCE"
    ENABLE_SECOND_FACTOR = "ENABLE_SECOND_FACTOR"  # of the admin's own account
    DISABLE_SECOND_FACTOR = "DISABLE_SECOND_FACTOR"  # by its user, or from the command line
    USE_RECOVERY_CODE = "USE_RECOVERY_CODE"  # in place of the second factor


class ErrorCode(StrEnum):
    """Error codes for clients; the message beside it is for users."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"  # set one up, or prove it in this session; the message says which
    NOT_FOUND = "NOT_FOUND"
    INVALID_INPUT = "INVALID_INPUT"
    CONFLICT = "CONFLICT"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    MEMBERSHIP_REQUIRED = "MEMBERSHIP_REQUIRED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    UPLOAD_FAILED = "UPLOAD_FAILED"
    GENERATION_FAILED = "GENERATION_FAILED"  # the provider responded without a usable image
    GENERATION_TIMEOUT = "GENERATION_TIMEOUT"
    CONTENT_REJECTED = "CONTENT_REJECTED"  # rejected by the provider's moderation
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_MISCONFIGURED = "PROVIDER_MISCONFIGURED"  # no API key, or one that was rejected
    PAYMENTS_UNAVAILABLE = "PAYMENTS_UNAVAILABLE"
    UNAVAILABLE = "UNAVAILABLE"  # an outage or maintenance on our side; try again later
    TOO_COMPLEX = "TOO_COMPLEX"  # depth, cost, aliases, tokens
    INTERNAL = "INTERNAL"


class NoticeState(StrEnum):
    """What was decided about the mail of a batch."""

    WAITING = "WAITING"
    SENT = "SENT"  # or given to the mail server, which may have refused it
    SKIPPED = "SKIPPED"  # its owner was connected, wants none any more, or got too many
