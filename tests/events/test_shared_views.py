"""Subscribers with the same document share what is executed for them, but not what depends on their session."""

from dataclasses import replace
from typing import Any

from tests.conftest import Running
from tests.support.authenticator_app import set_up
from tests.support.client import Api
from tests.support.integrity import adjust_credits, make_admin

SESSIONS = "subscription { creditsChanged { credits user { sessions { id isCurrent } } } }"
FACTOR = "subscription { creditsChanged { credits user { secondFactor { isProved } } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"


def current(event: dict[str, Any]) -> list[str]:
    return [session["id"] for session in event["user"]["sessions"] if session["isCurrent"]]


async def change_credits(running: Running, api: Api) -> None:
    changed = await adjust_credits(str(api.user["id"]), 5, "a present")
    await running.services.events.publisher.account_changed(changed)


async def test_each_session_is_shown_as_the_current_one_to_itself(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await ada.one(SIGN_IN, input={"email": ada.user["email"], "password": "correct horse"})
    async with ada.socket() as first, replace(ada, token=made["token"]).socket() as second:
        streams = [await socket.subscribe(SESSIONS) for socket in (first, second)]
        opened = [current(await stream.next()) for stream in streams]
        assert opened[0] != opened[1]
        await change_credits(idle_server, ada)
        assert [current(await stream.next()) for stream in streams] == opened


async def test_stream_shows_a_second_factor_that_its_session_has_proved_since(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    async with admin.socket() as socket:
        stream = await socket.subscribe(FACTOR)
        assert (await stream.next())["user"]["secondFactor"] is None
        await set_up(admin)
        for _ in range(2):
            await change_credits(idle_server, admin)
            assert (await stream.next())["user"]["secondFactor"] == {"isProved": True}
