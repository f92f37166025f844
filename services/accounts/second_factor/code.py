"""Checks of codes: those of the authenticator app and recovery codes, each of which works once."""

import time
from dataclasses import dataclass

from models import SecondFactor, User
from models.database.connection import rows
from services.accounts.second_factor.recovery_code import clean_code, hash_code, is_recovery_code, use_code
from services.accounts.second_factor.secret import FactorSecrets
from services.core.error import ConflictError, InvalidInputError
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.integrations.authenticator import DIGITS, Authenticator

_FIELD = ("code",)
# One statement finds out whether a code is newer than the last one that was used, and uses it.
_USE_STEP = (
    "UPDATE second_factors SET last_step = $3 WHERE user_id = $1 AND secret_hash = $2 AND last_step < $3"
    " RETURNING user_id"
)


@dataclass(frozen=True)
class MatchingCode:
    """A code that is right, unless it was used before: a time step of an app, or a recovery code."""

    user_id: str
    secret_hash: str
    step: int | None = None
    recovery_hash: str | None = None

    @property
    def is_recovery(self) -> bool:
        return self.recovery_hash is not None


class FactorCodes:
    """Checks codes within the rate limit of their account."""

    def __init__(self, secrets: FactorSecrets, rates: RateLimits) -> None:
        self._secrets = secrets
        self._rates = rates

    async def match(self, user: User, code: str) -> MatchingCode:
        """Return the code that `use` uses up. Each attempt counts until `accept`.

        An account that has begun to set up its factor has an app already, and no recovery codes.

        Raises:
            ConflictError: SECRET_KEY has changed since the app was set up, so that only recovery codes work.
            InvalidInputError: the code is wrong.
            RateLimitedError: there were too many wrong codes for the account.
        """
        await self._rates.hit_factor_code(user.id)
        clean, row = clean_code(code), await SecondFactor.get_or_none(user_id=user.id)
        if row is None:
            raise wrong_code()
        if is_recovery_code(clean):
            return MatchingCode(user.id, row.secret_hash, recovery_hash=hash_code(user.id, clean))
        if not (len(clean) == DIGITS and clean.isascii() and clean.isdigit()):
            raise wrong_code()
        secret = self._secrets.of(row)
        if secret is None:
            text = message(
                "Codes of your app do not work any more: the server's secret key has changed. Use a recovery code."
            )
            raise ConflictError(text, _FIELD)
        step = Authenticator(secret).step_of(clean, time.time())
        if step is None:
            raise wrong_code()
        return MatchingCode(user.id, row.secret_hash, step=step)

    @staticmethod
    async def use(code: MatchingCode) -> None:
        """Use a code up, inside the transaction of what it allows, which has locked the account.

        Raises:
            InvalidInputError: it was used before, or its factor was removed.
        """
        if code.recovery_hash is not None:
            if not await use_code(code.user_id, code.recovery_hash):
                raise wrong_code()
        elif not await rows(_USE_STEP, code.user_id, code.secret_hash, code.step):
            raise InvalidInputError(message("This code was used already. Please wait for the next one."), _FIELD)

    async def accept(self, user_id: str) -> None:
        """Forget the attempts of an account, after the commit that used a code."""
        await self._rates.reset_factor_codes(user_id)


def wrong_code() -> InvalidInputError:
    return InvalidInputError(message("This code is wrong, or it has expired."), _FIELD)
