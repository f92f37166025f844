"""What an account may do by its second factor, or without one."""

from models import User
from models.enum import Role
from services.core.error import SecondFactorError
from services.core.message import message

_PROVE = message("This needs your second factor. Enter a code of your authenticator app first (verifySecondFactor).")
_SET_UP = message("Admins need a second factor here. Set up an authenticator app first (startSecondFactor).")


class FactorAccess:
    """Decides for the session that the account's row was read for. `is_required`: every admin needs a factor."""

    def __init__(self, *, is_required: bool) -> None:
        self._is_required = is_required

    def is_open(self, user: User) -> bool:
        """Whether the session may do what needs the factor of an account that has one."""
        return user.second_factor_since is None or user.has_proved_factor

    def is_open_to_admin(self, user: User) -> bool:
        """Whether the session of an admin has an admin's rights."""
        return self.is_open(user) and not (self._is_required and user.second_factor_since is None)

    def require(self, user: User) -> None:
        """Raises SecondFactorError unless `is_open`."""
        if not self.is_open(user):
            raise SecondFactorError(_PROVE)

    def require_for_admin(self, user: User) -> None:
        """Raises SecondFactorError unless `is_open_to_admin`; its message says how to go on."""
        self.require(user)
        if user.role is not Role.USER and not self.is_open_to_admin(user):
            raise SecondFactorError(_SET_UP)
