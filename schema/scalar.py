"""Scalars that check what comes in: moments are UTC, uploads are files."""

from datetime import UTC, datetime
from typing import Any

import strawberry
from graphql import GraphQLError
from starlette.datastructures import UploadFile
from strawberry.file_uploads import Upload


def _serialize_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("A DateTime is an RFC 3339 text with a time zone, such as 2026-11-21T09:30:00Z.") from None


def _parse_upload(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise GraphQLError("An Upload is a file part of a multipart request.")
    return value


def _refuse(_: Any) -> Any:
    raise GraphQLError("An Upload only comes in.")


SCALARS: dict[object, Any] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment as RFC 3339, in UTC: 2026-11-21T09:30:00Z.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_serialize_moment,
        parse_value=_parse_moment,
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description="A file, sent as the GraphQL multipart request specification says.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=_refuse,
        parse_value=_parse_upload,
    ),
}
