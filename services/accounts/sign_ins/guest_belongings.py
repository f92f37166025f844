"""What a guest has, moved to the account that it is merged into, in the transaction that deletes the guest."""

from models import CreditTransaction, Membership, Pass, Style, User
from models.database.connection import database_time, rows
from models.enum import MembershipStatus, TransactionType
from services.billing import ledger
from services.billing.grants import expiry
from services.billing.ledger import MAX_LINE, LedgerLine
from services.catalogue.custom_style import MAX_PER_ACCOUNT
from services.core.error import ConflictError
from services.core.message import message
from services.events.account_change import AccountChange
from services.gallery import album, tag
from services.media.quota import StorageQuota

# Albums and tags: those with a name that the account has as well are joined, the others follow its own.
_JOIN = (
    "INSERT INTO {list}_entries ({list}_id, generation_id, is_favorite)"
    " SELECT own.id, e.generation_id, e.is_favorite FROM {list}_entries e JOIN {list}s l ON l.id = e.{list}_id"
    " JOIN {list}s own ON own.name_key = l.name_key WHERE l.user_id = $1 AND own.user_id = $2",
    "DELETE FROM {list}s WHERE user_id = $1 AND name_key IN (SELECT name_key FROM {list}s WHERE user_id = $2)",
)
_LIST_MOVES = (
    "UPDATE albums SET updated_at = NOW() WHERE user_id = $2 AND name_key IN"
    " (SELECT name_key FROM albums WHERE user_id = $1 AND size > 0)",
    *(statement.format(list="album") for statement in _JOIN),
    "UPDATE albums SET user_id = $2, updated_at = NOW(), position = position"
    " + (SELECT COALESCE(MAX(position) + 1, 0) FROM albums WHERE user_id = CAST($2 AS VARCHAR)) WHERE user_id = $1",
    "DELETE FROM tags WHERE user_id IN ($1, $2) AND size = 0",
    *(statement.format(list="tag") for statement in _JOIN),
    "UPDATE tags SET user_id = $2 WHERE user_id = $1",
)
_EXISTING = {"albums": "", "tags": " AND size > 0"}  # which rows count: a tag exists while a generation has it
# Deleted generations stay: nothing of them is left but what statistics count. Whose bytes a file or a picture has stays
# in its folder, which is part of the key, so that nothing is copied and signed links go on working.
_MOVES = (
    *_LIST_MOVES,
    "UPDATE generations SET user_id = $2, version = version + 1, updated_at = NOW()"
    " WHERE user_id = $1 AND deleted_at IS NULL",
    "UPDATE files SET folder_id = COALESCE(folder_id, owner_id), owner_id = $2, updated_at = NOW()"
    " WHERE owner_id = $1 AND state = 'LIVE'",
    "UPDATE style_pictures SET folder_id = COALESCE(folder_id, owner_id), owner_id = $2, updated_at = NOW()"
    " WHERE owner_id = $1 AND state = 'LIVE'",
    "UPDATE styles SET picture_folder_id = CASE WHEN picture_id IS NULL THEN NULL"
    " ELSE COALESCE(picture_folder_id, owner_id) END, owner_id = $2, updated_at = NOW()"
    " WHERE owner_id = $1 AND is_active",
    "UPDATE purchases SET user_id = $2, updated_at = NOW() WHERE user_id = $1",
)


async def check(guest: User, user: User, quota: StorageQuota) -> None:
    """Check that everything can be moved, with both accounts locked.

    Raises:
        ConflictError: something of the guest is still being made, or cannot be moved.
        StorageFullError: the account would keep more than it may.
    """
    if await _exists("generations WHERE user_id = $1 AND status IN ('PENDING', 'PROCESSING')", guest.id):
        raise ConflictError(
            message("Some of the guest's pictures are still being made. Try again when they are ready.")
        )
    if await _has_pass(guest.id) or await _has_plan(guest.id):
        raise ConflictError(message("The guest has a pass or a plan, which cannot be moved. Sign up with it instead."))
    if guest.credits < 0:
        raise _credits_stay()
    styles = Style.filter(owner_id__in=[guest.id, user.id], is_active=True)
    if await Style.exists(owner_id=guest.id, is_active=True) and await styles.count() > MAX_PER_ACCOUNT:
        text = message("Together you would have more than {limit} custom styles. Delete some.", limit=MAX_PER_ACCOUNT)
        raise ConflictError(text)
    await _check_lists(guest.id, user.id)
    usage = (await quota.by_users([guest.id])).get(guest.id)
    if usage is not None and usage.generations:
        await quota.check_generations(user.id, usage.generations)
        await quota.check_bytes(user.id, usage.used_bytes)


