"""Canaries: what is secret goes in through every door, and comes out in no log line, figure, span or error."""

import io
import json
import logging
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import structlog
import websockets
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    is_leaf_type,
)
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from logs import configure_logs
from models.database.connection import dialect, rows
from models.enum import Role
from schema.root import schema
from setting_types import LogFormat, LogLevel, Provider
from settings import Settings
from telemetry.trace import tracing_to
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import make_admin
from tests.support.mail_server import Mailbox

GRAPHQL: GraphQLSchema = schema._schema
ENDS_A_SIGN_IN = {"signOut", "deleteAccount", "changePassword"}  # asked last: they would make everybody else's refused


@dataclass
class Aviary:
    """Every canary that was let fly, and everything that was told meanwhile."""

    log: io.StringIO = field(default_factory=io.StringIO)
    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    errors: list[str] = field(default_factory=list)
    metrics: str = ""
    flown: dict[str, str] = field(default_factory=dict)  # the canary -> where it went in

    def canary(self, place: str) -> str:
        """A new one: words that stand nowhere else, so that half of one is seen, too."""
        made = f"canary{uuid.uuid4().hex}"
        self.flown[made] = place
        return made

    def told(self) -> dict[str, str]:
        spans = "\n".join(span.to_json() for span in self.spans.get_finished_spans())
        return {"log": self.log.getvalue(), "metrics": self.metrics, "trace": spans, "error": "\n".join(self.errors)}

    def caught(self) -> set[tuple[str, str]]:
        """Where a canary came out, and where it had gone in."""
        return {
            (where, place)
            for where, text in self.told().items()
            for canary, place in self.flown.items()
            if canary[:20] in text.casefold()
        }


@pytest.fixture
def aviary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aviary]:
    found = Aviary()
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", found.log)
        with tracing_to(SimpleSpanProcessor(found.spans)):
            yield found
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


@pytest.fixture
def watched_settings(settings: Settings, openrouter: ScriptedOpenRouter, mailbox: Mailbox, aviary: Aviary) -> Settings:
    """Settings whose secrets are canaries, all of them, and a log of all that there is to tell."""
    openrouter.key = f"sk-or-v1-{aviary.canary('OPENROUTER_API_KEY')}"
    found = settings.model_copy(
        update={
            "image_provider": Provider.OPENROUTER,
            "openrouter_api_key": openrouter.key,
            "openrouter_base_url": openrouter.base_url,
            "secret_key": aviary.canary("SECRET_KEY"),
            "metrics_token": aviary.canary("METRICS_TOKEN"),
            "polar_webhook_secret": (aviary.canary("POLAR_WEBHOOK_SECRET"),),
            "aws_secret_access_key": aviary.canary("AWS_SECRET_ACCESS_KEY"),
            "smtp_url": mailbox.url,
            "mail_from": "hello@example.com",
            "log_level": LogLevel.DEBUG,
            "log_format": LogFormat.JSON,
            "signup_credits": 10_000,
            "generation_sweep_seconds": 0.2,
        }
    )
    configure_logs(found)
    return found


@pytest.fixture
async def watched(watched_settings: Settings) -> AsyncIterator[Running]:
    async with running(watched_settings) as server:
        yield server


def value(type_: Any, place: str, aviary: Aviary, *, wrong: bool) -> Any:
    """An input of this type with a canary in every place that takes a text, and `wrong`ly shaped ones elsewhere."""
    if isinstance(type_, GraphQLNonNull):
        return value(type_.of_type, place, aviary, wrong=wrong)
    if isinstance(type_, GraphQLList):
        return [value(type_.of_type, place, aviary, wrong=wrong)]
    if isinstance(type_, GraphQLInputObjectType):
        return {
            name: value(each.type, f"{place}.{name}", aviary, wrong=wrong)
            for name, each in type_.fields.items()
            if wrong
            or not isinstance(getattr(each.type, "of_type", each.type), GraphQLScalarType)
            or getattr(each.type, "of_type", each.type).name != "Upload"
        }
    canary = aviary.canary(place)
    if wrong:
        return {"x": canary}
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    assert isinstance(type_, GraphQLScalarType)
    return {
        "Int": 1,
        "Float": 0.5,
        "Boolean": False,
        "DateTime": "2026-11-21T12:00:00Z",
        "JSON": {"name": canary},
        "Upload": None,
        "String": f"{canary}@example.com" if place.casefold().endswith("email") else canary,
    }.get(type_.name, canary)


