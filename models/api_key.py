"""Keys with which programs sign in as their owner."""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.user import User


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
