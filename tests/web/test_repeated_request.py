"""Requests that repeat an earlier one are answered as they would be otherwise, and never as before a change."""

import asyncio
import itertools
import tracemalloc
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tortoise.exceptions import OperationalError

from models import ProviderPause
from models.database.connection import rows
from schema.root import schema
from schema.runtime.kept_answers import Answer, Found, KeptAnswers, KnownRequest, SeenResponse
from services.accounts import session
from services.accounts.secret_token import TokenTable, hash_token
from services.accounts.session import SeenSession
from services.billing.grants import refill
from services.core.month import month_of
from services.operations.query_slots import QuerySlots
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.expiring_profile import write_profile
from tests.web.test_json_request import ORIGIN, TYPE, Both, Headers
from tests.web.test_metrics import read_metrics, sample

TRIES = 50  # until a request is answered as a repeated one: after its preparation there is a pause
QUERY = "{ viewer { email name credits role locale version generations(first: 5) { totalCount } } }"
BODY = b'{"query": "%b"}' % QUERY.encode()


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An entry for each request that came as far as the look-up of its answer: the others were answered before."""
    found: list[object] = []
    find = KeptAnswers.find

    def noted(self: KeptAnswers, key: Any) -> Any:
        found.append(key)
        return find(self, key)

    monkeypatch.setattr(KeptAnswers, "find", noted)
    return found


async def repeated(api: Api, looked_up: list[object], **headers: str) -> httpx.Response:
    """Send a request until it is answered as a repeated one; return the last response."""
    for _ in range(TRIES):
        before = len(looked_up)
        response = await api.raw(QUERY, headers=headers)
        if len(looked_up) == before:
            return response
    raise AssertionError("no request was answered as a repeated one")


async def fresh(api: Api, number: int) -> Any:
    """Return the answer to a request that was not sent before."""
    return (await api.raw(QUERY, headers={"x-number": str(number)})).json()


async def test_repeated_request_is_answered_as_by_the_view(server: Running, ada: Api, looked_up: list[object]) -> None:
    both = Both(server, cors_origins=(ORIGIN.decode(),), trusted_proxies=("203.0.113.0/24",))
    credentials: list[Headers] = [
        [(b"authorization", f"Bearer {ada.token}".encode())],
        [(b"cookie", f"a=b; darkroom_session={ada.token}; darkroom_device=no".encode())],
    ]
    others: list[Headers] = [
        [], [(b"origin", ORIGIN)], [(b"origin", b"https://evil.example")], [(b"accept-language", b"zh")],
        [(b"accept", b"application/graphql-response+json")], [(b"x-forwarded-for", b"198.51.100.7")],
        [(b"accept", b"text/html")], [(b"sec-fetch-site", b"cross-site")],
        [(b"accept", b"application/json, text/event-stream"), (b"origin", b"http://localhost")],
    ]  # fmt: skip
    posts: list[tuple[str, bytes, Headers]] = [
        ("POST", b"", [*TYPE, (b"content-length", str(len(BODY)).encode())]), ("GET", b"query={viewer{email}}", []),
    ]  # fmt: skip
    for (method, query, about), credential, other in itertools.product(posts, credentials, others):
        headers, body = [*about, *credential, *other], BODY if method == "POST" else b""
        found = await sent_often(both, looked_up, headers, body, method, query)
        if (etag := dict(found[1]).get(b"etag")) is not None:
            known = await sent_often(both, looked_up, [*headers, (b"if-none-match", etag)], body, method, query)
            assert (known[0], known[2]) == (304, b"")


async def sent_often(
    both: Both, looked_up: list[object], headers: Headers, body: bytes, method: str, query: bytes
) -> Any:
    """Send a request in turn to the endpoint and its view until it is answered as a repeated one, if it can be."""
    for _ in range(TRIES):
        looked_up.clear()
        found = await both.same(headers, body, method=method, query=query)
        if not looked_up:
            break
    assert looked_up == [], (headers, found)
    return found


async def test_every_change_is_seen_by_the_next_request(server: Running, ada: Api, looked_up: list[object]) -> None:
    id = ada.user["id"]
    changes = [
        "UPDATE users SET name = 'Ada', version = version + 1 WHERE id = $1 RETURNING id",
        "UPDATE users SET credits = credits + 7 WHERE id = $1 RETURNING id",
        "UPDATE users SET role = 'ADMIN' WHERE id = $1 RETURNING id",
        "UPDATE users SET role = 'USER' WHERE id = $1 RETURNING id",
        "UPDATE users SET locale = 'zh' WHERE id = $1 RETURNING id",
        "UPDATE users SET password_hash = 'x' WHERE id = $1 RETURNING id",
    ]
    for number, change in enumerate(changes):
        await repeated(ada, looked_up)
        await rows(change, id)
        found = await ada.raw(QUERY)
        assert found.json() == await fresh(ada, number), change
        assert "errors" not in found.json(), change
    await ada.execute('mutation { updateProfile(input: {name: "Grace"}) { user { id } } }')
    assert (await ada.one(QUERY))["name"] == "Grace"


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE users SET suspended_at = CURRENT_TIMESTAMP WHERE id = $1 RETURNING id",
        "UPDATE users SET deleted_at = CURRENT_TIMESTAMP WHERE id = $1 RETURNING id",
        "DELETE FROM sessions WHERE user_id = $1 RETURNING id",
        "UPDATE sessions SET user_id = user_id, expires_at = created_at WHERE user_id = $1 RETURNING id",
    ],
)
async def test_session_that_ends_is_refused_at_once(ada: Api, looked_up: list[object], ending: str) -> None:
    await repeated(ada, looked_up)
    await rows(ending, ada.user["id"])
    assert (await ada.refused(QUERY))["code"] == "UNAUTHENTICATED"


async def test_pause_of_a_provider_is_seen_by_the_next_request(
    server: Running, ada: Api, looked_up: list[object]
) -> None:
    await repeated(ada, looked_up)
    before = len(looked_up)
    moment = datetime.now(UTC)
    await ProviderPause.create(provider="demo", cause="key", began_at=moment, asks_at=moment, questions=0)
    await server.services.operations.provider_pauses.refresh()
    await ada.raw(QUERY)
    assert len(looked_up) == before + 1


async def test_session_ends_in_time_and_its_use_is_recorded(ada: Api, looked_up: list[object]) -> None:
    await repeated(ada, looked_up)
    at = datetime.now(UTC) + timedelta(milliseconds=300)
    await rows("UPDATE sessions SET expires_at = $1 WHERE user_id = $2 RETURNING id", at, ada.user["id"])
    while datetime.now(UTC) < at:
        await ada.raw(QUERY)
    assert (await ada.refused(QUERY))["code"] == "UNAUTHENTICATED"

    long_ago, later = at - timedelta(minutes=6), at + timedelta(days=1)
    await rows(
        "UPDATE sessions SET expires_at = $1, last_seen_at = $2 WHERE user_id = $3 RETURNING id",
        later, long_ago, ada.user["id"],
    )  # fmt: skip
    await ada.raw(QUERY)
    (session,) = await rows("SELECT last_seen_at FROM sessions WHERE user_id = $1", ada.user["id"])
    assert str(session["last_seen_at"]) > str(long_ago + timedelta(minutes=1))


async def test_refill_of_a_new_month_is_granted_by_its_first_request(
    scripted_settings: Settings, tmp_path: Path, looked_up: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    month = month_of(datetime.now(UTC))  # that of the database's clock

    class Clock(datetime):
        """A clock that was set to the end of the month before."""

        shift = month - timedelta(seconds=60) - datetime.now(UTC)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + cls.shift

    for module in (session, refill):
        monkeypatch.setattr(module, "datetime", Clock)
    changes = {"profile": write_profile(tmp_path, "\n[refill]\ncredits = 25\n"), "signup_credits": 10}
    async with running(scripted_settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        earlier = f"{Clock.now(UTC):%Y-%m}"
        await rows("UPDATE users SET refill_month = $1 WHERE id = $2 RETURNING id", earlier, ada.user["id"])
        assert (await repeated(ada, looked_up)).json()["data"]["viewer"]["credits"] == 10
        Clock.shift += timedelta(seconds=61)
        assert (await ada.one(QUERY))["credits"] == 25


async def test_only_sessions_are_answered_so(server: Running, ada: Api, looked_up: list[object]) -> None:
    """An API key's use has its own rules; signed out, nothing has a version."""
    await ada.verify_address()
    await rows("UPDATE users SET is_member = TRUE WHERE id = $1 RETURNING id", ada.user["id"])
    made = await ada.one('mutation { createApiKey(name: "script") { key errors { code } } }')
    assert made["errors"] == []
    program = Api(ada.http, ada.address, made["key"], ada.user)
    for _ in range(5):
        await program.execute(QUERY)
    assert len(looked_up) == 5
    signed_out = [(await server.api.raw(QUERY)).json() for _ in range(5)]
    assert signed_out == [signed_out[0]] * 5
    assert len(looked_up) == 5


