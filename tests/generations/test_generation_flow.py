"""The main job: sign up, send a photo, watch it develop, get the picture."""

import io

from PIL import Image

from tests.support.client import CREDITS, PROGRESS, Api, photo


async def test_a_person_sends_a_photo_and_gets_a_picture(ada: Api) -> None:
    style = await ada.style("cute", "plushify")
    made = await ada.create(photo(320, 200), styleId=style)
    assert made["errors"] == []
    assert made["viewer"]["credits"] == 29
    (generation,) = made["generations"]
    assert (generation["cost"], generation["styleTitle"]) == (1, "Cute")
    ended = await ada.wait_for_end(generation["id"])
    assert (ended["status"], ended["progress"], ended["provider"]) == ("COMPLETED", 1.0, "demo")
    bytes_of_result = (await ada.http.get(ended["result"]["url"])).content
    result = Image.open(io.BytesIO(bytes_of_result))
    assert result.size == (ended["result"]["width"], ended["result"]["height"])
    assert abs(result.width / result.height - 320 / 200) < 0.02
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 30, 30),
        ("DEDUCTION", -1, 29),
    ]


async def test_a_subscriber_sees_the_present_then_every_stage_then_the_end(ada: Api) -> None:
    style = await ada.style("noir", "avenger")
    async with ada.socket() as socket:
        credits = await socket.subscribe(CREDITS)
        assert (await credits.next())["credits"] == 30
        (generation,) = (await ada.create(photo(), styleId=style))["generations"]
        first = await socket.subscribe(PROGRESS, id=generation["id"])
        second = await socket.subscribe(PROGRESS, id=generation["id"])
        seen, also_seen = await first.rest(), await second.rest()
        assert (await credits.next())["transaction"]["amount"] == -10
    for story in (seen, also_seen):
        versions = [event["version"] for event in story]
        assert versions == sorted(set(versions))
        assert story[-1]["status"] == "COMPLETED"
        assert story[-1]["result"]["url"]
    assert {event["stage"] for event in seen} >= {"GENERATING", "STORING", "COMPLETED"}
