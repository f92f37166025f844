"""Canary values are sent through every input, and must appear in no log line, metric, span or error."""

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
ENDS_THE_SESSION = {"signOut", "deleteAccount", "changePassword"}  # sent last, because the rest needs a valid session


@dataclass
class Leaks:
    """Every canary that was sent, and all output that could contain one."""

    log: io.StringIO = field(default_factory=io.StringIO)
    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    errors: list[str] = field(default_factory=list)
    metrics: str = ""
    canaries: dict[str, str] = field(default_factory=dict)  # the input of each canary

    def canary(self, place: str) -> str:
        """Return a new canary: a unique text, so that a part of it is recognized, too."""
        made = f"canary{uuid.uuid4().hex}"
        self.canaries[made] = place
        return made

    def output(self) -> dict[str, str]:
        spans = "\n".join(span.to_json() for span in self.spans.get_finished_spans())
        return {"log": self.log.getvalue(), "metrics": self.metrics, "trace": spans, "error": "\n".join(self.errors)}

    def found(self) -> set[tuple[str, str]]:
        """Return the output and the input of every canary that leaked."""
        return {
            (where, place)
            for where, text in self.output().items()
            for canary, place in self.canaries.items()
            if canary[:20] in text.casefold()
        }


@pytest.fixture
def leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leaks]:
    found = Leaks()
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", found.log)
        with tracing_to(SimpleSpanProcessor(found.spans)):
            yield found
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


