"""Pictures sent ahead of the request that uses them, as they came: raw bytes that nobody has looked at."""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.user import User


class Upload(Model):
    """One announced upload. Its bytes may not be there yet, or never come; the sweeper removes it, used or not."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.UPLOAD))
    # RESTRICT, as for files: the bytes go first.
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="uploads", on_delete=fields.RESTRICT
    )
    owner_id: str
    content_type = fields.CharField(max_length=32)  # as announced
    byte_size = fields.BigIntField()  # as announced; no more is taken
    idempotency_key = fields.CharField(max_length=128, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "uploads"
        unique_together = (("owner", "idempotency_key"),)
        indexes = (("created_at",),)

    @property
    def key(self) -> str:
        """Where the bytes are: `uploads/{user}/{upload}`."""
        return f"uploads/{self.owner_id}/{self.id}"