def selection(type_: Any, depth: int = 0) -> str:
    """Something to ask for of an answer; of payloads, the errors too."""
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    if is_leaf_type(type_):
        return ""
    if not isinstance(type_, GraphQLObjectType):
        return "{ __typename }"
    asked = ["__typename"]
    if "errors" in type_.fields:
        asked.append("errors { code message field }")
    return "{ " + " ".join(asked) + " }"


def operation(kind: str, name: str, asked: GraphQLField) -> str:
    declared = ", ".join(f"${key}: {argument.type}" for key, argument in asked.args.items())
    given = ", ".join(f"{key}: ${key}" for key in asked.args)
    return f"{kind} Watched({declared}) {{ {name}({given}) {selection(asked.type)} }}"


def operations(aviary: Aviary, *, wrong: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, document and variables of one operation for each root field."""
    for root in (GRAPHQL.query_type, GRAPHQL.mutation_type, GRAPHQL.subscription_type):
        assert root is not None
        kind = root.name.lower()
        for name, asked in sorted(root.fields.items(), key=lambda item: item[0] in ENDS_A_SIGN_IN):
            if asked.args and name != "signOut":  # which takes no text
                variables = {
                    key: value(each.type, f"{kind}.{name}.{key}", aviary, wrong=wrong)
                    for key, each in asked.args.items()
                }
                yield kind, operation(kind, name, asked), variables


def errors_of(body: Any) -> Iterator[str]:
    """What an answer says is wrong, wherever in it."""
    if isinstance(body, dict):
        for name, inner in body.items():
            if name == "errors" and inner:
                yield json.dumps(inner, ensure_ascii=False)
            else:
                yield from errors_of(inner)


async def ask_everything(api: Api, aviary: Aviary, *, wrong: bool) -> None:
    """Every root field once, by POST, or as a stream where it is one."""
    for kind, query, variables in operations(aviary, wrong=wrong):
        accept = {"accept": "text/event-stream"} if kind == "subscription" else {}
        body = {"query": query, "variables": variables}
        async with api.http.stream("POST", "/graphql", json=body, headers=api.headers(**accept)) as answer:
            if not accept:
                aviary.errors += errors_of(json.loads(await answer.aread()))
                continue
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and len(line) > len("data: "):
                    aviary.errors += errors_of(json.loads(line.removeprefix("data: ")))
                    break  # some of these streams go on for ever


async def ask_on_a_socket(server: Running, aviary: Aviary, token: str | None) -> None:
    """A few operations on a socket, which also has secrets of its own."""
    url = server.api.address.replace("http", "ws", 1) + "/graphql"
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with websockets.connect(url, subprotocols=[protocol]) as socket:
        payload = {"token": token or aviary.canary("connection_init.token"), "x": aviary.canary("connection_init.x")}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        if token is None:
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            return
        await socket.recv()
        for number, (_, query, variables) in enumerate(operations(aviary, wrong=False)):
            if number % 8:
                continue
            message = {"id": str(number), "type": "subscribe", "payload": {"query": query, "variables": variables}}
            await socket.send(json.dumps(message))
            told = json.loads(await socket.recv())
            aviary.errors += errors_of({"errors": told["payload"]} if told["type"] == "error" else told.get("payload"))


async def knock_elsewhere(http: httpx.AsyncClient, aviary: Aviary) -> None:
    """Every other door: signed links, uploads, shared pages, mailed links, tills, webhooks, figures."""
    canary = aviary.canary
    for path in ("files", "uploads", "s", "checkout"):
        await http.get(f"/{path}/{canary(path)}?token={canary(path)}")
    await http.post(f"/uploads/{canary('upload')}", files={"file": (canary("filename"), photo())})
    for path in ("verify-email", "reset-password"):
        await http.get(f"/{path}", params={"token": canary(path)})
        await http.post(f"/{path}", data={"token": canary(path), "password": canary(path)})
    webhook = {f"webhook-{name}": canary(f"webhook-{name}") for name in ("id", "timestamp", "signature")}
    await http.post("/webhooks/polar", content=json.dumps({"type": canary("webhook")}), headers=webhook)
    await http.get("/metrics", headers={"authorization": f"Bearer {canary('metrics')}"})
    for header in ("authorization", "cookie", "x-api-key"):
        for text in (f"Bearer {canary(header)}", f"darkroom={canary(header)}", canary(header)):
            await http.post("/graphql", json={"query": "{ viewer { id } }"}, headers={header: text})
    documents = (
        f'{{ viewer {{ generation(id: "{canary("literal")}") {{ id }} }} }}',
        f'{{ viewer "{canary("syntax error")}" }}',
        f'mutation {{ signIn(input: {{email: "{canary("email")}", password: ["{canary("password")}"]}}) {{ token }} }}',
        f'query($a: String = "{canary("default")}") {{ viewer {{ id(a: $a) }} }}',
    )
    bodies = [json.dumps({"query": document}) for document in documents]
    bodies.append(f'{{"query": "{{ viewer", "variables": {{"password": "{canary("broken JSON")}"')
    for content in bodies:
        answer = await http.post("/graphql", content=content, headers={"content-type": "application/json"})
        aviary.errors += errors_of(answer.json())


async def crash(api: Api, aviary: Aviary) -> None:
    """A fault of ours, in the middle of what a person says; PostgreSQL quotes the row that it does not take."""
    if dialect() == "postgres":
        await rows("ALTER TABLE users ADD CONSTRAINT ck_fault CHECK (name IS NULL) NOT VALID")
        query = "mutation($name: String) { updateProfile(input: {name: $name}) { user { id } errors { message } } }"
        answer = (await api.raw(query, name=aviary.canary("crash"))).json()
        assert "INTERNAL" in json.dumps(answer)
        aviary.errors += errors_of(answer)
        return
    await rows("ALTER TABLE styles RENAME COLUMN prompt TO prompts")
    secret = {"title": aviary.canary("crash"), "prompt": aviary.canary("crash")}
    query = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }"
    answer = (await api.raw(query, input=secret)).json()
    assert "INTERNAL" in json.dumps(answer)
    aviary.errors += errors_of(answer)
    await rows("ALTER TABLE styles RENAME COLUMN prompts TO prompt")


async def test_a_crash_quotes_nobody(watched: Running, aviary: Aviary) -> None:
    ada = await watched.api.sign_up(f"{aviary.canary('e-mail')}@example.com", aviary.canary("password"))
    await crash(ada, aviary)
    assert "Traceback" in aviary.told()["log"]
    assert ("Failing row contains" in aviary.told()["log"]) is (dialect() == "postgres")
    assert aviary.caught() == set()


@pytest.mark.any_database
async def test_no_canary_comes_out_wherever_it_went_in(
    watched: Running, openrouter: ScriptedOpenRouter, aviary: Aviary
) -> None:
    api = watched.api
    password = aviary.canary("password")
    ada = await api.sign_up(f"{aviary.canary('e-mail')}@example.com", password)
    admin = await make_admin(api, f"{aviary.canary('e-mail')}@example.com", Role.SUPER_ADMIN)
    for token in (ada.token, admin.token):
        assert token
        aviary.flown[token] = "token"
    style = await ada.style("noir", "avenger")
    words = aviary.canary("prompt")
    # The provider repeats what it was asked, as real ones do.
    openrouter.script(status(400, text=f"The prompt {words} was not understood"), picture())
    for _ in range(2):
        (made,) = (await ada.create(photo(), styleId=style, prompt=f"A secret {words}"))["generations"]
        await ada.wait_for_end(made["id"])
    for client in (ada, admin):
        await ask_everything(client, aviary, wrong=False)
    await ask_everything(ada, aviary, wrong=True)
    ada = await api.sign_up(f"{aviary.canary('e-mail')}@example.com", password)
    await ask_on_a_socket(watched, aviary, ada.token)
    await ask_on_a_socket(watched, aviary, None)
    await knock_elsewhere(api.http, aviary)
    await crash(ada, aviary)
    token = watched.settings.metrics_token
    aviary.metrics = (await api.http.get("/metrics", headers={"authorization": f"Bearer {token}"})).text
    told = aviary.told()
    # All four were listening: the one generation stands in the log and the trace, its end in the figures.
    assert made["id"] in told["log"]
    assert made["id"] in told["trace"]
    assert 'darkroom_generations_ended_total{code="",status="COMPLETED"}' in told["metrics"]
    assert "reference" in told["error"]
    assert "Traceback" in told["log"]
    assert aviary.caught() == set()
