"""Tables of accounts: users, identities, sessions, second factors, API keys, mail tokens and data exports."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import ApiKeyScope, ExportState, MailPurpose, Role
from models.plan import Plan

NO_ADDRESS = "external.invalid"  # the domain of the key of accounts without an address
_CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters and digits that look alike


def new_referral_code() -> str:
    """Return a random code of eight characters that is easy to read out (39 bits; the table refuses duplicates)."""
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))


@dataclass(frozen=True)
class ActingKey:
    """The API key by which a request acts for its account."""

    id: str
    scope: ApiKeyScope
    monthly_credits: int | None  # the most that it spends in a calendar month; None: any


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
    password_hash = fields.CharField(max_length=255)  # argon2id; empty: it has none
    # It has no address and no password yet, only a session; `email` is one under `guest.invalid`.
    is_guest = fields.BooleanField(default=False)
    name = fields.CharField(max_length=100, null=True)
    image = fields.CharField(max_length=2048, null=True)  # the address of a picture, from an identity provider
    role = fields.CharEnumField(Role, "models/enum.py", max_length=16, default=Role.USER)
    locale = fields.CharField(max_length=16, null=True)  # null until chosen
    notify_by_mail = fields.BooleanField(default=False)  # of results, while it is not connected
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
    has_grants = fields.BooleanField(default=False)  # whether the account has rows of CreditGrant
    # The newest calendar month in which a refill was decided upon (2026-11, in UTC).
    refill_month = fields.CharField(max_length=7, null=True)
    # Null only if a server of the previous release created the account; generated when it is first read.
    referral_code = fields.CharField(max_length=16, null=True, unique=True, default=new_referral_code)
    referred_by_id = fields.CharField(max_length=ids.LENGTH, null=True, db_index=True)  # the referring account
    referral_paid_at = fields.DatetimeField(null=True)  # when both accounts got their bonus
    # A hash of the verified address, from services.billing.referral, so that a user counts as new only once.
    referral_identity = fields.CharField(max_length=64, null=True, unique=True)
    second_factor_since = fields.DatetimeField(null=True)  # when it was confirmed; null: none
    export_failed_at = fields.DatetimeField(null=True)  # when a data export was given up after its last attempt
    merged_into_id = fields.CharField(max_length=ids.LENGTH, null=True)  # of a deleted guest: who has what it had
    suspended_at = fields.DatetimeField(null=True)  # by an admin; a suspended account has no sessions
    deleted_at = fields.DatetimeField(null=True)  # deleted; the row is kept for the ledger, without personal data
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    # Not a column: the key by which the request acts that this row was read for; None: it has a session.
    acting_key: ActingKey | None = None
    # Not a column: when the session that this row was read for proved a second factor; None: it has not, or is none.
    proved_at: datetime | None = None

    @property
    def has_proved_factor(self) -> bool:
        """Whether the session that the row was read for has proved the present second factor, not an earlier one."""
        since, proved = self.second_factor_since, self.proved_at
        return since is not None and proved is not None and proved >= since

    @property
    def has_address(self) -> bool:
        """Whether there is an e-mail address; guests have none, and an identity provider may have verified none."""
        return not self.is_guest and not self.email.endswith(f"@{NO_ADDRESS}")

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


class Identity(Model):
    """One sign-in at an identity provider that belongs to an account."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.IDENTITY))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="identities", on_delete=fields.CASCADE
    )
    user_id: str
    issuer = fields.CharField(max_length=255)
    # Who it is, for the issuer; empty after it was unlinked, or its account was deleted.
    subject = fields.CharField(max_length=255)
    key_hash = fields.CharField(max_length=64, unique=True)  # SHA-256 of issuer and subject, by which it is found
    email = fields.CharField(max_length=320, null=True)  # as the issuer named it, if it has verified it
    name = fields.CharField(max_length=100, null=True)
    # Tokens that were issued until then do not work any more, except the one with this hash.
    ended_before = fields.DatetimeField(null=True)
    kept_hash = fields.CharField(max_length=64, null=True)  # hex
    # Its tokens do not work any more, also new ones, until its user signs in by signInWithIdToken or links it again.
    unlinked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)  # to some minutes; null: not since it was linked
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "identities"


class SpentToken(Model):
    """What must not be used again: a nonce of a sign-in, or a token of an issuer that was signed out of."""

    token_hash = fields.CharField(max_length=64, primary_key=True)  # SHA-256, hex
    expires_at = fields.DatetimeField(db_index=True)  # from then on it does not work anyway

    class Meta:
        table = "spent_tokens"


class Session(Model):
    """One session. Its token is never stored, only the token's SHA-256."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.SESSION))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="sessions", on_delete=fields.CASCADE
    )
    user_id: str
    token_hash = fields.CharField(max_length=64, unique=True)  # hex
    # Moved on while the session is used, together with `last_seen_at`; never past its end, counted from `created_at`.
    expires_at = fields.DatetimeField(db_index=True)
    # Of its last use, to some minutes. Null: opened by a server of an earlier release, and not used since.
    last_seen_at = fields.DatetimeField(null=True)
    device = fields.CharField(max_length=100, null=True)  # a short name, from the User-Agent of the sign-in
    place = fields.CharField(max_length=64, null=True)  # the address or network of the sign-in, as far as it is kept
    second_factor_at = fields.DatetimeField(null=True)  # when it proved the account's second factor
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "sessions"


class SecondFactor(Model):
    """The second factor of an account: an authenticator app. It counts once `users.second_factor_since` is set.

    The app's secret is not stored: it is derived from SECRET_KEY and the salt.
    """

    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "models.User", related_name="second_factor", primary_key=True, on_delete=fields.CASCADE
    )
    user_id: str
    salt = fields.CharField(max_length=64)  # hex
    secret_hash = fields.CharField(max_length=64)  # SHA-256, hex: shows whether SECRET_KEY is still the same
    last_step = fields.BigIntField(default=0)  # of the newest code that was used, in steps of 30 seconds since 1970
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "second_factors"


class RecoveryCode(Model):
    """One code that works once in place of the second factor; its row is deleted when it is used."""

    code_hash = fields.CharField(max_length=64, primary_key=True)  # SHA-256 of the account and the code, hex
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="recovery_codes", on_delete=fields.CASCADE
    )
    user_id: str

    class Meta:
        table = "recovery_codes"


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
    scope = fields.CharEnumField(ApiKeyScope, "models/enum.py", max_length=16, default=ApiKeyScope.EVERYTHING)
    expires_at = fields.DatetimeField(null=True)  # null: never
    monthly_credits = fields.BigIntField(null=True)  # the most that it spends in a calendar month (UTC); null: any
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


class AccountPresence(Model):
    """When an account that wants mail about results last had a socket or stream open, on any server."""

    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "models.User", related_name="presence", primary_key=True, on_delete=fields.CASCADE
    )
    user_id: str
    seen_at = fields.DatetimeField(db_index=True)  # to some seconds

    class Meta:
        table = "account_presence"
