"""Points in time as PostgreSQL sends them: the microseconds since 2000 in 8 bytes.

asyncpg makes a datetime of each, which takes ten times as long as to read a text. A list has many that are only shown.
"""

import re
from datetime import UTC, datetime, timedelta
from struct import Struct

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
microseconds_of = Struct(">q").unpack  # as a tuple of one
_PACKED = re.compile(r"timestamptz_send\(([^()]+)\)")


def packed(column: str) -> str:
    """Return the expression that reads a column of points in time as bytes; on SQLite, as it is."""
    return f"timestamptz_send({column})"


def unpacked(sql: str) -> str:
    """Return a statement in which such columns are read as they are."""
    return _PACKED.sub(r"\1", sql)


def moment_of(value: bytes) -> datetime:
    """Return the datetime of such bytes, as asyncpg would return it."""
    return EPOCH + timedelta(microseconds=microseconds_of(value)[0])
