"""Checks of passwords within the rate limits: an account's wrong passwords count together, wherever they are sent."""

from services.accounts.credential import PASSWORD_MAX
from services.core.rate_limit import RateLimits
from services.integrations.password_hashing import Passwords


class PasswordChecks:
    """Verifies and hashes passwords. `client`: the network address of the request."""

    def __init__(self, passwords: Passwords, rates: RateLimits) -> None:
        self._passwords = passwords
        self._rates = rates

    async def verify(self, email: str, password_hash: str | None, password: str, *, client: str) -> bool:
        """Whether the password is that of the account with this address, and count the result.

        `password_hash`: None if there is no such account; the answer then takes the same time.

        Raises:
            RateLimitedError: there were too many wrong or correct passwords, or too many are being checked right now.
        """
        with self._rates.hashing(client, email):
            await self._rates.check_password(email, client)
            if not await self._passwords.matches(password_hash, password[: PASSWORD_MAX + 1], client=client):
                await self._rates.hit_wrong_password(email, client)
                return False
            await self._rates.hit_correct_password(email, client)
            return True

    async def hash(self, password: str, *, client: str) -> str:
        """Return the hash of a new password.

        Raises:
            RateLimitedError: too many passwords of this client are being hashed right now.
        """
        with self._rates.hashing(client):
            return await self._passwords.hash(password, client=client)
