"""Errors after an order was charged: OpenAI's client, which repeats by itself, is charged once."""

from typing import Any

import openai
import pytest
from structlog.testing import capture_logs

from models import Generation, IdempotencyKey
from models.database.connection import rows
from services.integrations.storage.protocol import Storage, StorageError
from tests.conftest import Running
from tests.support.client import Api
from tests.web.openai_api.conftest import NewClient
from tests.web.openai_api.test_image_errors import post

ORDER: dict[str, Any] = {"prompt": "A fox"}
COUNT = "x-stainless-retry-count"


class FailingStorage:
    """The storage, except that reading and signing fail once, and links wait for credentials."""

    def __init__(self, inner: Storage, error: Exception) -> None:
        self._inner = inner
        self._errors = [error]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def sign(self, *_: object) -> None:
        return None

    async def get(self, key: str) -> bytes:
        self._fail()
        return await self._inner.get(key)

    async def link(self, key: str, content_type: str, **options: Any) -> Any:
        self._fail()
        return await self._inner.link(key, content_type, **options)

    def _fail(self) -> None:
        if self._errors:
            raise self._errors.pop()


def fail(server: Running, error: Exception) -> None:
    """Let the storage of results fail once, from now on."""
    files: Any = server.services.media.files
    files._storage = FailingStorage(server.services.integrations.storage, error)  # it is opened with the server


@pytest.mark.any_database
@pytest.mark.parametrize("error", [StorageError("away"), RuntimeError("a bug")])
@pytest.mark.parametrize("format", ["b64_json", "url"])
async def test_error_after_the_charge_is_not_repeated(
    server: Running, ada: Api, client_of: NewClient, error: Exception, format: Any
) -> None:
    fail(server, error)
    async with client_of(ada, str(ada.token)) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            await client.with_options(max_retries=2).images.generate(**ORDER, response_format=format)
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert await Generation.all().count() == 1


@pytest.mark.any_database
@pytest.mark.parametrize("error", [StorageError("away"), RuntimeError("a bug")])
@pytest.mark.parametrize("format", ["b64_json", "url"])
async def test_repetition_that_comes_all_the_same_gets_the_picture(
    server: Running, ada: Api, error: Exception, format: Any
) -> None:
    fail(server, error)
    order = {**ORDER, "response_format": format}
    answers = [await post(ada, ada.token, order, headers={COUNT: str(number)}) for number in (0, 1)]
    assert [answer.status_code for answer in answers] == [503 if isinstance(error, StorageError) else 500, 200]
    assert await Generation.all().count() == 1
    assert await IdempotencyKey.all().count() == 0


@pytest.mark.any_database
@pytest.mark.parametrize("error", [StorageError("away"), RuntimeError("a bug")])
async def test_with_an_idempotency_key_the_repetition_gets_the_picture(
    server: Running, ada: Api, client_of: NewClient, error: Exception
) -> None:
    fail(server, error)
    async with client_of(ada, str(ada.token)) as client:
        made = await client.with_options(max_retries=1).images.generate(
            **ORDER, extra_headers={"Idempotency-Key": "order-1"}
        )
    assert made.data
    assert await Generation.all().count() == 1


@pytest.mark.any_database
async def test_bug_is_answered_with_the_reference_under_which_it_is_logged(
    server: Running, ada: Api, client_of: NewClient
) -> None:
    fail(server, RuntimeError("a secret of ours"))
    async with client_of(ada, str(ada.token)) as client:
        with capture_logs() as logs, pytest.raises(openai.InternalServerError) as failed:
            await client.images.generate(**ORDER)
    (line,) = [line for line in logs if line["event"] == "images.crashed"]
    assert failed.value.code == "internal_error"
    assert line["reference"] in failed.value.message
    assert "secret" not in failed.value.response.text


@pytest.mark.postgres_only
@pytest.mark.parametrize("key", [None, "order-1"])
async def test_outage_that_may_have_followed_the_charge_is_repeated_with_a_key_only(
    ada: Api, client_of: NewClient, key: str | None
) -> None:
    await rows(
        "CREATE FUNCTION refuse_write() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the connection is lost' USING ERRCODE = 'admin_shutdown'; END $$"
    )
    await rows(
        "CREATE CONSTRAINT TRIGGER refuse_write AFTER INSERT ON generations INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION refuse_write()"
    )
    async with client_of(ada, str(ada.token)) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            await client.images.generate(**ORDER, extra_headers={"Idempotency-Key": key} if key else {})
    assert (failed.value.status_code, failed.value.code) == (503, "unavailable")
    assert ("x-should-retry" not in failed.value.response.headers) is (key is not None)
