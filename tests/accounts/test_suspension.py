"""Suspension: all sessions, sockets and streams of the account end; its data is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import websockets

from models import AuditEntry, Session, User
from models.enum import Role
from tests.conftest import Running
from tests.support.bus_subscribers import wait_for_subscribers
from tests.support.client import CREDITS, PROGRESS, Api, Socket
from tests.support.integrity import make_admin

SUSPEND = (
    "mutation($userId: ID!, $suspended: Boolean!, $reason: String!) {"
    " adminSetSuspended(userId: $userId, suspended: $suspended, reason: $reason)"
    " { user { id suspendedAt version } errors { code message field } } }"
)
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code message } } }"
VIEWER = "{ viewer { id } }"
CREDENTIALS = {"email": "ada@example.com", "password": "correct horse"}
DEADLINE = 5.0  # seconds within which connections must close


async def close_code(connection: websockets.ClientConnection) -> int | None:
    await asyncio.wait_for(connection.wait_closed(), DEADLINE)
    return connection.close_code


@asynccontextmanager
async def streaming(api: Api) -> AsyncIterator[asyncio.Task[str]]:
    """Open a stream of server-sent events and yield a task with all text after its first event."""
    headers = api.headers(accept="text/event-stream")
    async with api.http.stream("POST", "/graphql", json={"query": CREDITS}, headers=headers) as response:
        texts = response.aiter_text()
        while "event: next" not in await anext(texts):
            pass

        async def rest() -> str:
            return "".join([text async for text in texts])

        yield asyncio.create_task(rest())


async def open_stream(socket: Socket, query: str, **variables: Any) -> None:
    await (await socket.subscribe(query, **variables)).next()


async def test_suspension_ends_all_access_and_submitted_generations_are_completed(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    user_id = str(ada.user["id"])
    await ada.verify_address()
    program = replace(ada, token=(await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"])
    (generation,) = (await ada.create(prompt="A fox"))["generations"]
    version = (await User.get(id=user_id)).version
    async with ada.socket() as quiet, ada.socket() as busy, program.socket() as by_key, streaming(ada) as rest:
        await open_stream(busy, PROGRESS, id=generation["id"])
        await open_stream(busy, CREDITS)
        made = await admin.one(SUSPEND, userId=user_id, suspended=True, reason="  Spam.  ")
        assert (made["errors"], made["user"]["version"]) == ([], version + 1)
        assert made["user"]["suspendedAt"] is not None
        assert [await close_code(socket.connection) for socket in (quiet, busy, by_key)] == [4401] * 3
        assert "UNAUTHENTICATED" in await asyncio.wait_for(rest, DEADLINE)
    await wait_for_subscribers(idle_server.services, 0)
    for client in (ada, program):
        assert not await client.is_signed_in()
    assert await Session.filter(user_id=user_id).count() == 0
    assert (await idle_server.api.refused(SIGN_IN, input=CREDENTIALS))["code"] == "FORBIDDEN"
    assert (await admin.one(SUSPEND, userId=user_id, suspended=True, reason="Again."))["user"] == made["user"]

    await idle_server.services.generations.worker.process(generation["id"])
    back = await admin.one(SUSPEND, userId=user_id, suspended=False, reason="A mistake.")
    assert (back["user"]["suspendedAt"], back["errors"]) == (None, [])
    assert (await program.generation(generation["id"]))["status"] == "COMPLETED", (
        "it was paid for, and API keys work again"
    )
    assert not await ada.is_signed_in(), "ended sessions stay ended"
    assert (await idle_server.api.one(SIGN_IN, input=CREDENTIALS))["token"] is not None
    entries = await AuditEntry.filter(target=user_id).order_by("id")
    assert [(entry.actor_id, entry.action.value, entry.detail) for entry in entries] == [
        (admin.user["id"], "SET_SUSPENDED", {"suspended": True, "reason": "Spam.", "sessionsEnded": 1}),
        (admin.user["id"], "SET_SUSPENDED", {"suspended": False, "reason": "A mistake.", "sessionsEnded": 0}),
    ]


@pytest.mark.any_database
async def test_suspension_is_refused_by_role_target_and_reason(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    root = await make_admin(idle_server.api, "root@example.com", Role.SUPER_ADMIN)
    boss = await make_admin(idle_server.api, "boss@example.com", Role.SUPER_ADMIN)
    ids = {name: str(client.user["id"]) for name, client in {"ada": ada, "admin": admin, "root": root}.items()}
    for client, target, reason, code, field in (
        (idle_server.api, "ada", "Spam.", "UNAUTHENTICATED", None),
        (ada, "admin", "Spam.", "FORBIDDEN", None),
        (admin, "root", "Spam.", "FORBIDDEN", ["userId"]),
        (admin, "admin", "Spam.", "CONFLICT", ["userId"]),
        (admin, "ada", " \n ", "INVALID_INPUT", ["reason"]),
        (admin, "ada", "x" * 501, "INVALID_INPUT", ["reason"]),
        (admin, "unknown", "Spam.", "NOT_FOUND", ["userId"]),
    ):
        refused = await client.refused(SUSPEND, userId=ids.get(target, "usr_unknown"), suspended=True, reason=reason)
        assert (refused["code"], refused.get("field")) == (code, field)
    assert await AuditEntry.all().count() == 0
    assert await User.filter(suspended_at__isnull=False).count() == 0
    assert (await boss.one(SUSPEND, userId=ids["root"], suspended=True, reason="Left."))["errors"] == []
    assert not await root.is_signed_in()


@pytest.mark.any_database
async def test_sockets_of_a_suspended_account_end_without_an_event(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up("ada@example.com")
    await ada.verify_address()
    program = replace(ada, token=(await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"])
    async with ada.socket() as quiet, program.socket() as by_key:
        await User.filter(id=ada.user["id"]).update(suspended_at=datetime.now(UTC))
        assert [await close_code(socket.connection) for socket in (quiet, by_key)] == [4401] * 2


@pytest.mark.any_database
async def test_change_password_and_key_revocation_end_their_sockets_at_once(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up("ada@example.com")
    await ada.verify_address()
    made = await ada.one('mutation { createApiKey(name: "script") { key apiKey { id } } }')
    elsewhere = replace(ada, token=(await idle_server.api.one(SIGN_IN, input=CREDENTIALS))["token"])
    async with ada.socket() as own, elsewhere.socket() as other, replace(ada, token=made["key"]).socket() as by_key:
        change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { errors { code } } }"
        await ada.one(change, input={"current": CREDENTIALS["password"], "new": "battery staple"})
        assert await close_code(other.connection) == 4401
        await open_stream(own, VIEWER)
        await open_stream(by_key, VIEWER)
        await ada.one("mutation($id: ID!) { revokeApiKey(id: $id) { deletedIds } }", id=made["apiKey"]["id"])
        assert await close_code(by_key.connection) == 4401
        await open_stream(own, VIEWER)
