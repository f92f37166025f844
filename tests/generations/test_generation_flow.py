"""The main flow: sign up, send a photo, follow its progress, fetch the result."""

import io

from PIL import Image

from tests.support.client import CREDITS, PROGRESS, Api, photo


async def test_photo_becomes_a_stored_result_and_is_charged(ada: Api) -> None:
    style = await ada.style("cute", "plushify")
    created = await ada.create(photo(320, 200), styleId=style)
    assert created["errors"] == []
    assert created["viewer"]["credits"] == 29
    (generation,) = created["generations"]
    assert (generation["cost"], generation["styleTitle"]) == (1, "Cute")
    ended = await ada.wait_for_end(generation["id"])
    assert (ended["status"], ended["progress"], ended["provider"]) == ("COMPLETED", 1.0, "demo")
    result_bytes = (await ada.http.get(ended["result"]["url"])).content
    result = Image.open(io.BytesIO(result_bytes))
    assert result.size == (ended["result"]["width"], ended["result"]["height"])
    assert abs(result.width / result.height - 320 / 200) < 0.02
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 30, 30),
        ("DEDUCTION", -1, 29),
    ]


async def test_subscriber_receives_the_current_state_every_stage_and_the_end(ada: Api) -> None:
    style = await ada.style("noir", "avenger")
    async with ada.socket() as socket:
        credits = await socket.subscribe(CREDITS)
        assert (await credits.next())["credits"] == 30
        (generation,) = (await ada.create(photo(), styleId=style))["generations"]
        first = await socket.subscribe(PROGRESS, id=generation["id"])
        second = await socket.subscribe(PROGRESS, id=generation["id"])
        seen, also_seen = await first.rest(), await second.rest()
        assert (await credits.next())["transaction"]["amount"] == -10
    for events in (seen, also_seen):
        versions = [event["version"] for event in events]
        assert versions == sorted(set(versions))
        assert events[-1]["status"] == "COMPLETED"
        assert events[-1]["result"]["url"]
    assert {event["stage"] for event in seen} >= {"GENERATING", "STORING", "COMPLETED"}
