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

    SNAPSHOT = "SNAPSHOT"  # sent by streams only, never by a transaction: read the list again
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
    """An account as one commit left it, with the ledger lines that it wrote and the generations that it changed."""

    user_id: str
    credits: int
    version: int
    sequence: int  # of the newest ledger line
    lines: tuple[CreditTransaction, ...] = ()
    generations: tuple[GenerationChange, ...] = ()
    entitlements: bool = False  # whether an allowance, a pass or a membership changed
    has_new_gallery: bool = False  # whether so many generations changed that its lists are to be read again

    def with_generations(self, kind: ChangeKind, generation_ids: Iterable[str], *, favorite: bool = False) -> Self:
        """Return the same change with these generations added to it.

        Every transaction that creates or deletes generations, or changes their status, favorite or share, ends with
        `return account.with_generations(ChangeKind.UPDATED, [generation_id])`, on the last `AccountChange` that
        `bump_version` or `post` returned; `EventPublisher.account_changed` publishes the result after the commit. A
        version published without its generations looks like a change of credits only: subscribed galleries would miss
        it.

        `favorite`: the list of favorites changed, too (a mark set or cleared, or a favorite deleted).
        """
        changes = tuple(GenerationChange(kind, generation_id, favorite) for generation_id in generation_ids)
        return replace(self, generations=self.generations + changes)

    def with_new_gallery(self) -> Self:
        """Return the same change, marked as one of so many generations that subscribers read them again."""
        return replace(self, has_new_gallery=True)

    def with_entitlements(self) -> Self:
        """Return the same change, marked as one of an allowance, a pass or a membership."""
        return replace(self, entitlements=True)


async def bump_version(
    user_id: str, *, include_deleted: bool = False, field: tuple[str, ...] | None = None
) -> AccountChange:
    """Increment the account's version inside a transaction, which locks the account's row before any other.

    Every transaction that changes something an account shows begins here or in `post`: the order of locks is the same
    everywhere, and versions have no gaps. Changed generations are added with `AccountChange.with_generations`.

    `include_deleted`: accept a deleted account, to finish or remove what it left. By default a request that began
    before its account was deleted finds none, and so leaves nothing behind. `field`: the path within the input that
    names the account, where it is not the caller's.

    Raises:
        NotFoundError: the account does not exist or is deleted.
    """
    found = await rows(
        "UPDATE users SET version = version + 1, updated_at = NOW() WHERE id = $1 AND ($2 OR deleted_at IS NULL)"
        " RETURNING credits, version, ledger_sequence",
        user_id,
        include_deleted,
    )
    if not found:
        raise NotFoundError(field)
    return AccountChange(user_id, int(found[0]["credits"]), int(found[0]["version"]), int(found[0]["ledger_sequence"]))


async def lock_account(user_id: str, *, include_deleted: bool = False, field: tuple[str, ...] | None = None) -> None:
    """Lock the account's row inside a transaction that changes nothing an account shows: it serializes duplicates.

    `include_deleted`, `field`: as in `bump_version`.

    Raises:
        NotFoundError: the account does not exist or is deleted.
    """
    locked = "UPDATE users SET version = version WHERE id = $1 AND ($2 OR deleted_at IS NULL) RETURNING id"
    if not await rows(locked, user_id, include_deleted):
        raise NotFoundError(field)
