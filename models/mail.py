"""What the links in mails stand for."""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import MailPurpose
from models.user import User


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