@pytest.fixture
def watched_settings(settings: Settings, openrouter: ScriptedOpenRouter, mailbox: Mailbox, leaks: Leaks) -> Settings:
    """Settings whose secrets are all canaries, with every log level enabled."""
    openrouter.key = f"sk-or-v1-{leaks.canary('OPENROUTER_API_KEY')}"
    found = settings.model_copy(
        update={
            "image_provider": Provider.OPENROUTER,
            "openrouter_api_key": openrouter.key,
            "openrouter_base_url": openrouter.base_url,
            "secret_key": leaks.canary("SECRET_KEY"),
            "metrics_token": leaks.canary("METRICS_TOKEN"),
            "polar_webhook_secret": (leaks.canary("POLAR_WEBHOOK_SECRET"),),
            "aws_secret_access_key": leaks.canary("AWS_SECRET_ACCESS_KEY"),
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


def value(type_: Any, place: str, leaks: Leaks, *, wrong: bool) -> Any:
    """Return an input of this type with a canary in every string; with `wrong`, of an invalid type everywhere."""
    if isinstance(type_, GraphQLNonNull):
        return value(type_.of_type, place, leaks, wrong=wrong)
    if isinstance(type_, GraphQLList):
        return [value(type_.of_type, place, leaks, wrong=wrong)]
    if isinstance(type_, GraphQLInputObjectType):
        return {
            name: value(each.type, f"{place}.{name}", leaks, wrong=wrong)
            for name, each in type_.fields.items()
            if wrong
            or not isinstance(getattr(each.type, "of_type", each.type), GraphQLScalarType)
            or getattr(each.type, "of_type", each.type).name != "Upload"
        }
    canary = leaks.canary(place)
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
    """Return a selection set for this type; for payloads, including their errors."""
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    if is_leaf_type(type_):
        return ""
    if not isinstance(type_, GraphQLObjectType):
        return "{ __typename }"
    fields = ["__typename"]
    if "errors" in type_.fields:
        fields.append("errors { code message field }")
    return "{ " + " ".join(fields) + " }"


def operation(kind: str, name: str, field: GraphQLField) -> str:
    declared = ", ".join(f"${key}: {argument.type}" for key, argument in field.args.items())
    given = ", ".join(f"{key}: ${key}" for key in field.args)
    return f"{kind} Watched({declared}) {{ {name}({given}) {selection(field.type)} }}"


def has_text(found: Any) -> bool:
    """Whether there is a string among the values, at any depth."""
    if isinstance(found, dict | list):
        return any(has_text(inner) for inner in (found.values() if isinstance(found, dict) else found))
    return isinstance(found, str)


def operations(leaks: Leaks, *, wrong: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield kind, document and variables of one operation for each root field."""
    for root in (GRAPHQL.query_type, GRAPHQL.mutation_type, GRAPHQL.subscription_type):
        assert root is not None
        kind = root.name.lower()
        for name, root_field in sorted(root.fields.items(), key=lambda item: item[0] in ENDS_THE_SESSION):
            variables = {
                key: value(each.type, f"{kind}.{name}.{key}", leaks, wrong=wrong)
                for key, each in root_field.args.items()
            }
            if has_text(variables):  # others reveal nothing, and signOut would end the session
                yield kind, operation(kind, name, root_field), variables


def errors_of(body: Any) -> Iterator[str]:
    """Yield every error in a response, at any depth."""
    if isinstance(body, dict):
        for name, inner in body.items():
            if name == "errors" and inner:
                yield json.dumps(inner, ensure_ascii=False)
            else:
                yield from errors_of(inner)


async def send_every_operation(api: Api, leaks: Leaks, *, wrong: bool) -> None:
    """Send every root field once, by POST; subscriptions as a stream."""
    for kind, query, variables in operations(leaks, wrong=wrong):
        accept = {"accept": "text/event-stream"} if kind == "subscription" else {}
        body = {"query": query, "variables": variables}
        async with api.http.stream("POST", "/graphql", json=body, headers=api.headers(**accept)) as answer:
            if not accept:
                leaks.errors += errors_of(json.loads(await answer.aread()))
                continue
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and len(line) > len("data: "):
                    leaks.errors += errors_of(json.loads(line.removeprefix("data: ")))
                    break  # some of these streams never end


async def send_on_a_socket(server: Running, leaks: Leaks, token: str | None) -> None:
    """Send some operations on a socket, with canaries in connection_init."""
    url = server.api.address.replace("http", "ws", 1) + "/graphql"
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with websockets.connect(url, subprotocols=[protocol]) as socket:
        payload = {"token": token or leaks.canary("connection_init.token"), "x": leaks.canary("connection_init.x")}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        if token is None:
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            return
        await socket.recv()
        for number, (_, query, variables) in enumerate(operations(leaks, wrong=False)):
            if number % 8:
                continue
            message = {"id": str(number), "type": "subscribe", "payload": {"query": query, "variables": variables}}
            await socket.send(json.dumps(message))
            reply = json.loads(await socket.recv())
            errors = {"errors": reply["payload"]} if reply["type"] == "error" else reply.get("payload")
            leaks.errors += errors_of(errors)


async def send_to_other_endpoints(http: httpx.AsyncClient, leaks: Leaks) -> None:
    """Send canaries to signed links, uploads, shared pages, mailed links, checkouts, webhooks and metrics."""
    canary = leaks.canary
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
        leaks.errors += errors_of(answer.json())


async def crash(api: Api, leaks: Leaks) -> None:
    """Cause an internal error in a request with a canary; PostgreSQL's error quotes the rejected row."""
    if dialect() == "postgres":
        await rows("ALTER TABLE users ADD CONSTRAINT ck_fault CHECK (name IS NULL) NOT VALID")
        query = "mutation($name: String) { updateProfile(input: {name: $name}) { user { id } errors { message } } }"
        answer = (await api.raw(query, name=leaks.canary("crash"))).json()
        assert "INTERNAL" in json.dumps(answer)
        leaks.errors += errors_of(answer)
        return
    await rows("ALTER TABLE styles RENAME COLUMN prompt TO prompts")
    secret = {"title": leaks.canary("crash"), "prompt": leaks.canary("crash")}
    query = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }"
    answer = (await api.raw(query, input=secret)).json()
    assert "INTERNAL" in json.dumps(answer)
    leaks.errors += errors_of(answer)
    await rows("ALTER TABLE styles RENAME COLUMN prompts TO prompt")


async def test_crash_does_not_log_user_input(watched: Running, leaks: Leaks) -> None:
    ada = await watched.api.sign_up(f"{leaks.canary('e-mail')}@example.com", leaks.canary("password"))
    await crash(ada, leaks)
    assert "Traceback" in leaks.output()["log"]
    assert ("Failing row contains" in leaks.output()["log"]) is (dialect() == "postgres")
    assert leaks.found() == set()


@pytest.mark.any_database
async def test_no_canary_appears_in_any_output(watched: Running, openrouter: ScriptedOpenRouter, leaks: Leaks) -> None:
    api = watched.api
    password = leaks.canary("password")
    ada = await api.sign_up(f"{leaks.canary('e-mail')}@example.com", password)
    admin = await make_admin(api, f"{leaks.canary('e-mail')}@example.com", Role.SUPER_ADMIN)
    for token in (ada.token, admin.token):
        assert token
        leaks.canaries[token] = "token"
    style = await ada.style("noir", "avenger")
    prompt = leaks.canary("prompt")
    # The provider quotes the prompt, as real ones do.
    openrouter.script(status(400, text=f"The prompt {prompt} was not understood"), picture())
    for _ in range(2):
        (made,) = (await ada.create(photo(), styleId=style, prompt=f"A secret {prompt}"))["generations"]
        await ada.wait_for_end(made["id"])
    for client in (ada, admin):
        await send_every_operation(client, leaks, wrong=False)
    await send_every_operation(ada, leaks, wrong=True)
    ada = await api.sign_up(f"{leaks.canary('e-mail')}@example.com", password)
    await send_on_a_socket(watched, leaks, ada.token)
    await send_on_a_socket(watched, leaks, None)
    await send_to_other_endpoints(api.http, leaks)
    await crash(ada, leaks)
    token = watched.settings.metrics_token
    leaks.metrics = (await api.http.get("/metrics", headers={"authorization": f"Bearer {token}"})).text
    output = leaks.output()
    # A control: all four outputs were recorded.
    assert made["id"] in output["log"]
    assert made["id"] in output["trace"]
    assert 'darkroom_generations_ended_total{code="",status="COMPLETED"}' in output["metrics"]
    assert "reference" in output["error"]
    assert "Traceback" in output["log"]
    assert leaks.found() == set()
