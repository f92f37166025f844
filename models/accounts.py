"""Tables of accounts: users, sessions, API keys, mail tokens and data exports."""

import secrets

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import ExportState, MailPurpose, Role
from models.plan import Plan

_CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters and digits that look alike


def new_referral_code() -> str:
    """Return a random code of eight characters that is easy to read out (39 bits; the table refuses duplicates)."""
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))


class User(Model):
    """One account.

    `credits` is a cache of the ledger's sum, changed only together with a ledger line. `version` grows by one,
    without gaps, with every committed change of balance, entitlement, profile, or a generation's existence, status,
    favorite or share.
    """

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.USER))
    # The key by which the address is compared: the part before the @ in lower case, the domain in ASCII by IDNA 2008.
    # A deleted account has one under `deleted.invalid`.
    email = fields.CharField(max_length=320, unique=True)
    # As typed, the domain in Unicode. Null for accounts of earlier releases, which kept only the folded address.
    mail_address = fields.CharField(max_length=320, null=True)
    email_verified = fields.BooleanField(default=False)
    # The owner of the password has proved to read mail to this address. This is more than `email_verified`, which says
    # only that the reader of the address opened a link, perhaps one from a sign-up by someone else.
    owner_proven = fields.BooleanField(default=False)
    password_hash = fields.CharField(max_length=255)  # argon2id
    name = fields.CharField(max_length=100, null=True)
    role = fields.CharEnumField(Role, "models/enum.py", max_length=16, default=Role.USER)
    locale = fields.CharField(max_length=16, null=True)  # null until chosen
    is_member = fields.BooleanField(default=False)  # granted by an admin; paid membership is `member_until`
    member_since = fields.DatetimeField(null=True)  # when an admin granted it
    # The account's monthly plan by its memberships: a cache, changed only together with them.
    plan: fields.ForeignKeyNullableRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", related_name="members", null=True, on_delete=fields.RESTRICT
    )
    plan_id: str | None
    member_until = fields.DatetimeField(null=True)  # the end of the paid period, with the days of grace
    credits = fields.BigIntField(default=0)
    overdraft_allowed = fields.BooleanField(default=False)  # set with lines that may pass below zero
    version = fields.BigIntField(default=0)
    ledger_sequence = fields.BigIntField(default=0)  # of the newest ledger line
    # Null only if a server of the previous release created the account; generated when it is first read.
    referral_code = fields.CharField(max_length=16, null=True, unique=True, default=new_referral_code)
    referred_by_id = fields.CharField(max_length=ids.LENGTH, null=True, db_index=True)  # the referring account
    referral_paid_at = fields.DatetimeField(null=True)  # when both accounts got their bonus
    # A hash of the verified address, from services.billing.referral, so that a user counts as new only once.
    referral_identity = fields.CharField(max_length=64, null=True, unique=True)
    suspended_at = fields.DatetimeField(null=True)  # by an admin; a suspended account has no sessions
    deleted_at = fields.DatetimeField(null=True)  # deleted; the row is kept for the ledger, without personal data
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    @property
    def address(self) -> str:
        """The e-mail address as its owner wrote it."""
        return self.mail_address or self.email

    @property
    def mailbox(self) -> str:
        """The address to send mail to: as written, with the domain in ASCII, for servers without SMTPUTF8."""
        return f"{self.address.rpartition('@')[0]}@{self.email.rpartition('@')[2]}"

    @property
    def may_sign_in(self) -> bool:
        """Whether the account can be used: it is neither deleted nor suspended."""
        return self.deleted_at is None and self.suspended_at is None

    class Meta:
        table = "users"


class Session(Model):
    """One session. Its token is never stored, only the token's SHA-256."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.SESSION))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="sessions", on_delete=fields.CASCADE
    )
    user_id: str
    token_hash = fields.CharField(max_length=64, unique=True)  # hex
    expires_at = fields.DatetimeField(db_index=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "sessions"


class ApiKey(Model):
    """One API key. The key is never stored, only its SHA-256 and a hint by which its user recognizes it."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.API_KEY))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="api_keys", on_delete=fields.CASCADE
    )
    user_id: str
    name = fields.CharField(max_length=100)
    hint = fields.CharField(max_length=4)  # the key's last characters
    # The key is derived from it and SECRET_KEY, so that an idempotent replay can return the key again.
    salt = fields.CharField(max_length=64)  # hex
    key_hash = fields.CharField(max_length=64, unique=True)  # hex
    created_at = fields.DatetimeField(auto_now_add=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"


class DataExport(Model):
    """One data export. Its row is written before its bytes and deleted after them."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.DATA_EXPORT))
    # RESTRICT, as for files: the bytes are deleted first.
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="data_exports", on_delete=fields.RESTRICT
    )
    owner_id: str
    state = fields.CharEnumField(ExportState, "models/enum.py", max_length=16, default=ExportState.PENDING)
    lease_until = fields.DatetimeField(null=True)  # of the worker that builds it
    attempts = fields.IntField(default=0)
    created_at = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(null=True)  # set when it is READY

    class Meta:
        table = "data_exports"
        indexes = (("owner_id", "created_at"),)

    @property
    def key(self) -> str:
        """The storage key: `exports/{user}/{export}`."""
        return f"exports/{self.owner_id}/{self.id}"


class MailToken(Model):
    """One mailed link. It works once and for a limited time; only the SHA-256 of its token is stored."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.MAIL_TOKEN))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="mail_tokens", on_delete=fields.CASCADE
    )
    user_id: str
    purpose = fields.CharEnumField(MailPurpose, "models/enum.py", max_length=16)
    email = fields.CharField(max_length=320)  # the key of the account's address when the mail was sent
    # Of CHANGE: the address that replaces it, as typed, to which the link was sent.
    new_address = fields.CharField(max_length=320, null=True)
    token_hash = fields.CharField(max_length=64, unique=True)  # hex
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "mail_tokens"
        indexes = (("user_id", "created_at"),)
