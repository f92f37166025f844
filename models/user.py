"""Accounts and the sessions they are signed in with."""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import Role


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
    password_hash = fields.CharField(max_length=255)  # argon2id
    name = fields.CharField(max_length=100, null=True)
    role = fields.CharEnumField(Role, "models/enum.py", max_length=16, default=Role.USER)
    locale = fields.CharField(max_length=16, null=True)  # null until chosen
    is_member = fields.BooleanField(default=False)
    credits = fields.BigIntField(default=0)
    overdraft_allowed = fields.BooleanField(default=False)  # set only by lines that may pass below zero
    version = fields.BigIntField(default=0)
    ledger_sequence = fields.BigIntField(default=0)  # of the newest ledger line
    deleted_at = fields.DatetimeField(null=True)  # the person is gone; the row stays for the ledger, without a name
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

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
