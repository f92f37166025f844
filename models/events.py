"""The audit log: what admins did to users' accounts and to the whole deployment."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import AdminAction


class AuditEntry(Model):
    """One admin action, written in the same transaction; triggers refuse to change or delete it."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.AUDIT_ENTRY))
    # RESTRICT, as for the ledger: the audit log outlives the admin's account. Null: the command line or the settings.
    actor: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="acts", null=True, on_delete=fields.RESTRICT
    )
    actor_id: str | None
    action = fields.CharEnumField(AdminAction, "models/enum.py", max_length=32)
    target = fields.CharField(max_length=ids.LENGTH, null=True, db_index=True)  # null: the whole deployment
    detail: dict[str, Any] = fields.JSONField()  # the request, the reason, and the previous state
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "audit_entries"
