"""What one commit changed in an account: its row's lock and version, its ledger lines and its generations."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from models import CreditTransaction
from models.database.connection import rows
from services.core.error import NotFoundError


class ChangeKind(StrEnum):
    """What happened to a generation, as a list of generations sees it."""

    SNAPSHOT = "SNAPSHOT"  # said by streams alone, never by a transaction: read the list again
    CREATED = "CREATED"
    UPDATED = "UPDATED"  # its status, favorite or share
    DELETED = "DELETED"


@dataclass(frozen=True)
class GenerationChange:
    """One generation that one transaction changed."""

    kind: ChangeKind
    generation_id: str
    favorite: bool = False  # the list of favorites changed, too: the mark was set or cleared, or a favorite was deleted


@dataclass(frozen=True)
class AccountChange:
    """An account as one commit left it, with the lines that it wrote and the generations that it changed."""

    user_id: str
    credits: int
    version: int
    sequence: int  # of the newest ledger line
    lines: tuple[CreditTransaction, ...] = ()
    generations: tuple[GenerationChange, ...] = ()
    entitlements: bool = False  # whether an allowance, a pass or a membership is not what it was

    def about(self, kind: ChangeKind, generation_ids: Iterable[str], *, favorite: bool = False) -> Self:
        """The same account, also telling what this transaction did to these generations.

        Every transaction that makes or deletes generations, or changes their status, favorite or share, ends with
        `return account.about(ChangeKind.UPDATED, [generation_id])`, on the last account that `touch` or `post` gave it;
        what it returns is what `Events.account_changed` tells after the commit. A version that is told without its
        generations looks like one of credits alone: the galleries that watch would stay behind.

        `favorite`: the list of favorites changed, too (a mark set or cleared, or a favorite deleted).
        """
        news = tuple(GenerationChange(kind, generation_id, favorite) for generation_id in generation_ids)
        return replace(self, generations=self.generations + news)

    def with_entitlements(self) -> Self:
        """The same account, also telling that an allowance was used or given back, or a pass or membership changed."""
        return replace(self, entitlements=True)


async def bump_version(user_id: str, *, departed: bool = False, field: tuple[str, ...] | None = None) -> AccountChange:
    """Move the account's version inside a transaction, and so take the account's row before any other.

    Every transaction that changes something an account shows begins here or in `post`: the same order of locks
    everywhere, and a version without gaps. Where it is about generations, it says so by `Account.about`.

    `departed`: an account that is gone is good enough: for whoever finishes or removes what it has left. A request
    that began before its account was deleted must find none, and leave nothing behind. `field`: the path within the
    input that names the account, where it is somebody else's.

    Raises:
        NotFoundError: there is no such account, or it is gone.
    """
    found = await rows(
        "UPDATE users SET version = version + 1, updated_at = NOW() WHERE id = $1 AND ($2 OR deleted_at IS NULL)"
        " RETURNING credits, version, ledger_sequence",
        user_id,
        departed,
    )
    if not found:
        raise NotFoundError(field)
    return AccountChange(user_id, int(found[0]["credits"]), int(found[0]["version"]), int(found[0]["ledger_sequence"]))


async def lock_account(user_id: str, *, departed: bool = False, field: tuple[str, ...] | None = None) -> None:
    """Take the account's row inside a transaction that changes nothing that an account shows: twins wait here.

    `departed`, `field`: as of `touch`.

    Raises:
        NotFoundError: there is no such account, or it is gone.
    """
    taken = "UPDATE users SET version = version WHERE id = $1 AND ($2 OR deleted_at IS NULL) RETURNING id"
    if not await rows(taken, user_id, departed):
        raise NotFoundError(field)
