"""API keys, with which programs sign in as the account that created them."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from models import ApiKey, User
from models.accounts import ActingKey
from models.database.connection import as_datetime, run_tx
from models.database.fixed_sql import Row, RowKind
from models.enum import ApiKeyScope
from services.accounts.email_verification import VerificationService
from services.accounts.secret_token import TokenTable, hash_token, is_well_formed
from services.billing.entitlement import Entitlements
from services.core import idempotency
from services.core.error import (
    ConflictError,
    InvalidInputError,
    MembershipRequiredError,
    NotFoundError,
    UnauthenticatedError,
)
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.text import clean_text
from services.core.unset import UNSET, Unset, set_fields
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

PREFIX = "dk_"
_LENGTH = len(PREFIX) + 43  # 256 bits in base64; a session token is shorter
NAME_MAX = 100  # characters
MAX_PER_ACCOUNT = 20
MAX_MONTHLY_CREDITS = 1_000_000_000
_OPERATION = "createApiKey"
_USE_PRECISION = timedelta(minutes=1)  # of `last_used_at`, so that most requests write nothing


@dataclass(frozen=True)
class NewApiKey:
    """A created key. `key` is None if SECRET_KEY has changed since, so that it cannot be derived again."""

    row: ApiKey
    key: str | None


@dataclass(frozen=True)
class KeyLimits:
    """What a key may do. `monthly_credits`: the most that it spends in a calendar month; None: any."""

    scope: ApiKeyScope = ApiKeyScope.EVERYTHING
    expires_at: datetime | None = None  # None: never
    monthly_credits: int | None = None

    def check(self) -> None:
        """Raises InvalidInputError."""
        if self.expires_at is not None and self.expires_at <= datetime.now(UTC):
            raise InvalidInputError(message("This is in the past."), field=("expiresAt",))
        if self.monthly_credits is not None and not 1 <= self.monthly_credits <= MAX_MONTHLY_CREDITS:
            text = message("A cap is 1 to {limit} credits.", limit=MAX_MONTHLY_CREDITS)
            raise InvalidInputError(text, field=("monthlyCredits",))


_UNLIMITED = KeyLimits()


@dataclass(frozen=True)
class KeyChange:
    """What its user changes of a key; UNSET: unchanged. Limits as in KeyLimits."""

    name: str | Unset | None = UNSET
    scope: ApiKeyScope | Unset = UNSET
    expires_at: datetime | Unset | None = UNSET
    monthly_credits: int | Unset | None = UNSET

    def values(self) -> dict[str, Any]:
        """Return the columns that change. Raises InvalidInputError."""
        values = set_fields(self)
        if "name" in values:
            values["name"] = _clean_name(values["name"])
        KeyLimits(expires_at=values.get("expires_at"), monthly_credits=values.get("monthly_credits")).check()
        return values


@dataclass(frozen=True)
class _Request:
    name: str
    idempotency_key: str | None
    # None where nothing is limited: a value changes the fingerprints of requests.
    scope: ApiKeyScope | None = None
    expires_at: datetime | None = None
    monthly_credits: int | None = None


class _KeyRow(Row, model=User):
    """A key's user, and what its use needs of the key."""

    key_id: str
    key_hash: str
    last_used_at: datetime | str | None
    scope: str
    expires_at: datetime | str | None
    monthly_credits: int | None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and as_datetime(self.expires_at) <= datetime.now(UTC)


_COLUMNS = (
    '"api_keys"."id" AS "key_id", "api_keys"."key_hash", "api_keys"."last_used_at", "api_keys"."scope",'
    ' "api_keys"."expires_at", "api_keys"."monthly_credits"'
)
_KEYS = TokenTable(RowKind(_KeyRow), "api_keys", "key_hash", _COLUMNS)


def _clean_name(name: str | None) -> str:
    clean = clean_text(name, NAME_MAX, field=("name",))
    if clean is None:
        raise InvalidInputError(message("A key needs a name."), field=("name",))
    return clean


def is_api_key(token: str) -> bool:
    """Whether a bearer token has the format of an API key; otherwise it is a session token."""
    return len(token) == _LENGTH and token.startswith(PREFIX)


