"""Rows for the benchmarks: accounts with sessions and finished generations, inserted by PostgreSQL itself."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import tests.support.factories as example
from models import ids
from models.database.connection import rows
from services.accounts.secret_token import hash_token, new_token
from tests.support.factories import insert

STEP = 30  # seconds between two generations of an account
END = datetime(2026, 1, 1, tzinfo=UTC)  # of the newest generation

# The first ten characters of an id are a timestamp in milliseconds; the rest is random in real ids.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION bench_id(prefix text, milliseconds bigint, seed text) RETURNS text LANGUAGE sql IMMUTABLE
AS $$
    SELECT prefix || '_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz',
        (milliseconds >> (5 * i) & 31)::int + 1, 1), '' ORDER BY i DESC) || substr(md5(seed), 1, 16)
    FROM generate_series(0, 9) AS i
$$"""

_TIMED = """
WITH timed AS (
    SELECT owner, n, owner || n AS seed, CASE WHEN n % 20 = 7 THEN 'FAILED' ELSE 'COMPLETED' END AS status,
        floor(extract(epoch FROM $3::timestamptz) * 1000)::bigint - ($2::bigint - n) * $4::bigint * 1000 AS at
    FROM unnest($1::text[]) AS owner, generate_series(1, $2::bigint) AS n
)"""

# Each account's results, one for each of its completed generations.
_FILES = """{timed}
INSERT INTO files (id, owner_id, kind, state, content_type, byte_size, width, height, sha256, thumbnail_widths,
    placeholder, created_at, updated_at)
SELECT bench_id('fil', at, seed), owner, 'RESULT', 'LIVE', 'image/png', 400000, 1024, 1024,
    md5(seed) || md5(seed || '-'), '[320, 640]', 'data:image/webp;base64,' || repeat('A', 80), $3, $3
FROM timed WHERE status = 'COMPLETED'"""

# Each prompt has some of 4,000 random words. The other words match a fixed share of the account's rows.
_GENERATIONS = """{timed}, drawn AS MATERIALIZED (
    SELECT *, bench_id('gen', at, seed) AS id,
        concat_ws(' ', 'a portrait of a lighthouse keeper who reads a letter in the rain',
            substr(md5((n * 7 % 4000)::text), 1, 7), substr(md5((n * 11 % 4000 + 1)::text), 1, 5),
            substr(md5((n * 13 % 4000 + 2)::text), 1, 9),
            CASE WHEN n % 100 = 50 THEN 'lantern' END, CASE WHEN n = 40 THEN 'zeppelin 独角 猫' END,
            CASE WHEN n > 40 AND n <= $2 / 10 THEN 'winter' END) AS words
    FROM timed
)
INSERT INTO generations (id, user_id, batch_id, media, status, stage, progress, version, style_id, collection_slug,
    style_slug, style_title, prompt, full_prompt, variables, size, quality, result_id, priority, cost, paid_by,
    refund_policy, refunded, attempts, fence, provider_calls, error_code, is_favorite, search_text, created_at,
    updated_at, completed_at)
SELECT id, owner, 'bat_' || substr(md5(owner || n / 4), 1, 26), 'IMAGE', status, status, 1, 4, $5,
    CASE WHEN n % 10 = 0 THEN 'avenger' ELSE 'plushify' END, 'cute', '{{"en": "Cute", "zh-CN": "可爱"}}', words, '-',
    '{{}}', 'MEDIUM', 'STANDARD', CASE WHEN status = 'COMPLETED' THEN coalesce($6, bench_id('fil', at, seed)) END, 0, 1,
    'CREDITS', 'ON_FAILURE', FALSE, 1, 1, 1, CASE WHEN status = 'FAILED' THEN 'GENERATION_FAILED' END, n % 100 = 3,
    concat_ws(E'\\n', words, 'cute', '可爱', id),
    to_timestamp(at / 1000.0), to_timestamp(at / 1000.0), to_timestamp(at / 1000.0)
FROM drawn"""

_USERS = """
INSERT INTO users (id, email, password_hash, role, is_member, email_verified, credits, overdraft_allowed, version,
    ledger_sequence, created_at, updated_at)
SELECT id, id || '@example.com', '-', 'USER', FALSE, FALSE, 0, FALSE, 0, 0, now(), now()
FROM unnest($1::text[]) AS id"""

_SESSIONS = """
INSERT INTO sessions (id, user_id, token_hash, expires_at, created_at)
SELECT 'ses_' || substr(user_id, 5), user_id, hash, now() + interval '30 days', now()
FROM unnest($1::text[], $2::text[]) AS made (user_id, hash)"""


async def add_accounts(count: int) -> dict[str, str]:
    """Insert accounts with a session each, and return the tokens by account."""
    tokens = {ids.new_id(ids.USER): new_token() for _ in range(count)}
    await rows(_USERS, list(tokens))
    await rows(_SESSIONS, list(tokens), [hash_token(token) for token in tokens.values()])
    return tokens


async def add_generations(owners: Sequence[str], each: int, *, own_results: bool = False) -> None:
    """Insert `each` finished generations for each account, with one style.

    `own_results`: every completed generation has a result file of its own, instead of one per call.
    """
    await rows(_FUNCTIONS)
    series = (await insert("collections", example.collection(title='{"en": "Plushify"}')))["id"]
    style = (await insert("styles", example.style(series, title='{"en": "Cute", "zh-CN": "可爱"}')))["id"]
    shared = None if own_results else (await insert("files", example.file(owners[0], kind="RESULT")))["id"]
    if own_results:
        await rows(_FILES.format(timed=_TIMED), list(owners), each, END, STEP)
    await rows(_GENERATIONS.format(timed=_TIMED), list(owners), each, END, STEP, style, shared)


_WAITING = """
INSERT INTO generations (id, {columns})
SELECT made.id, {values} FROM generations AS model, unnest($2::text[], $3::text[]) AS made (id, user_id)
WHERE model.id = $1"""


async def add_waiting_generations(owners: Sequence[str]) -> list[str]:
    """Insert one PENDING generation for each account, and return their ids in the same order."""
    row = example.generation(owners[0])
    await insert("generations", row)
    columns = [name for name in row if name != "id"]
    values = ["made.user_id" if name == "user_id" else f"model.{name}" for name in columns]
    others = [ids.new_id(ids.GENERATION) for _ in owners[1:]]
    sql = _WAITING.format(columns=", ".join(columns), values=", ".join(values))
    await rows(sql, row["id"], others, list(owners[1:]))
    return [str(row["id"]), *others]


async def without_word_index() -> str:
    """Drop the search index and return the statement that creates it again, which is faster after many inserts."""
    (index,) = await rows("SELECT pg_get_indexdef('ix_generations_words'::regclass) AS definition")
    await rows("DROP INDEX ix_generations_words")
    return str(index["definition"])


async def add_gallery(accounts: int, each: int) -> dict[str, str]:
    """Insert accounts with sessions and `each` generations with results of their own; return tokens by account."""
    started = time.perf_counter()
    index = await without_word_index()
    tokens = await add_accounts(accounts)
    await add_generations(list(tokens), each, own_results=True)
    await rows(index)
    await rows("VACUUM ANALYZE")
    print(f"{accounts:,} accounts with {each:,} generations each, in {time.perf_counter() - started:.0f} s", flush=True)
    return tokens


def halfway(count: int) -> datetime:
    """Return the time of the generation in the middle of `count`."""
    return END - timedelta(seconds=count * STEP / 2)
