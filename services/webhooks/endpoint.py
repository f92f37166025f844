"""Webhook endpoints of accounts: created, changed, given a new secret, switched off and deleted by their owners."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import User, WebhookEndpoint
from models.database.connection import run_tx
from models.enum import DisabledReason, WebhookEventType
from services.accounts.email_verification import VerificationService
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.text import clean_text
from services.core.unset import UNSET, Unset, set_fields
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.integrations.webhooks.signature import fingerprint
from services.integrations.webhooks.target import BadTargetError, parse_target
from services.webhooks.delivery import end_waiting
from services.webhooks.secret import EndpointSecrets

MAX_PER_ACCOUNT = 5
DESCRIPTION_MAX = 100  # characters
MAX_THRESHOLD = 1_000_000_000  # credits
_OVERLAP = timedelta(hours=24)  # in which the secret before a rotation signs, too
_ID = ("id",)
# The columns that a change writes: no others, because workers write the rest of the row meanwhile.
_SECRET = ("salt", "secret_hash", "previous_salt", "previous_until", "updated_at")
_SWITCH = ("disabled_at", "disabled_reason", "failing_since", "notified_at")


@dataclass(frozen=True)
class EndpointChange:
    """What is set of an endpoint. `events` None: all, also those of later releases."""

    url: str | Unset = UNSET
    description: str | Unset | None = UNSET
    events: Sequence[WebhookEventType] | Unset | None = UNSET
    credits_low: int | Unset | None = UNSET  # credits; None: the product's
    is_enabled: bool | Unset = UNSET


@dataclass(frozen=True)
class NewSecret:
    """An endpoint with a secret that is shown once."""

    row: WebhookEndpoint
    secret: str


class WebhookEndpointService:
    """Manages the endpoints of accounts.

    `credits_low`: the threshold of `credits.low` where none is given. `is_development`: they may be on this machine.
    """

    def __init__(
        self,
        secrets: EndpointSecrets,
        verification: VerificationService,
        events: EventPublisher,
        *,
        credits_low: int,
        is_development: bool,
    ) -> None:
        self._is_development = is_development
        self._secrets = secrets
        self._verification = verification
        self._events = events
        self._credits_low = credits_low

    async def by_ids(self, user_id: str, endpoint_ids: Sequence[str]) -> dict[str, WebhookEndpoint]:
        """Return the given endpoints that belong to the account."""
        return {row.id: row for row in await WebhookEndpoint.filter(id__in=endpoint_ids, user_id=user_id)}

    async def all_by_ids(self, endpoint_ids: Sequence[str]) -> dict[str, WebhookEndpoint]:
        """Return the given endpoints that exist, of any account or of the deployment, for admins."""
        return {row.id: row for row in await WebhookEndpoint.filter(id__in=endpoint_ids)}

    async def list(self, user_id: str) -> Sequence[WebhookEndpoint]:
        """Return the account's endpoints, oldest first."""
        return await WebhookEndpoint.filter(user_id=user_id).order_by("id")

    async def create(self, user: User, change: EndpointChange) -> NewSecret:
        """Create an endpoint, and return it with its secret, which is shown this once.

        Raises:
            InvalidInputError: the URL or a value is invalid.
            ConflictError: the account has MAX_PER_ACCOUNT endpoints.
            UnverifiedEmailError, GuestError: the account has no verified address to write to.
        """
        self._verification.require(user)
        row = WebhookEndpoint(user_id=user.id, credits_low=self._credits_low)
        self._apply(row, change)
        secret = self._renew(row)
        await self._change(user.id, row, self._insert, is_new=True)
        return NewSecret(row, secret)

    async def update(self, user_id: str, endpoint_id: str, change: EndpointChange) -> WebhookEndpoint:
        """Change an endpoint. One that is enabled again is sent what happens from then on.

        Raises:
            InvalidInputError: a value is invalid.
            NotFoundError: it does not exist, or belongs to another account.
        """
        row = await self.find(user_id, endpoint_id)

        async def write(row: WebhookEndpoint) -> None:
            self._apply(row, change)
            await row.save(update_fields=_written(change))
            if change.is_enabled is False:
                await end_waiting(row.id)

        return await self._change(user_id, row, write)

    async def rotate(self, user_id: str, endpoint_id: str) -> NewSecret:
        """Give an endpoint a new secret; for a day, the previous one signs as well.

        Raises:
            NotFoundError: it does not exist, or belongs to another account.
        """
        row = await self.find(user_id, endpoint_id)
        renewed: list[str] = []

        async def write(row: WebhookEndpoint) -> None:
            row.previous_salt, row.previous_until = row.salt, datetime.now(UTC) + _OVERLAP
            renewed.append(self._renew(row))
            was_lost = row.disabled_reason is DisabledReason.SECRET
            if was_lost:
                _enable(row)
            await row.save(update_fields=[*_SECRET, *(_SWITCH if was_lost else ())])

        row = await self._change(user_id, row, write)
        return NewSecret(row, renewed[-1])

    async def delete(self, user_id: str, endpoint_id: str) -> None:
        """Delete an endpoint with its deliveries. Raises NotFoundError."""

        async def write(row: WebhookEndpoint) -> None:
            await row.delete()

        await self._change(user_id, await self.find(user_id, endpoint_id), write)

    async def find(self, user_id: str, endpoint_id: str) -> WebhookEndpoint:
        """Return one of the account's endpoints. Raises NotFoundError."""
        row = await WebhookEndpoint.get_or_none(id=endpoint_id, user_id=user_id)
        if row is None:
            raise NotFoundError(field=_ID)
        return row

    async def _change(
        self,
        user_id: str,
        row: WebhookEndpoint,
        write: Callable[[WebhookEndpoint], Awaitable[None]],
        *,
        is_new: bool = False,
    ) -> WebhookEndpoint:
        """Write with the account's row locked: an endpoint that exists is read again first."""

        async def work() -> tuple[WebhookEndpoint, AccountChange]:
            account = await account_change.bump_version(user_id)
            found = row if is_new else await self.find(user_id, row.id)
            await write(found)
            return found, account

        found, account = await run_tx(work)
        await self._events.account_changed(account)
        return found

    @staticmethod
    async def _insert(row: WebhookEndpoint) -> None:
        if await WebhookEndpoint.filter(user_id=row.user_id).count() >= MAX_PER_ACCOUNT:
            raise ConflictError(
                message("An account has at most {limit} webhook endpoints. Delete one first.", limit=MAX_PER_ACCOUNT)
            )
        await row.save(force_create=True)

    def _renew(self, row: WebhookEndpoint) -> str:
        row.salt = self._secrets.new_salt()
        secret = self._secrets.derive(row.id, row.salt)
        row.secret_hash = fingerprint(secret)
        return secret

    def _apply(self, row: WebhookEndpoint, change: EndpointChange) -> None:
        """Set what is given. Raises InvalidInputError."""
        if change.url is not UNSET:
            row.url = self._checked(change.url)
        if change.description is not UNSET:
            row.description = clean_text(change.description, DESCRIPTION_MAX, field=("description",))
        if change.events is not UNSET:
            if change.events is not None and not change.events:
                raise InvalidInputError(message("Choose at least one event."), field=("events",))
            row.events = None if change.events is None else sorted({each.value for each in change.events})
        if change.credits_low is not UNSET:
            row.credits_low = self._credits_low if change.credits_low is None else change.credits_low
            if not 0 <= row.credits_low <= MAX_THRESHOLD:
                text = message("A threshold is 0 to {limit} credits.", limit=MAX_THRESHOLD)
                raise InvalidInputError(text, field=("creditsLowBelow",))
        if change.is_enabled is True:
            _enable(row)
        elif change.is_enabled is False and row.disabled_at is None:
            row.disabled_at, row.disabled_reason = datetime.now(UTC), DisabledReason.OWNER

    def _checked(self, url: str) -> str:
        try:
            parse_target(url, is_own=False, is_development=self._is_development)
        except BadTargetError:
            text = message("This is not a public https address.")
            raise InvalidInputError(text, field=("url",)) from None
        return url


def _written(change: EndpointChange) -> list[str]:
    """Return the columns that a change writes."""
    given = set_fields(change)
    switched = _SWITCH if given.pop("is_enabled", None) is not None else ()
    return [*given, *switched, "updated_at"]


def _enable(row: WebhookEndpoint) -> None:
    row.disabled_at = row.disabled_reason = row.failing_since = row.notified_at = None