class ApiKeyService:
    """Creates, finds and revokes keys. `secret`: the deployment's SECRET_KEY.

    If API access requires a plan, the keys of an account without it are kept, but refused.
    """

    def __init__(
        self, secret: str, events: EventPublisher, entitlements: Entitlements, verification: VerificationService
    ) -> None:
        self._secret = secret.encode()
        self._events = events
        self._entitlements = entitlements
        self._verification = verification

    def _key(self, row: ApiKey) -> str:
        """Derive the key from its row and the secret, so that an idempotent replay can return it again."""
        digest = hmac.digest(self._secret, f"api-key:{row.id}:{row.salt}".encode(), "sha256")
        return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def create(
        self, user: User, name: str, idempotency_key: str | None, limits: KeyLimits = _UNLIMITED
    ) -> NewApiKey:
        """Create a key, or return the one that was created with this idempotency key.

        Raises:
            InvalidInputError: the name, a limit or the idempotency key is invalid.
            ConflictError: the account has MAX_PER_ACCOUNT keys, the idempotency key was used with another input, or the
                API key that it created was revoked.
            MembershipRequiredError: API access requires a plan that this account does not have.
            UnauthenticatedError: the account's address or password has changed since the request began.
            UnverifiedEmailError: the account's address is not verified.
        """
        self._verification.require(user)
        if not await self._has_access(user):
            raise MembershipRequiredError(text=message("API keys require a plan with API access."))
        clean_name = _clean_name(name)
        limits.check()
        scope = None if limits.scope is ApiKeyScope.EVERYTHING else limits.scope
        request = _Request(clean_name, idempotency_key, scope, limits.expires_at, limits.monthly_credits)
        ticket = IdempotencyTicket.of(_OPERATION, request)
        row = await idempotency.run_once(
            user.id, ticket, partial(_replay, user.id), partial(self._create, user, request, ticket)
        )
        key = self._key(row)
        return NewApiKey(row, key if hash_token(key) == row.key_hash else None)

    async def _create(self, user: User, request: _Request, ticket: IdempotencyTicket) -> ApiKey:
        row, account = await run_tx(self._insert, user, request, ticket)
        await self._events.account_changed(account)
        return row

    async def _insert(self, user: User, request: _Request, ticket: IdempotencyTicket) -> tuple[ApiKey, AccountChange]:
        user_id = user.id
        account = await account_change.bump_version(user_id)
        # A request may have begun long before: a password reset that ends all keys must not be followed by a new one.
        unchanged = User.filter(id=user_id, email=user.email, password_hash=user.password_hash)
        if not await unchanged.filter(suspended_at=None).exists():
            raise UnauthenticatedError
        if await ApiKey.filter(user_id=user_id).count() >= MAX_PER_ACCOUNT:
            raise ConflictError(
                message("An account has at most {limit} keys. Revoke one first.", limit=MAX_PER_ACCOUNT)
            )
        row = ApiKey(
            user_id=user_id,
            name=request.name,
            salt=secrets.token_hex(32),
            scope=request.scope or ApiKeyScope.EVERYTHING,
            expires_at=request.expires_at,
            monthly_credits=request.monthly_credits,
        )
        new_key = self._key(row)
        row.hint, row.key_hash = new_key[-4:], hash_token(new_key)
        await row.save(force_create=True)
        await idempotency.store_result(user_id, ticket, row.id)
        return row, account

    async def by_users(self, user_ids: list[str]) -> dict[str, list[ApiKey]]:
        """Return the keys of these accounts, newest first; accounts without keys are left out."""
        found: dict[str, list[ApiKey]] = {}
        for row in await ApiKey.filter(user_id__in=user_ids).order_by("-id"):
            found.setdefault(row.user_id, []).append(row)
        return found

    async def all_by_ids(self, key_ids: list[str]) -> dict[str, ApiKey]:
        """Return the given keys that exist, of any account, for admins."""
        return {row.id: row for row in await ApiKey.filter(id__in=key_ids)}

    async def by_ids(self, user_id: str, key_ids: list[str]) -> dict[str, ApiKey]:
        """Return the given keys that belong to the user."""
        return {row.id: row for row in await ApiKey.filter(id__in=key_ids, user_id=user_id)}

    async def update(self, user: User, key_id: str, change: KeyChange) -> ApiKey:
        """Change a key, effective from its next operation on, also on open sockets.

        Raises:
            InvalidInputError: the name or a limit is invalid.
            NotFoundError: the key does not exist or belongs to another user.
            UnverifiedEmailError: the account's address is not verified.
        """
        self._verification.require(user)
        values = change.values()
        row, account = await run_tx(self._update, user.id, key_id, values)
        await self._events.sign_ins_changed(user.id)
        await self._events.account_changed(account)
        return row

    @staticmethod
    async def _update(user_id: str, key_id: str, values: dict[str, Any]) -> tuple[ApiKey, AccountChange]:
        account = await account_change.bump_version(user_id)
        if values:
            await ApiKey.filter(id=key_id, user_id=user_id).update(**values)
        row = await ApiKey.get_or_none(id=key_id, user_id=user_id)
        if row is None:
            raise NotFoundError(field=("id",))
        return row, account

    async def revoke(self, user_id: str, key_id: str) -> None:
        """Delete a key and close the sockets that were opened with it.

        Raises:
            NotFoundError: the key does not exist or belongs to another user.
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
        """Return the user of a key, who acts by it.

        None if the key is unknown, revoked or expired, or its account may not sign in or use the API.
        """
        found = await _KEYS.find(hash_token(key)) if is_well_formed(key) else None
        if found is None:
            return None
        row, user = found
        if row.is_expired or not user.may_sign_in or not await self._has_access(user):
            return None
        now = datetime.now(UTC)
        if row.last_used_at is None or now - as_datetime(row.last_used_at) > _USE_PRECISION:
            await ApiKey.filter(id=row.key_id).update(last_used_at=now)
        return _acting(row, user)

    async def users_of(self, keys: Sequence[str]) -> dict[str, User]:
        """Return the users of several keys in one query, without invalid keys; `last_used_at` stays unchanged."""
        by_hash = {hash_token(key): key for key in keys}
        return {
            by_hash[row.key_hash]: _acting(row, user)
            for row, user in await _KEYS.find_all(list(by_hash))
            if not row.is_expired and user.may_sign_in and await self._has_access(user)
        }

    async def _has_access(self, user: User) -> bool:
        return (await self._entitlements.of(user)).api_access


def _acting(row: _KeyRow, user: User) -> User:
    user.acting_key = ActingKey(row.key_id, ApiKeyScope(row.scope), row.monthly_credits)
    return user


async def _replay(user_id: str, key_id: str) -> ApiKey:
    row = await ApiKey.get_or_none(id=key_id, user_id=user_id)
    if row is None:
        text = message("The key that this request created was revoked.")
        raise ConflictError(text, field=("idempotencyKey",))
    return row