async def _has_pass(user_id: str) -> bool:
    """Whether a pass runs or follows; those that have expired stay with the guest."""
    return await Pass.exists(user_id=user_id, revoked_at__isnull=True, expires_at__gt=await database_time())


async def _has_plan(user_id: str) -> bool:
    """Whether a plan has not ended; those that have stay with the guest."""
    return await Membership.filter(user_id=user_id).exclude(status=MembershipStatus.ENDED).exists()


async def _check_lists(guest_id: str, user_id: str) -> None:
    """Check the limits of albums, of the pictures of one, and of tags; those with one name become one."""
    if await _are_too_many("albums", album.MAX_PER_ACCOUNT, guest_id, user_id):
        text = message("Together you would have more than {limit} albums. Delete some.", limit=album.MAX_PER_ACCOUNT)
        raise ConflictError(text)
    if await _are_too_many("tags", tag.MAX_PER_ACCOUNT, guest_id, user_id):
        text = message("Together you would have more than {limit} tags. Remove some.", limit=tag.MAX_PER_ACCOUNT)
        raise ConflictError(text)
    full = await rows(
        "SELECT own.name FROM albums own JOIN albums guests ON guests.name_key = own.name_key"
        " WHERE own.user_id = $1 AND guests.user_id = $2 AND guests.size > 0 AND own.size + guests.size > $3 LIMIT 1",
        user_id,
        guest_id,
        album.MAX_ENTRIES,
    )
    if full:
        text = message(
            "Both of you have an album named “{name}”, which together would have more than {limit} pictures. Rename"
            " one.",
            name=full[0]["name"],
            limit=album.MAX_ENTRIES,
        )
        raise ConflictError(text)


async def _are_too_many(table: str, limit: int, guest_id: str, user_id: str) -> bool:
    """Whether the guest's lists would make the account's more than it may have."""
    (count,) = await rows(
        "SELECT COUNT(DISTINCT name_key) AS together,"  # noqa: S608 - constants
        " COUNT(DISTINCT CASE WHEN user_id = $2 THEN name_key END) AS own"
        f" FROM {table} WHERE user_id IN ($1, $2){_EXISTING[table]}",
        guest_id,
        user_id,
    )
    return int(count["together"]) > max(limit, int(count["own"]))


async def _exists(condition: str, user_id: str) -> bool:
    return bool(await rows(f"SELECT 1 AS found FROM {condition} LIMIT 1", user_id))  # noqa: S608 - constants


async def move(guest: AccountChange, user: AccountChange) -> tuple[AccountChange, AccountChange]:
    """Move everything of a checked guest to the account, both locked; return both with their ledger lines.

    Raises:
        ConflictError: the credits are more than one line of the ledger can move.
    """
    for statement in _MOVES:
        await rows(f"{statement} RETURNING id", guest.user_id, user.user_id)
    await album.number(user.user_id)
    credits = await movable_credits(guest)
    if credits > MAX_LINE:
        raise _credits_stay()
    if credits:
        reference = f"merge:{guest.user_id}"
        await expiry.move(guest.user_id, user.user_id, credits, guest.credits - credits)
        given = LedgerLine(TransactionType.TRANSFER, -credits, f"{reference}:from", metadata={"to": user.user_id})
        taken = LedgerLine(TransactionType.TRANSFER, credits, f"{reference}:to", metadata={"from": guest.user_id})
        guest = await ledger.post(guest.user_id, [given], version_bumped=True)
        user = await ledger.post(user.user_id, [taken], version_bumped=True)
    return guest, user


async def movable_credits(guest: AccountChange) -> int:
    """Return what a guest has left beside bonuses, which it spends first: else guests would be made for them."""
    amounts: dict[TransactionType, int] = dict.fromkeys(TransactionType, 0)
    for type, amount in await CreditTransaction.filter(user_id=guest.user_id).values_list("type", "amount"):
        amounts[type] += amount
    spent = -amounts[TransactionType.DEDUCTION] - amounts[TransactionType.REFUND] - amounts[TransactionType.EXPIRY]
    unspent_bonus = max(amounts[TransactionType.BONUS] - spent, 0)
    return max(guest.credits - unspent_bonus, 0)


def _credits_stay() -> ConflictError:
    """Return the refusal of a debt that would vanish with the guest, and of more than a ledger line can move."""
    return ConflictError(message("The guest's credits cannot be moved. Please write to support."))
