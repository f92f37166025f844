"""The token of an open socket is renewed by a ping or a mutation, and its streams go on."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.client import CREDITS, PATIENCE, Api, Socket

pytestmark = pytest.mark.any_database

RENEW = "mutation($token: String!) { renewConnection(token: $token) { renewed errors { code } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token } }"
SIGN_OUT = "mutation { signOut { sessionsEnded } }"
CREATE = 'mutation { createGeneration(input: {prompt: "A fox"}) { viewer { credits } errors { code } } }'


async def another_session(api: Api) -> Api:
    made = await api.one(SIGN_IN, input={"email": api.user["email"], "password": "correct horse"})
    return replace(api, token=made["token"])


async def renewed(socket: Socket, by: str, token: str | None) -> Any:
    """Return whether the token was renewed, else the code of the reason."""
    if by == "ping":
        answer = await socket.ping(Authorization=f"Bearer {token}")
        return answer["renewed"] or answer["errors"][0]["extensions"]["code"]
    answer = await (await socket.subscribe(RENEW, token=token)).next()
    return answer["renewed"] or answer["errors"][0]["code"]


@pytest.mark.parametrize("by", ["ping", "mutation"])
async def test_streams_go_on_with_the_new_token_until_that_ends(ada: Api, by: str) -> None:
    newer = await another_session(ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS)
        assert (await stream.next())["credits"] == 30
        assert await renewed(socket, by, newer.token) is True
        await ada.one(SIGN_OUT)
        assert await socket.ping(n=1) == {"n": 1}
        assert (await newer.one(CREATE))["viewer"]["credits"] == 29
        assert (await stream.next())["credits"] == 29
        assert await (await socket.subscribe("{ viewer { credits } }")).next() == {"credits": 29}
        await newer.one(SIGN_OUT)
        assert (await stream.message())["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await asyncio.wait_for(socket.connection.wait_closed(), PATIENCE)
        assert socket.connection.close_code == 4401


@pytest.mark.parametrize("by", ["ping", "mutation"])
async def test_other_tokens_are_refused_and_the_socket_stays_open(ada: Api, api: Api, by: str) -> None:
    eve = await api.sign_up("eve@example.com")
    async with ada.socket() as socket, api.socket() as signed_out:
        assert await renewed(socket, by, eve.token) == "FORBIDDEN"
        assert await renewed(socket, by, "wrong") == "UNAUTHENTICATED"
        assert await (await socket.subscribe("{ viewer { email } }")).next() == {"email": "ada@example.com"}
        if by == "ping":
            assert await renewed(signed_out, by, ada.token) == "INVALID_INPUT"
    assert (await ada.one(RENEW, token=ada.token))["errors"] == [{"code": "INVALID_INPUT"}]
