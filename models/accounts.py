"""Tables of accounts: users, sessions, API keys, mail tokens and data exports."""

import secrets

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import ExportState, MailPurpose, Role
from models.plan import Plan

_CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike


def new_referral_code() -> str:
    """Eight letters that somebody can read out; 39 bits, so that twins are refused by the table, not expected."""
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))


class User(Model):
    """One account.

    `credits` is a cache of the ledger's sum, moved only together with a ledger line. `version` grows by one,
    without gaps, with every committed change of balance, entitlement, profile, or a generation's existence, status,
    favorite or share.
    """

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.USER))
    # As typed, domain lower-cased, then case-folded; of an account that is gone, an address that nobody can have.
    email = fields.CharField(max_length=320, unique=True)
    email_verified = fields.BooleanField(default=False)
    # Whoever knows the password has shown that they read the mail of this address: more than `email_verified`, which
    # says only that its reader opened a link, perhaps one that somebody else's sign-up had sent.
    owner_proven = fields.BooleanField(default=False)
    password_hash = fields.CharField(max_length=255)  # argon2id
    name = fields.CharField(max_length=100, null=True)
    role = fields.CharEnumField(Role, "models/enum.py", max_length=16, default=Role.USER)
    locale = fields.CharField(max_length=16, null=True)  # null until chosen
    is_member = fields.BooleanField(default=False)  # granted by an admin; paid membership is `member_until`
    member_since = fields.DatetimeField(null=True)  # when an admin granted it
    # What the account's monthly plan opens, as its memberships say it: a cache, moved only together with them.
    plan: fields.ForeignKeyNullableRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", related_name="members", null=True, on_delete=fields.RESTRICT
    )
    plan_id: str | None
    member_until = fields.DatetimeField(null=True)  # the end of what was paid for, with the days of grace
    credits = fields.BigIntField(default=0)
    overdraft_allowed = fields.BooleanField(default=False)  # set only by lines that may pass below zero
    version = fields.BigIntField(default=0)
    ledger_sequence = fields.BigIntField(default=0)  # of the newest ledger line
    # Null only where a server of the release before made the account; it is made when somebody asks for it.
    referral_code = fields.CharField(max_length=16, null=True, unique=True, default=new_referral_code)
    referred_by_id = fields.CharField(max_length=ids.LENGTH, null=True, db_index=True)  # who brought this account
    referral_paid_at = fields.DatetimeField(null=True)  # when both got their bonus
    # Of the proven address for which that was, as services.billing.referral makes it: a person is new once.
    referral_identity = fields.CharField(max_length=64, null=True, unique=True)
    suspended_at = fields.DatetimeField(null=True)  # by an admin; such an account is signed in nowhere
    deleted_at = fields.DatetimeField(null=True)  # the person is gone; the row stays for the ledger, without a name
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    @property
    def may_sign_in(self) -> bool:
        """Whether anybody may act as this account: it is neither gone nor suspended."""
        return self.deleted_at is None and self.suspended_at is None

    class Meta:
        table = "users"


class Session(Model):
    """One sign-in. The token itself is never stored, only its SHA-256."""

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
    """One key. The key itself is never stored, only its SHA-256 and what a person recognises it by."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.API_KEY))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="api_keys", on_delete=fields.CASCADE
    )
    user_id: str
    name = fields.CharField(max_length=100)
    hint = fields.CharField(max_length=4)  # the key's last characters
    # Together with SECRET_KEY it makes the key again, for a client that repeats its request with the same key.
    salt = fields.CharField(max_length=64)  # hex
    key_hash = fields.CharField(max_length=64, unique=True)  # hex
    created_at = fields.DatetimeField(auto_now_add=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"


class DataExport(Model):
    """One export. The row is there before its bytes are, and stays until they are gone."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.DATA_EXPORT))
    # RESTRICT, as for files: the bytes go first.
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="data_exports", on_delete=fields.RESTRICT
    )
    owner_id: str
    state = fields.CharEnumField(ExportState, "models/enum.py", max_length=16, default=ExportState.PENDING)
    lease_until = fields.DatetimeField(null=True)  # of the worker that makes it
    attempts = fields.IntField(default=0)
    created_at = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(null=True)  # once it is READY

    class Meta:
        table = "data_exports"
        indexes = (("owner_id", "created_at"),)

    @property
    def key(self) -> str:
        """Where the bytes are: `exports/{user}/{export}`."""
        return f"exports/{self.owner_id}/{self.id}"


class MailToken(Model):
    """One link that was mailed. It works once and not for long; only its SHA-256 is kept."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.MAIL_TOKEN))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="mail_tokens", on_delete=fields.CASCADE
    )
    user_id: str
    purpose = fields.CharEnumField(MailPurpose, "models/enum.py", max_length=16)
    email = fields.CharField(max_length=320)  # where it was sent
    token_hash = fields.CharField(max_length=64, unique=True)  # hex
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "mail_tokens"
        indexes = (("user_id", "created_at"),)
