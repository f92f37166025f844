"""The gallery page's two statements and its cursor, as the floors without Darkroom's code run them."""

import base64

SESSION = """
SELECT u.id, u.credits FROM sessions AS s JOIN users AS u ON u.id = s.user_id
WHERE s.token_hash = {hash} AND s.expires_at > now() AND u.deleted_at IS NULL AND u.suspended_at IS NULL"""

PAGE = """
SELECT id, status, stage, progress, prompt, size, quality, cost, is_favorite, created_at
FROM generations WHERE user_id = {user} AND deleted_at IS NULL ORDER BY id DESC LIMIT 21"""

FIRST = 20


def cursor(id: str) -> str:
    """Return the cursor of a generation in the list that is sorted by newest first, as Darkroom encodes it."""
    return base64.urlsafe_b64encode(f"NEWEST {id}".encode()).decode()
