"""Exports of one's own data: a zip file that a worker makes."""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import ExportState
from models.user import User


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
