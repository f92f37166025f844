"""The custom scalars DateTime and Upload, with their validation."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import strawberry
from graphql import GraphQLError
from starlette.datastructures import UploadFile
from strawberry.file_uploads import Upload

from models.database.moment import EPOCH, microseconds_of

_SECOND, _MINUTE = 1_000_000, 60_000_000  # microseconds
_DAY = 1440  # minutes


def serialize_datetime(value: datetime) -> str:
    """Return a date and time in UTC, as the API shows it."""
    if type(value) is datetime and value.tzinfo is UTC:  # of a column, as the driver returns it
        # A quarter of the time of isoformat, which asks the time zone. Compiled operations do it without this call.
        return orjson.dumps(value, None, orjson.OPT_UTC_Z)[1:-1].decode()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class MomentTexts(dict[bytes, str]):
    """Points in time as the API shows them, by the bytes of their column; those shown since there were `most` of them.

    A page that is read again has most of its rows from before. What is new takes no longer than by a datetime.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._days: dict[int, str] = {}
        self._minutes: list[str] = []  # of a day

    def __missing__(self, value: bytes) -> str:
        minute, microseconds = divmod(microseconds_of(value)[0], _MINUTE)
        day, minute = divmod(minute, _DAY)
        rest = "%08d" % microseconds  # noqa: UP031 - twice as fast as a format of more than one part
        end = f"{rest[:2]}.{rest[2:]}Z" if microseconds % _SECOND else f"{rest[:2]}Z"
        if day not in self._days or len(self) >= self._most:
            self._make_room(day)
        text = self[value] = f"{self._days[day]}{self._minutes[minute]}{end}"
        return text

    def _make_room(self, day: int) -> None:
        if len(self) >= self._most or len(self._days) >= self._most:
            self.clear()
            self._days.clear()
        self._days[day] = (EPOCH + timedelta(days=day)).date().isoformat()
        self._minutes = self._minutes or [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(_DAY)]


MOMENT_TEXTS = MomentTexts(50_000)  # about 9 MiB

# datetime.fromisoformat accepts much more of ISO 8601 than the API documents.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _parse_datetime(value: object) -> datetime:
    try:
        if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("A DateTime is an RFC 3339 string with a time zone, such as 2026-11-21T09:30:00Z.") from None


def _parse_upload(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise GraphQLError("An Upload is a file part of a multipart request.")
    return value


def _refuse(_: Any) -> Any:
    raise GraphQLError("An Upload can only be an input.")


SCALARS: dict[object, Any] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A date and time as RFC 3339: returned in UTC (2026-11-21T09:30:00Z), accepted with any offset.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_datetime,
        parse_value=_parse_datetime,
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description="A file, sent according to the GraphQL multipart request specification.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=_refuse,
        parse_value=_parse_upload,
    ),
}
