"""The tables. Tortoise finds every model through this module."""

from models.credit import CreditTransaction
from models.file import File
from models.generation import Generation, IdempotencyKey
from models.style import Collection, Style
from models.user import Session, User

__all__ = ["Collection", "CreditTransaction", "File", "Generation", "IdempotencyKey", "Session", "Style", "User"]
