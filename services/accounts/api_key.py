"""API keys: with one, a program signs in as the account that made it."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from models import ApiKey, User
from models.database.connection import run_tx
from services.accounts.secret_token import hash_token, is_well_formed
from services.billing.entitlement import Entitlements
from services.core import idempotency
from services.core.error import ConflictError, InvalidInputError, MembershipRequiredError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.text import clean_text
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

PREFIX = "dk_"
_LENGTH = len(PREFIX) + 43  # 256 bits in base64; a sign-in's token is shorter, whatever it begins with
NAME_MAX = 100  # characters
MOST = 20  # keys of one account
_OPERATION = "createApiKey"
_USE_PRECISION = timedelta(minutes=1)  # within which a further use is not written down: reading stays reading


@dataclass(frozen=True)
class NewApiKey:
    """What a person gets once; `key` is None where SECRET_KEY has changed since and it cannot be made again."""

    row: ApiKey
    key: str | None


@dataclass(frozen=True)
class _Wanted:
    name: str
    idempotency_key: str | None


def is_api_key(token: str) -> bool:
    """Whether a bearer's token looks like an API key rather than a sign-in's."""
    return len(token) == _LENGTH and token.startswith(PREFIX)


class ApiKeyService:
    """Makes, finds and revokes keys. `secret` is the deployment's.

    Where API access comes with a plan, keys wait for the plan: without it they sign nobody in, and are still there.
    """

    def __init__(self, secret: str, events: EventPublisher, entitlements: Entitlements) -> None:
        self._secret = secret.encode()
        self._events = events
        self._entitlements = entitlements

    def _key(self, row: ApiKey) -> str:
        """The key's text, made from what is stored and the secret that is not: a repeated request gets it again."""
        digest = hmac.digest(self._secret, f"api-key:{row.id}:{row.salt}".encode(), "sha256")
        return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def create(self, user: User, name: str, idempotency_key: str | None) -> NewApiKey:
        """Make a key, or give back the one that this idempotency key made.

        Raises:
            InvalidInputError: the name or the idempotency key cannot be used.
            ConflictError: there are enough keys, the idempotency key came with another name, or its key was revoked.
            MembershipRequiredError: API access comes with a plan that this account does not have.
        """
        if not await self._has_access(user):
            raise MembershipRequiredError(text=message("API keys come with a plan that has API access."))
        words = clean_text(name, NAME_MAX, field=("name",))
        if words is None:
            raise InvalidInputError(message("A key needs a name."), field=("name",))
        wanted = _Wanted(words, idempotency_key)
        ticket = IdempotencyTicket.of(_OPERATION, wanted)
        row = await idempotency.run_once(
            user.id, ticket, partial(_replay, user.id), partial(self._create, user.id, wanted, ticket)
        )
        key = self._key(row)
        return NewApiKey(row, key if hash_token(key) == row.key_hash else None)

    async def _create(self, user_id: str, wanted: _Wanted, ticket: IdempotencyTicket) -> ApiKey:
        row, account = await run_tx(self._insert, user_id, wanted, ticket)
        await self._events.account_changed(account)
        return row

    async def _insert(self, user_id: str, wanted: _Wanted, ticket: IdempotencyTicket) -> tuple[ApiKey, AccountChange]:
        account = await account_change.bump_version(user_id)
        if await ApiKey.filter(user_id=user_id).count() >= MOST:
            raise ConflictError(message("An account has at most {limit} keys. Revoke one first.", limit=MOST))
        row = ApiKey(user_id=user_id, name=wanted.name, salt=secrets.token_hex(32))
        made = self._key(row)
        row.hint, row.key_hash = made[-4:], hash_token(made)
        await row.save(force_create=True)
        await idempotency.store_result(user_id, ticket, row.id)
        return row, account

    async def by_users(self, user_ids: list[str]) -> dict[str, list[ApiKey]]:
        """The keys of each of these accounts that has any, newest first."""
        found: dict[str, list[ApiKey]] = {}
        for row in await ApiKey.filter(user_id__in=user_ids).order_by("-id"):
            found.setdefault(row.user_id, []).append(row)
        return found

    async def all_by_ids(self, key_ids: list[str]) -> dict[str, ApiKey]:
        """Those of these keys that there are, for admins."""
        return {row.id: row for row in await ApiKey.filter(id__in=key_ids)}

    async def by_ids(self, user_id: str, key_ids: list[str]) -> dict[str, ApiKey]:
        """Those of these keys that are the account's own."""
        return {row.id: row for row in await ApiKey.filter(id__in=key_ids, user_id=user_id)}

    async def revoke(self, user_id: str, key_id: str) -> None:
        """End a key at once, and the sockets that it opened.

        Raises:
            NotFoundError: not there, or not this account's.
        """
        account = await run_tx(self._revoke, user_id, key_id)
        await self._events.sign_ins_changed(user_id)
        await self._events.account_changed(account)

    @staticmethod
    async def _revoke(user_id: str, key_id: str) -> AccountChange:
        account = await account_change.bump_version(user_id)
        if not await ApiKey.filter(id=key_id, user_id=user_id).delete():
            raise NotFoundError(field=("id",))
        return account

    async def user_of(self, key: str) -> User | None:
        """Whose key this is; None when it is nobody's, revoked, its account is gone, or has no API access any more."""
        row = (
            await ApiKey.filter(key_hash=hash_token(key)).select_related("user").first()
            if is_well_formed(key)
            else None
        )
        if row is None or not row.user.may_sign_in:
            return None
        if not await self._has_access(row.user):
            return None
        now = datetime.now(UTC)
        if row.last_used_at is None or now - row.last_used_at > _USE_PRECISION:
            await ApiKey.filter(id=row.id).update(last_used_at=now)
        return row.user

    async def users_of(self, keys: Sequence[str]) -> dict[str, User]:
        """Whose keys these are, without those that sign nobody in; one statement, and no use is written down."""
        by_hash = {hash_token(key): key for key in keys}
        found = await ApiKey.filter(key_hash__in=list(by_hash)).select_related("user")
        return {
            by_hash[row.key_hash]: row.user
            for row in found
            if row.user.may_sign_in and await self._has_access(row.user)
        }

    async def _has_access(self, user: User) -> bool:
        return (await self._entitlements.of(user)).api_access


async def _replay(user_id: str, key_id: str) -> ApiKey:
    row = await ApiKey.get_or_none(id=key_id, user_id=user_id)
    if row is None:
        text = message("The key that this request made was revoked.")
        raise ConflictError(text, field=("idempotencyKey",))
    return row
