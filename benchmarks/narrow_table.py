"""Experiment: what changes while a generation runs in its wide row, as it is, or in a narrow table of its own.

Both are written by statements of eight rows, in turns: WAL and PostgreSQL's CPU per generation, its insertion included.
Decision 0025 says what followed.
"""

import argparse
import asyncio
from itertools import cycle, islice

import asyncpg

from benchmarks.index_costs import WAL, new_generation, without_full_pages
from benchmarks.life import fill
from benchmarks.measure import Backends, backends, cpu_seconds
from models import Generation
from models.database.connection import open_database
from models.database.model_row import column_values, insert_select

TOGETHER = 8  # rows of one statement
_TABLE = """
CREATE TABLE generation_work (
    id varchar(40) PRIMARY KEY, user_id varchar(40) NOT NULL, priority int NOT NULL DEFAULT 0,
    status varchar(16) NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'PROCESSING')),
    stage varchar(16) NOT NULL DEFAULT 'QUEUED', progress float NOT NULL DEFAULT 0, preview text,
    version bigint NOT NULL DEFAULT 1, fence bigint NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0,
    worker varchar(64), lease_until timestamptz, provider_called_at timestamptz, provider_calls int NOT NULL DEFAULT 0,
    started_at timestamptz, updated_at timestamptz) WITH (fillfactor = 50);
CREATE INDEX work_queue ON generation_work (user_id, priority DESC, id) WHERE status = 'PENDING';
CREATE INDEX work_waiting ON generation_work (priority DESC, id) WHERE status = 'PENDING';
CREATE INDEX work_running ON generation_work (user_id) WHERE status = 'PROCESSING'"""
_ADD = "INSERT INTO generation_work (id, user_id) SELECT id, user_id FROM generations WHERE id = ANY($1)"
_STEPS = (
    "UPDATE {table} SET status = 'PROCESSING', stage = 'VALIDATING', progress = 0.05, fence = fence + 1,"
    " attempts = attempts + 1, version = version + 1, worker = 'w', lease_until = now() + interval '1 minute',"
    " started_at = now(), updated_at = now(){provider} WHERE id = ANY($1)",
    "UPDATE {table} SET stage = 'GENERATING', progress = 0.1, provider_calls = provider_calls + 1,"
    " provider_called_at = now(), version = version + 1, updated_at = now() WHERE id = ANY($1)",
    "UPDATE {table} SET stage = 'STORING', progress = 0.95, version = version + 1, updated_at = now()"
    " WHERE id = ANY($1)",
)
_END = (
    "status = 'CANCELED', stage = 'CANCELED', progress = 1, lease_until = NULL, completed_at = now(),"
    " updated_at = now()"
)
_END_WIDE = f"UPDATE generations SET {_END}, version = version + 1 WHERE id = ANY($1)"  # noqa: S608 - constants
_END_NARROW = f"""
WITH work AS (DELETE FROM generation_work WHERE id = ANY($1) RETURNING *)
UPDATE generations SET {_END}, fence = work.fence, attempts = work.attempts, version = work.version + 1,
    worker = work.worker, provider = 'demo', provider_calls = work.provider_calls,
    provider_called_at = work.provider_called_at, started_at = work.started_at
FROM work WHERE generations.id = work.id"""  # noqa: S608 - constants


def statements(*, narrow: bool) -> list[str]:
    """Return the statements of a generation's life after its insertion, for several ids each."""
    if not narrow:
        return [*(step.format(table="generations", provider=", provider = 'demo'") for step in _STEPS), _END_WIDE]
    return [_ADD, *(step.format(table="generation_work", provider="") for step in _STEPS), _END_NARROW]


async def compare(found: Backends, count: int, rounds: int) -> None:
    """Print the cost of both layouts, in turns."""
    users = await fill(found)
    connection = await asyncpg.connect(found.database_url)
    await without_full_pages(connection)
    await connection.execute(_TABLE)
    async with open_database(found.database_url):
        insert = f"INSERT INTO generations {insert_select(Generation, 1)}"
    for number in range(2 * rounds):
        narrow = bool(number % 2)
        before, used = await connection.fetchval(WAL), cpu_seconds(found.database_pid)
        made = [new_generation(user_id) for user_id in islice(cycle(users), count)]
        for row in made:
            await connection.execute(insert, *column_values(row))
        for sql in statements(narrow=narrow):
            for first in range(0, count, TOGETHER):
                await connection.execute(sql, [row.id for row in made[first : first + TOGETHER]])
        wal = (await connection.fetchval(WAL) - before) / count
        cpu = (cpu_seconds(found.database_pid) - used) * 1000 / count
        print(f"{'narrow' if narrow else 'wide'}: {wal:.0f} bytes of WAL, {cpu:.2f} ms of CPU", flush=True)
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=1000, help="of each round")
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    with backends() as found:
        asyncio.run(compare(found, options.generations, options.rounds))


if __name__ == "__main__":
    main()
