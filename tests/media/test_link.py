"""Signed links of pictures in responses: signed at once, or once the storage has its credentials."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import strawberry
from graphql import parse

from models.generation_row import GENERATIONS
from schema.generations import Generation
from schema.runtime.compilation.plan import compile_query
from schema.runtime.scalar import SCALARS
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import Link, StorageError
from services.integrations.storage.s3 import S3Storage
from services.media.file import FileService, UploadLimits

FIELDS = "url thumbnailUrl wide: thumbnailUrl(width: 1000) posterUrl downloadUrl expiresAt width contentType"
COLUMNS = {
    "id": "fil_1", "owner_id": "usr_1", "kind": "RESULT", "content_type": "video/mp4", "byte_size": 9, "width": 1024,
    "height": 1024, "thumbnail_widths": "[320, 640]", "placeholder": "data:", "duration": 2.5, "poster_bytes": 9,
    "folder_id": None,
}  # fmt: skip


class WaitingStorage(LocalStorage):
    """A storage whose credentials have to be fetched; without any if `fails`."""

    fails = False

    def sign(self, *_: object) -> None:  # type: ignore[override]  # a local folder never waits
        return None

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        if self.fails and "thumbnail" in key:
            raise StorageError("no credentials")
        return super().sign(key, content_type, download_as)


class FailingStorage(WaitingStorage):
    fails = True


@strawberry.type
class Query:
    @strawberry.field
    def generations(self) -> list[Generation]:
        return cast("list[Generation]", [row(f"gen_{number}") for number in range(3)])


def row(id: str) -> Any:
    result = {f"result.{name}": value for name, value in COLUMNS.items()}
    created_at = datetime(2026, 1, 1, tzinfo=UTC)
    return GENERATIONS.plain({"id": id, "style_slug": "cute", "media": "VIDEO", "created_at": created_at, **result})


schema = strawberry.Schema(Query, scalar_overrides=SCALARS)


async def outcomes(kind: type[LocalStorage], folder: Path) -> list[Any]:
    """Return the data and the errors by the plan, and by graphql-core."""
    storage = kind(folder, address="https://pictures.example", secret="s" * 32, link_seconds=600, clock=lambda: 1e9)
    files = FileService(storage, cast(ImageSanitizer, None), UploadLimits(1, frozenset()))
    context = SimpleNamespace(services=SimpleNamespace(media=SimpleNamespace(files=files)))
    document = f"{{ generations {{ id result {{ {FIELDS} }} }} }}"
    compiled: Any = await compile_query(schema, parse(document)).run(context)
    interpreted: Any = await schema.execute(document, context_value=context)
    return [(one.data, [error.formatted for error in one.errors or ()]) for one in (compiled, interpreted)]


async def test_links_that_wait_for_credentials_are_those_that_are_signed_at_once(tmp_path: Path) -> None:
    at_once, by_graphql_core = await outcomes(LocalStorage, tmp_path)
    assert at_once == by_graphql_core
    assert at_once[1] == []
    first = at_once[0]["generations"][0]["result"]
    assert first["posterUrl"] == first["wide"] != first["thumbnailUrl"]  # no thumbnail is as wide
    assert await outcomes(WaitingStorage, tmp_path) == [at_once, at_once]


async def test_links_without_credentials_are_errors_of_their_fields(tmp_path: Path) -> None:
    compiled, by_graphql_core = await outcomes(FailingStorage, tmp_path)
    assert compiled == by_graphql_core
    data, errors = compiled
    assert [each["result"]["thumbnailUrl"] for each in data["generations"]] == [None] * 3
    assert [error["path"] for error in errors] == [
        ["generations", place, "result", "thumbnailUrl"] for place in range(3)
    ]


@pytest.mark.parametrize("key", ["key", None])
def test_bucket_signs_at_once_only_with_keys_that_do_not_change(key: str | None) -> None:
    bucket = S3Storage(
        "bucket",
        region="us-east-1",
        prefix="p",
        link_seconds=600,
        endpoint_url="https://s3",
        access_key_id=key,
        secret_access_key=key,
    )
    assert (bucket.sign("originals/usr_1/fil_1", "image/png") is not None) == (key is not None)
