"""Checks of passwords within the rate limits.

An account's wrong passwords count together, wherever they are sent. Those of a device that signed in before count
separately, so that guesses of others do not lock it out.
"""

from dataclasses import dataclass

from models import User
from services.accounts.credential import PASSWORD_MAX
from services.accounts.secret_token import hash_token
from services.core.rate_limit import RateLimits
from services.integrations.device_token import DeviceTokens
from services.integrations.password_hashing import Passwords


@dataclass(frozen=True)
class DeviceProof:
    """What a request shows to prove that its device signed in before: device tokens, or an open session."""

    tokens: tuple[str | None, ...] = ()  # the first that is valid for the account counts
    session: str | None = None  # the token of a session of the account `session_user`
    session_user: str | None = None


NO_PROOF = DeviceProof()


class PasswordChecks:
    """Verifies and hashes passwords. `client`: the network address of the request."""

    def __init__(self, passwords: Passwords, rates: RateLimits, devices: DeviceTokens) -> None:
        self._passwords = passwords
        self._rates = rates
        self._devices = devices

    async def verify(
        self, email: str, user: User | None, password: str, *, client: str, proof: DeviceProof = NO_PROOF
    ) -> bool:
        """Whether the password is that of the account with this address, and count the result.

        `user`: None if there is no such account; the answer then takes the same time.

        Raises:
            RateLimitedError: there were too many wrong or correct passwords, or too many are being checked right now.
        """
        device = self._device(user, proof) if user else None
        password_hash = user.password_hash if user else None
        with self._rates.hashing(client, device or email):
            await self._rates.check_password(email, client, device)
            if not await self._passwords.matches(password_hash, password[: PASSWORD_MAX + 1], client=client):
                await self._rates.hit_wrong_password(email, client, device)
                return False
            await self._rates.hit_correct_password(email, client, device)
            return True

    def _device(self, user: User, proof: DeviceProof) -> str | None:
        """Return the key under which the account's wrong passwords from a known device are counted, or None."""
        known = (self._devices.device(user.id, user.password_hash, token) for token in proof.tokens)
        device = next(filter(None, known), None)
        if device is None and proof.session is not None and proof.session_user == user.id:
            device = hash_token(proof.session)
        return f"{user.id}:{device}" if device else None

    async def hash(self, password: str, *, client: str) -> str:
        """Return the hash of a new password.

        Raises:
            RateLimitedError: too many passwords of this client are being hashed right now.
        """
        with self._rates.hashing(client):
            return await self._passwords.hash(password, client=client)
