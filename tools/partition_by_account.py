"""Print the SQL that divides the large tables into hash partitions by account; docs/scaling.md says when.

    .venv/bin/python tools/partition_by_account.py --partitions 16 > partition.sql

It reads the definitions from the database that DATABASE_URL names, and changes nothing. Keys get the account as their
last column. A key that must be unique across accounts, and so across partitions, moves into a table of its own, which
triggers maintain. The SQL is one transaction, which locks the tables while their rows are copied.
"""

import argparse
import asyncio
from dataclasses import dataclass

import asyncpg

from settings import load_settings

# Each large table with its column of the account, in the order in which they refer to each other.
TABLES = {"files": "owner_id", "generations": "user_id", "credit_transactions": "user_id"}
# What albums and tags hold: rows without the account, which triggers remove with the picture, and the audit compares.
_WITHOUT_KEY = {"album_entries", "tag_entries"}
_GLOBAL = {"share_slug", "reference"}  # columns whose values are unique across accounts

_INDEXES = """
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisprimary AS is_primary,
    i.indisunique AS is_unique, pg_get_expr(i.indpred, i.indrelid) AS predicate,
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey) AS k JOIN pg_attribute AS a
        ON a.attrelid = i.indrelid AND a.attnum = k) AS columns
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = $1::regclass ORDER BY 1"""
_FOREIGN_KEYS = """
SELECT conname AS name, conrelid::regclass::text AS source, confrelid::regclass::text AS target,
    pg_get_constraintdef(oid) AS definition,
    (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]) AS column
FROM pg_constraint WHERE contype = 'f' AND (conrelid = ANY($1::regclass[]) OR confrelid = ANY($1::regclass[]))
    AND conparentid = 0
ORDER BY 1"""
_TRIGGERS = """
SELECT pg_get_triggerdef(oid) AS definition FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal
ORDER BY tgname"""

_KEYS = """
CREATE TABLE {table}_{column}_keys (value text PRIMARY KEY);
INSERT INTO {table}_{column}_keys SELECT {column} FROM {table} WHERE {column} IS NOT NULL;
CREATE FUNCTION {table}_{column}_keys_maintain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.{column} IS NOT NULL THEN
        DELETE FROM {table}_{column}_keys WHERE value = OLD.{column};
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.{column} IS NOT NULL THEN
        INSERT INTO {table}_{column}_keys VALUES (NEW.{column});
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tr_{table}_{column}_keys AFTER INSERT OR DELETE OR UPDATE OF {column} ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_{column}_keys_maintain();"""


@dataclass(frozen=True)
class Index:
    """One index of a large table."""

    name: str
    definition: str
    is_primary: bool
    is_unique: bool
    predicate: str | None
    columns: list[str]

    def partitioned(self, table: str, account: str) -> str:
        """Return the statement that creates the index on the partitioned table."""
        # The account comes last: a statement that knows only the id still finds the row by each partition's key.
        columns = ", ".join(self.columns if account in self.columns else [*self.columns, account])
        if self.is_primary:
            return f"ALTER TABLE {table} ADD CONSTRAINT {self.name} PRIMARY KEY ({columns});"
        if not self.is_unique:
            return f"{self.definition};"
        where = f" WHERE {self.predicate}" if self.predicate else ""
        return f"CREATE UNIQUE INDEX {self.name} ON {table} ({columns}){where};"


def _copy(table: str, account: str, partitions: int) -> list[str]:
    parts = [
        f"CREATE TABLE {table}_{number} PARTITION OF {table}"
        f" FOR VALUES WITH (MODULUS {partitions}, REMAINDER {number});"
        for number in range(partitions)
    ]
    like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS"
    return [
        f"ALTER TABLE {table} RENAME TO {table}_unpartitioned;",
        f"CREATE TABLE {table} (LIKE {table}_unpartitioned {like}) PARTITION BY HASH ({account});",
        *parts,
        f"INSERT INTO {table} SELECT * FROM {table}_unpartitioned;",  # noqa: S608 - our names
        f"DROP TABLE {table}_unpartitioned;",
    ]


def _foreign_key(row: asyncpg.Record) -> str:
    source, target, definition = row["source"], row["target"], str(row["definition"])
    if target in TABLES:
        action = definition.partition(")")[2].partition(")")[2]
        account = TABLES[source]
        definition = f"FOREIGN KEY ({account}, {row['column']}) REFERENCES {target}({TABLES[target]}, id){action}"
    return f"ALTER TABLE {source} ADD CONSTRAINT {row['name']} {definition};"


async def partition_sql(connection: "asyncpg.Connection[asyncpg.Record]", partitions: int) -> str:
    """Return the SQL for the database of this connection.

    Raises:
        ValueError: another table refers to a large table by its id alone.
    """
    keys = await connection.fetch(_FOREIGN_KEYS, list(TABLES))
    known = TABLES.keys() | _WITHOUT_KEY
    outside = [f"{row['source']}.{row['column']}" for row in keys if row["source"] not in known]
    if outside:
        raise ValueError(f"these columns refer to a large table without the account: {', '.join(outside)}")
    lines = ["BEGIN;", *(f"ALTER TABLE {row['source']} DROP CONSTRAINT {row['name']};" for row in keys)]
    after: list[str] = []
    for table, account in TABLES.items():
        indexes = [Index(**row) for row in await connection.fetch(_INDEXES, table)]
        lines += _copy(table, account, partitions)
        after += [index.partitioned(table, account) for index in indexes]
        single = sorted({column for index in indexes if index.is_unique for column in index.columns} & _GLOBAL)
        after += [_KEYS.format(table=table, column=column) for column in single]
        after += [f"{row['definition']};" for row in await connection.fetch(_TRIGGERS, table)]
    lines += after + [_foreign_key(row) for row in keys if row["source"] in TABLES]
    return "\n".join([*lines, "COMMIT;", ""])


async def _print(url: str, partitions: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        print(await partition_sql(connection, partitions))
    finally:
        await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partitions", type=int, default=16)
    asyncio.run(_print(load_settings().database, parser.parse_args().partitions))


if __name__ == "__main__":
    main()
