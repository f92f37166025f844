"""Deleted generations: a row keeps its figures and its place in the books, and loses words, pictures and share."""

from collections.abc import Sequence

from models import Generation
from models.database import rows
from services.cancellation import call_off
from services.credit import Account
from services.gallery_news import ChangeKind

_WORDLESS = (
    "prompt = NULL, full_prompt = '', variables = '{}', style_title = '{}', search_text = '', earlier_prompts = '[]'"
)
_UNSEEN = "original_id = NULL, result_id = NULL, preview = NULL, share_slug = NULL, shared_at = NULL"


async def bury(account: Account, generation_ids: Sequence[str]) -> tuple[list[str], list[str], Account]:
    """Delete those of the account's generations that are there, inside the transaction that has taken its row.

    What has not ended is called off first, and refunded as a cancel would. Pictures that no other generation shows
    are the sweeper's from now on; the account's row orders this against whoever is about to show one again.
    Answers with the deleted ids, those of them that were called off, and the account after.
    """
    present = await Generation.filter(user_id=account.user_id, id__in=list(generation_ids), deleted_at__isnull=True)
    if not present:
        return [], [], account
    found = [row.id for row in present]
    canceled, account = await call_off(account, found)
    await rows(
        "UPDATE generations SET deleted_at = NOW(), updated_at = NOW(), version = version + 1,"  # noqa: S608 - constants and placeholders
        f" is_favorite = (1 = 0), {_WORDLESS}, {_UNSEEN} WHERE id IN ({_marks(found)}) RETURNING id",
        *found,
    )
    pictures = {id for row in present for id in (row.original_id, row.result_id) if id is not None}
    if pictures:
        await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW()"  # noqa: S608 - placeholders
            f" WHERE id IN ({_marks(pictures)}) AND state = 'LIVE' AND NOT EXISTS"
            " (SELECT 1 FROM generations WHERE original_id = files.id)"
            " AND NOT EXISTS (SELECT 1 FROM generations WHERE result_id = files.id) RETURNING id",
            *pictures,
        )
    favorites = [row.id for row in present if row.is_favorite]
    account = account.about(ChangeKind.DELETED, favorites, favorite=True)
    return found, canceled, account.about(ChangeKind.DELETED, [id for id in found if id not in favorites])


def _marks(values: Sequence[str] | set[str]) -> str:
    return ", ".join(f"${number}" for number in range(1, len(values) + 1))
