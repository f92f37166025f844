"""The topic of one account's credits: every line of its ledger, and every change of its benefits."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from models import CreditTransaction, User
from services.billing.benefits import Benefits, benefits_of
from services.billing.ledger import LedgerService
from services.billing.membership import MembershipService
from services.core.error import NotFoundError
from services.core.pagination import MAX_SIZE
from services.events.payload import account_channel, decode_entitlements, decode_lines
from services.events.topic import Item, Position, QueuedTopic
from services.integrations.messaging.bus import Message


@dataclass(frozen=True)
class CreditsUpdate:
    """An account's credits after a ledger line, or after a change of its benefits, then without a line."""

    user_id: str
    credits: int
    version: int
    line: CreditTransaction | None
    benefits: Benefits


@dataclass(frozen=True)
class _Snapshot:
    """The account as it was last read."""

    user: User
    benefits: Benefits


class CreditsTopic(QueuedTopic[CreditsUpdate]):
    """The changes of an account's credits: an item is at (line, version, benefits that ended by time alone)."""

    table: ClassVar = User

    __slots__ = ("_credits", "_expiries", "_known", "_ledger", "_memberships", "_seen", "_sent")

    def __init__(self, user_id: str, ledger: LedgerService, memberships: MembershipService) -> None:
        super().__init__(account_channel(user_id), user_id)
        self._ledger = ledger
        self._memberships = memberships
        self._known: _Snapshot | None = None
        self._seen = 0  # the newest line that was sent
        self._credits = self._sent = 0  # as in the newest item, and its version
        self._expiries = 0

    async def open(self) -> tuple[Position, CreditsUpdate]:
        """Return the present state, and the position of its subscriber."""
        expiries = self._expiries
        snapshot = await self._read()
        if self.began_after(snapshot.user.version):
            snapshot = await self._read()
        user = snapshot.user
        if self._known is None:
            self._known = snapshot
            self._seen, self._credits, self._sent = user.ledger_sequence, user.credits, user.version
            self.opened(user.version)
        state = CreditsUpdate(self.row_id, user.credits, user.version, None, snapshot.benefits)
        return (user.ledger_sequence, user.version, expiries), state

    async def missed_items(self, position: Position) -> list[Item[CreditsUpdate]]:
        """Return the next page of the ledger; the present state if its lines have all been sent."""
        lines = await self._ledger.since(self.row_id, int(position[0]))
        benefits = self._snapshot.benefits
        if lines:
            updates = [CreditsUpdate(self.row_id, line.balance, line.account_version, line, benefits) for line in lines]
            return [Item(line_position(line), update) for line, update in zip(lines, updates, strict=True)]
        return [Item(self.items[-1].position, CreditsUpdate(self.row_id, self._credits, self._sent, None, benefits))]

    def is_due(self) -> bool:
        return self._known is not None and self._known.benefits.is_due(datetime.now(UTC))

    async def apply(self, message: Message) -> None:
        lines = decode_lines(message, self._seen) if isinstance(message, dict) else None
        changed = decode_entitlements(message, self._snapshot.user.version) if isinstance(message, dict) else None
        if lines is not None and changed is False and isinstance(message, dict):
            if message["version"] == self.version + 1:  # else one before it is missing, and the row is compared
                self.version += 1
            await self._send_lines(lines)
            return
        known = self._snapshot
        fresh = await self._read(None if changed else known)
        newest = lines[-1].sequence if lines else self._seen
        is_complete = fresh.user.ledger_sequence == newest  # else lines that were written since come first
        has_changed = bool(changed) or fresh.benefits != known.benefits
        self._known = fresh
        had_lines = await self._send_lines((lines or []) if is_complete else None)
        self.version = fresh.user.version
        # The newest line has carried the benefits, unless they changed after it.
        if has_changed and (not had_lines or self._sent < fresh.user.version):
            self._send_benefits(fresh)

    @property
    def _snapshot(self) -> _Snapshot:
        assert self._known is not None  # noqa: S101 - read before messages are applied
        return self._known

    async def _send_lines(self, lines: list[CreditTransaction] | None) -> bool:
        """Send ledger lines, by default those that were written since, and return whether there were any."""
        had_lines, has_more = False, True
        while has_more:
            if lines is None:
                lines = await self._ledger.since(self.row_id, self._seen)
            for line in lines:
                self._seen, had_lines = line.sequence, True
                # A line that was read late has an older balance and version, which would set the client back.
                if line.account_version > self._sent:
                    self._credits, self._sent = line.balance, line.account_version
                update = CreditsUpdate(self.row_id, self._credits, self._sent, line, self._snapshot.benefits)
                self.add(Item(line_position(line), update))
            has_more, lines = len(lines) == MAX_SIZE, None
        return had_lines

    def _send_benefits(self, fresh: _Snapshot) -> None:
        expiry = 0
        if fresh.user.version <= self._sent:
            self._expiries += 1
            expiry = self._expiries
        self._credits, self._sent = fresh.user.credits, max(fresh.user.version, self._sent)
        update = CreditsUpdate(self.row_id, self._credits, self._sent, None, fresh.benefits)
        self.add(Item((self._seen, self._sent, expiry), update))

    async def _read(self, known: _Snapshot | None = None) -> _Snapshot:
        """Read the account; return `known` while its version is current and none of its benefits is due."""
        user = await User.get_or_none(id=self.row_id)
        if user is None:
            raise NotFoundError
        if known is not None and user.version == known.user.version and not known.benefits.is_due(datetime.now(UTC)):
            return known
        return _Snapshot(user, await benefits_of(user, self._memberships))


def line_position(line: CreditTransaction) -> Position:
    """Return the position of a ledger line's item."""
    return (line.sequence, line.account_version, 0)