async def test_requests_of_two_sessions_are_never_mixed_up(server: Running, ada: Api, looked_up: list[object]) -> None:
    bob = await server.api.sign_up("bob@example.com")
    for _ in range(TRIES):
        assert (await ada.one(QUERY))["email"] == "ada@example.com"
        assert (await bob.one(QUERY))["email"] == "bob@example.com"
    assert len(looked_up) < TRIES
    foreign = Api(ada.http, ada.address, f"{bob.token}A", bob.user)
    assert (await foreign.refused(QUERY))["code"] == "UNAUTHENTICATED"


async def test_ids_of_requests_are_their_own(ada: Api, looked_up: list[object]) -> None:
    first, second = await repeated(ada, looked_up), await repeated(ada, looked_up)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    given = [await repeated(ada, looked_up, **{"x-request-id": f"mine-{number}"}) for number in range(3)]
    assert [one.headers["x-request-id"] for one in given] == ["mine-0", "mine-1", "mine-2"]
    bad = await ada.raw(QUERY, headers={"x-request-id": "a b"})
    assert bad.headers["x-request-id"] != "a b"


async def test_repeated_requests_are_counted_and_logged(ada: Api, looked_up: list[object]) -> None:
    await repeated(ada, looked_up)
    looked_up.clear()
    before = await read_metrics(ada.http)
    with capture_logs() as lines:
        await ada.raw(QUERY)
    after = await read_metrics(ada.http)

    def increase(name: str, **labels: str) -> float:
        return sample(after, name, **labels) - sample(before, name, **labels)

    assert looked_up == []
    assert increase("http_requests_total", route="/graphql", method="POST", status="200") == 1
    assert increase("http_request_seconds_count", route="/graphql") == 1
    assert increase("graphql_operations_total", operation="viewer", type="query", outcome="ok") == 1
    assert increase("graphql_operation_seconds_count", operation="viewer") == 1
    (line,) = [line for line in lines if line["event"] == "graphql.operation"]
    assert {"field": "viewer", "type": "query", "outcome": "ok"}.items() <= line.items()


