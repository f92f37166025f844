"""The check of what users write, before anything is charged or stored: a blocklist, and a moderation model."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import structlog

from services.core.error import ContentRejectedError, UnavailableError
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.integrations.moderation.protocol import Moderator
from services.integrations.providers.protocol import ProviderError
from services.products.blocklist import Blocklist
from telemetry import metric

log = structlog.get_logger(__name__)

Field: TypeAlias = tuple[str, ...]
Texts: TypeAlias = Mapping[Field, str | Sequence[str] | None]  # what a user wrote, by field; one may stand for several

_KEPT = 10_000  # texts of which a process remembers that the moderator has accepted them


class ContentCheck:
    """Rejects texts. `accepts_unchecked`: what happens to a text while the moderator gives no judgement of it."""

    def __init__(
        self,
        blocklist: Blocklist,
        moderator: Moderator | None,
        rates: RateLimits,
        *,
        accepts_unchecked: bool = False,
        seconds: float = 5.0,
    ) -> None:
        self._blocklist = blocklist
        self._moderator = moderator
        self._rates = rates
        self._accepts_unchecked = accepts_unchecked
        self._seconds = seconds
        # Digests. What users wrote before is checked again whenever it is used, and most of it has not changed.
        self._accepted: OrderedDict[bytes, None] = OrderedDict()

    @property
    def is_on(self) -> bool:
        """Whether anything is checked at all."""
        return bool(self._blocklist) or self._moderator is not None

    def is_blocked(self, text: str) -> bool:
        """Return whether the blocklist has a phrase of this text."""
        return self._blocklist.is_in(text)

    async def check(self, user_id: str, texts: Texts) -> None:
        """Accept an account's texts, which are valid otherwise.

        Raises:
            ContentRejectedError: with the field of the first that is rejected; this is counted.
            RateLimitedError: too many texts of the account were rejected.
            UnavailableError: they cannot be checked right now.
        """
        written = [(field, text) for field, given in texts.items() for text in _each(given)]
        if not written or not self.is_on:
            return
        await self._rates.check_rejected_texts(user_id)
        field = self._blocked(written) or await self._rejected(written)
        if field is None:
            return
        await self._rates.hit_rejected_text(user_id)
        log.info("content.rejected", user=user_id, field=".".join(field))
        raise ContentRejectedError(field)

    async def check_order(self, user_id: str, texts: Texts, count: int) -> None:
        """Accept the texts of an order, and count its generations towards the account's limit of a minute.

        Rejected texts have their own limit. Texts that cannot be checked count: the moderator was asked.

        Raises:
            ContentRejectedError, RateLimitedError, UnavailableError: as `check`; or RateLimitedError by that limit.
        """
        try:
            await self.check(user_id, texts)
        except UnavailableError:
            await self._rates.hit_generations(user_id, count)
            raise
        await self._rates.hit_generations(user_id, count)

    async def check_account(self, user_id: str, texts: Texts) -> None:
        """Before other work for a request with these texts: raises RateLimitedError if `check` would."""
        if self.is_on and any(_each(given) for given in texts.values()):
            await self._rates.check_rejected_texts(user_id)

    def _blocked(self, written: Sequence[tuple[Field, str]]) -> Field | None:
        found = next((field for field, text in written if self._blocklist.is_in(text)), None)
        if found is not None:
            metric.content_checks.labels("blocklist").inc()
        return found

    async def _rejected(self, written: Sequence[tuple[Field, str]]) -> Field | None:
        unknown = [(field, text) for field, text in written if not self._was_accepted(text)]
        if self._moderator is None or not unknown:
            return None
        try:
            async with asyncio.timeout(self._seconds):
                positions = await self._moderator.rejected([text for _, text in unknown])
        except (ProviderError, TimeoutError) as error:
            metric.content_checks.labels("outage").inc()
            reason = error.detail if isinstance(error, ProviderError) else "too late"
            log.warning("moderation.failed", reason=reason, accepted=self._accepts_unchecked)
            if self._accepts_unchecked:
                return None
            refusal = message("Texts cannot be checked right now, and nothing was charged. Please try again later.")
            raise UnavailableError(refusal) from None
        metric.content_checks.labels("rejected" if positions else "accepted").inc()
        if positions:
            return unknown[min(positions)][0]
        self._remember(text for _, text in unknown)
        return None

    def _remember(self, texts: Iterable[str]) -> None:
        self._accepted |= dict.fromkeys(map(_digest, texts))
        while len(self._accepted) > _KEPT:
            self._accepted.popitem(last=False)

    def _was_accepted(self, text: str) -> bool:
        digest = _digest(text)
        if digest not in self._accepted:
            return False
        self._accepted.move_to_end(digest)
        return True


def _each(given: str | Sequence[str] | None) -> Sequence[str]:
    """Return the texts of a field, without empty ones."""
    return tuple(text for text in ((given,) if isinstance(given, str) else given or ()) if text)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
