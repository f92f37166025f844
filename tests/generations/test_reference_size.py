"""References larger than the model takes: the request carries a smaller copy, the stored file stays as it is."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from models import File, Generation
from models.database.connection import rows
from models.enum import FileKind
from tests.conftest import Running
from tests.support.client import Api
from tests.support.corpus import pictures
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import assert_invariants

LIMIT = 7_000_000  # bytes, of every model without another limit

pytestmark = pytest.mark.any_database


def sent_reference(openrouter: ScriptedOpenRouter) -> tuple[bytes, str]:
    """Return the reference in the last request, and its content type."""
    *_, part = openrouter.calls[-1].body["messages"][-1]["content"]
    head, _, encoded = part["image_url"]["url"].partition(",")
    return base64.b64decode(encoded), head.removeprefix("data:").removesuffix(";base64")


async def ordered(api: Api, data: bytes) -> dict[str, Any]:
    """Order a picture with this reference and return the generation once it has ended."""
    made = await api.create(data, styleId=await api.style("cute", "plushify"))
    assert made["errors"] == []
    ended: dict[str, Any] = await api.wait_for_end(made["generations"][0]["id"])
    return ended


async def test_large_reference_is_sent_as_a_smaller_copy_of_the_same_shape(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    data = pictures.encode(pictures.noise("RGB", (2000, 1200)), "PNG", compress_level=1)
    assert LIMIT < len(data) < 10 * 2**20
    assert (await ordered(ada, data))["status"] == "COMPLETED"
    sent, content_type = sent_reference(openrouter)
    assert len(sent) <= LIMIT
    image = Image.open(io.BytesIO(sent))
    assert image.get_format_mimetype() == content_type == "image/jpeg"
    assert image.width / image.height == pytest.approx(2000 / 1200, rel=0.01)
    stored = await File.get(kind=FileKind.ORIGINAL)
    assert (stored.width, stored.height, stored.content_type) == (2000, 1200, "image/png")
    assert len(await scripted.services.media.files.read(stored)) == stored.byte_size > LIMIT
    await assert_invariants(scripted.services, all_ended=True)


async def test_reference_within_the_limit_is_sent_unchanged(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    assert (await ordered(ada, pictures.png()))["status"] == "COMPLETED"
    stored = await File.get(kind=FileKind.ORIGINAL)
    assert sent_reference(openrouter) == (await scripted.services.media.files.read(stored), "image/png")


async def test_reference_that_cannot_be_reduced_is_refunded_without_a_call(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    (made,) = (await ada.create(pictures.png(), styleId=await ada.style("cute", "plushify")))["generations"]
    done = await ada.wait_for_end(made["id"])
    calls, row = len(openrouter.calls), await Generation.get(id=done["id"]).select_related("original")
    assert row.original is not None
    # What is stored was damaged since: more bytes than the model takes, and no picture.
    await scripted.services.integrations.storage.put(row.original.key, bytes(LIMIT + 1), "image/png")
    await rows("UPDATE files SET byte_size = $1 WHERE id = $2 RETURNING id", LIMIT + 1, row.original.id)
    before = await ada.credits()
    again = await ada.one("mutation($id: ID!) { regenerate(input: {id: $id}) { generations { id } } }", id=done["id"])
    ended = await ada.wait_for_end(again["generations"][0]["id"])
    assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True)
    assert (len(openrouter.calls), await ada.credits()) == (calls, before)


async def test_large_result_is_stored_and_one_over_the_limit_fails(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    large = pictures.encode(Image.new("RGB", (3200, 3200), "red"), "PNG", compress_level=0)
    assert len(large) > 29 * 2**20
    openrouter.script(answer.picture(large), answer.huge())
    (first,) = (await ada.create(prompt="A fox"))["generations"]
    done = await ada.wait_for_end(first["id"])
    assert (done["status"], done["result"]["width"]) == ("COMPLETED", 3200)
    (second,) = (await ada.create(prompt="A fox"))["generations"]
    failed = await ada.wait_for_end(second["id"])
    assert (failed["status"], failed["errorCode"], failed["refunded"]) == ("FAILED", "GENERATION_FAILED", True)
    await assert_invariants(scripted.services, all_ended=True, all_swept=True)
