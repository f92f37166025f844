"""Traces and reports of crashes: one trace from the order to the provider's call, and neither repeats a word."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from models.database.connection import rows
from telemetry.crash import report, reporting
from telemetry.trace import span, tracing, tracing_to
from tests.conftest import Running
from tests.support.client import Api, photo

WORDS = "a secret garden behind the mill"


class Ingest:
    """A local server that takes whatever is posted: a collector of traces, and a Sentry."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> "Ingest":
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(fields["content-length"]))
        if fields.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.posts.append((head.split()[1], body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with Ingest() as found:
        yield found


def describe(spans: tuple[ReadableSpan, ...]) -> str:
    return "\n".join(span.to_json() for span in spans)


async def make(ada: Api) -> str:
    style = await ada.style("noir", "avenger")
    (made,) = (await ada.create(photo(), styleId=style, prompt=WORDS))["generations"]
    await ada.wait_for_end(made["id"])
    return str(made["id"])


async def test_one_trace_leads_from_the_order_to_the_provider(scripted: Running) -> None:
    told = InMemorySpanExporter()
    ada = await scripted.api.sign_up()
    with tracing_to(SimpleSpanProcessor(told)):
        made = await make(ada)
        async with asyncio.timeout(20):
            while "generation" not in {one.name for one in told.get_finished_spans()}:  # noqa: ASYNC110 - it ends just after its last news
                await asyncio.sleep(0.01)
    spans = {one.context.span_id: one for one in told.get_finished_spans() if one.context}
    (order,) = [one for one in spans.values() if one.name == "graphql createGeneration"]
    (call,) = [one for one in spans.values() if one.name == "provider.call"]
    assert order.context
    assert call.context
    assert call.context.trace_id == order.context.trace_id
    up, above = call, []
    while up.parent is not None:
        up = spans[up.parent.span_id]
        above.append(up.name)
    assert above[0] == "generation"
    assert above[-1] == "graphql createGeneration"
    same = {one.name for one in spans.values() if one.context and one.context.trace_id == order.context.trace_id}
    assert same >= {"transaction", "storage.put", "storage.get", "provider.call", "generation"}
    assert dict(order.attributes or {}) == {"type": "mutation", "user": ada.user["id"]}
    assert dict(call.attributes or {})["outcome"] == "ok"
    text = describe(told.get_finished_spans())
    assert made in text
    assert WORDS not in text
    assert "ada@example.com" not in text


@pytest.mark.any_database
async def test_what_an_error_says_is_in_no_span() -> None:
    told = InMemorySpanExporter()
    with tracing_to(SimpleSpanProcessor(told)), pytest.raises(ValueError, match="garden"), span("outer"), span("inner"):
        raise ValueError(WORDS)
    assert WORDS not in describe(told.get_finished_spans())
    assert [one.status.description for one in told.get_finished_spans()] == ["ValueError", "ValueError"]


async def test_spans_reach_a_collector_and_one_that_is_away_costs_nothing(ingest: Ingest) -> None:
    def trace() -> None:
        with tracing(f"http://127.0.0.1:{ingest.port}"), span("sent", number=7):
            pass

    await asyncio.to_thread(trace)
    ((path, body),) = ingest.posts
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [one.name for scope in resource.scope_spans for one in scope.spans] == ["sent"]
    assert "darkroom" in str(resource.resource)
    with tracing(None), span("nowhere") as found:
        assert not found.is_recording()
    with span("nowhere either") as found:
        assert not found.is_recording()


async def test_a_crash_is_reported_by_its_reference_and_without_a_word(scripted: Running, ingest: Ingest) -> None:
    ada = await scripted.api.sign_up()
    await rows("ALTER TABLE styles RENAME COLUMN prompt TO prompts")
    query = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }"
    with contextlib.ExitStack() as stack:
        stack.enter_context(reporting(f"http://public@127.0.0.1:{ingest.port}/1", "production"))
        refused = await ada.refused(query, input={"title": WORDS, "prompt": WORDS})
        assert refused["code"] == "INTERNAL"
        await ada.refused("mutation { cancelGeneration(id: 1) { errors { code message } } }")  # no crash
        report(ValueError(WORDS), generation="gen_1")
        await asyncio.to_thread(stack.close)  # waits until they are sent, to a server of this very loop
    events = [event_in(body) for _, body in ingest.posts]
    assert [event["tags"] for event in events] == [{"reference": refused["reference"]}, {"generation": "gen_1"}]
    for event in events:
        assert event["exception"]["values"]
        assert set(event) & {"request", "user", "extra", "breadcrumbs", "server_name"} == set()
    told = str(ingest.posts)
    for secret in (WORDS, "ada@example.com", ada.token or ""):
        assert secret not in told
    report(ValueError(WORDS))  # to nobody


def event_in(envelope: bytes) -> dict[str, Any]:
    """The event of one envelope: its third line."""
    found: dict[str, Any] = json.loads(envelope.splitlines()[2])
    return found