async def test_caller_who_is_due_for_a_pause_takes_the_ordinary_way(
    ada: Api, looked_up: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    await repeated(ada, looked_up)
    looked_up.clear()
    monkeypatch.setattr(QuerySlots, "admits", lambda *_: False)
    assert (await ada.one(QUERY))["email"] == "ada@example.com"
    assert len(looked_up) == 1


async def test_database_that_is_away_is_reported_once(
    ada: Api, looked_up: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    await repeated(ada, looked_up)
    reads = []

    async def fail(*_: object) -> list[Any]:
        reads.append(1)
        raise OperationalError("connection refused")

    monkeypatch.setattr(TokenTable, "read", fail)
    assert (await ada.refused(QUERY))["code"] in ("UNAVAILABLE", "INTERNAL")
    assert reads == [1]  # of an outage, each attempt takes seconds
    monkeypatch.undo()
    assert (await ada.one(QUERY))["email"] == "ada@example.com"


async def test_repeated_requests_at_once_are_all_answered(ada: Api, looked_up: list[object]) -> None:
    await repeated(ada, looked_up)
    found = await asyncio.gather(*(ada.one(QUERY) for _ in range(20)))
    assert found == [found[0]] * 20


def test_known_requests_take_no_more_memory_than_is_counted() -> None:
    budget = 1024 * 1024  # bytes
    answers = KeptAnswers(schema._schema, budget)
    now = datetime.now(UTC)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(500):
            values = tuple(f"a value that is as long as an address {number} {place}" for place in range(40))
            headers = [(b"content-length", b"%d" % number), (b"etag", b"%064d" % number)]
            key = (number, b"")
            answers.keep(key, Answer(b"%d" % number))
            for digest in range(10):
                found = Found(key, "viewer", None, 1)
                response = SeenResponse(SeenSession(values, now), 200, headers[:1], headers[1:], b"")
                known = KnownRequest(hash_token(str(number)), f"usr_{number}", found, response)
                answers.know(b"%d %d" % (number, digest), known)
        assert tracemalloc.get_traced_memory()[0] - before < budget
        assert answers.request(b"499 9") is known
        assert [answers.request(b"499 %d" % digest) is None for digest in range(3)] == [True, True, False]
        assert answers.request(b"0 9") is None
        answers.know(b"0 9", known)
        assert answers.request(b"0 9") is known
    finally:
        tracemalloc.stop()
