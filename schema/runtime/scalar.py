"""The custom scalars DateTime and Upload, with their validation."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import strawberry
from graphql import GraphQLError
from starlette.datastructures import UploadFile
from strawberry.file_uploads import Upload


def serialize_datetime(value: datetime) -> str:
    """Return a date and time in UTC, as the API shows it."""
    if type(value) is datetime and value.tzinfo is UTC:  # of a column, as the driver returns it
        # A quarter of the time of isoformat, which asks the time zone. Compiled operations do it without this call.
        return orjson.dumps(value, None, orjson.OPT_UTC_Z)[1:-1].decode()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
