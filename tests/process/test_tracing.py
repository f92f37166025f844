"""Traces and crash reports: one trace from the request to the provider's call, and no user input in either."""

import asyncio
import contextlib
import gzip
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from models import File
from models.database.connection import rows
from models.enum import FileKind
from settings import Settings
from telemetry.crash import report, reporting
from telemetry.trace import span, tracing, tracing_to
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.raw_http import connection, request
from tests.web.test_metrics import read_metrics, sample

PROMPT = "a secret garden behind the mill"
LARGE = 64 << 20  # bytes: more than a connection that is not read takes up


class Ingest:
    """A local server that records every POST, as a trace collector and as Sentry."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> "Ingest":
        self._server = await asyncio.start_server(self._receive, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
def scripted_settings(scripted_settings: Settings) -> Settings:
    """Workers depend on wake-ups, which carry the trace; without one, a generation begins a trace of its own."""
    return scripted_settings.model_copy(update={"generation_sweep_seconds": 60.0})


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with Ingest() as found:
        yield found


def describe(spans: tuple[ReadableSpan, ...]) -> str:
    return "\n".join(span.to_json() for span in spans)


async def create_and_wait(ada: Api) -> str:
    style = await ada.style("noir", "avenger")
    (made,) = (await ada.create(photo(), styleId=style, prompt=PROMPT))["generations"]
    await ada.wait_for_end(made["id"])
    return str(made["id"])


async def test_trace_spans_from_the_request_to_the_provider_call(scripted: Running) -> None:
    exporter = InMemorySpanExporter()
    ada = await scripted.api.sign_up()
    with tracing_to(SimpleSpanProcessor(exporter)):
        made = await create_and_wait(ada)
        async with asyncio.timeout(20):
            while "generation" not in {one.name for one in exporter.get_finished_spans()}:  # noqa: ASYNC110 - the span ends just after the last event
                await asyncio.sleep(0.01)
    spans = {one.context.span_id: one for one in exporter.get_finished_spans() if one.context}
    (operation,) = [one for one in spans.values() if one.name == "graphql createGeneration"]
    (call,) = [one for one in spans.values() if one.name == "provider.call"]
    assert operation.context
    assert call.context
    assert call.context.trace_id == operation.context.trace_id
    current, ancestors = call, []
    while current.parent is not None:
        current = spans[current.parent.span_id]
        ancestors.append(current.name)
    assert ancestors[0] == "generation"
    assert ancestors[-1] == "graphql createGeneration"
    same = {one.name for one in spans.values() if one.context and one.context.trace_id == operation.context.trace_id}
    assert same >= {"transaction", "storage.put", "storage.get", "provider.call", "generation"}
    assert dict(operation.attributes or {}) == {"type": "mutation", "user": ada.user["id"]}
    assert dict(call.attributes or {})["outcome"] == "ok"
    text = describe(exporter.get_finished_spans())
    assert made in text
    assert PROMPT not in text
    assert "ada@example.com" not in text


@pytest.mark.any_database
async def test_spans_contain_no_exception_message() -> None:
    exporter = InMemorySpanExporter()
    with (
        tracing_to(SimpleSpanProcessor(exporter)),
        pytest.raises(ValueError, match="garden"),
        span("outer"),
        span("inner"),
    ):
        raise ValueError(PROMPT)
    assert PROMPT not in describe(exporter.get_finished_spans())
    assert [one.status.description for one in exporter.get_finished_spans()] == ["ValueError", "ValueError"]


async def test_spans_are_exported_and_disabled_spans_record_nothing(ingest: Ingest) -> None:
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


async def test_crash_report_has_the_reference_and_no_user_input(scripted: Running, ingest: Ingest) -> None:
    ada = await scripted.api.sign_up()
    await rows("ALTER TABLE styles RENAME COLUMN prompt TO prompts")
    query = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }"
    with contextlib.ExitStack() as stack:
        stack.enter_context(reporting(f"http://public@127.0.0.1:{ingest.port}/1", "production", "1.2.3"))
        refused = await ada.refused(query, input={"title": PROMPT, "prompt": PROMPT})
        assert refused["code"] == "INTERNAL"
        await ada.refused("mutation { cancelGeneration(id: 1) { errors { code message } } }")  # a refusal, not a crash
        report(ValueError(PROMPT), generation="gen_1")
        await asyncio.to_thread(stack.close)  # in a thread: it waits for the server of this event loop
    events = [event_in(body) for _, body in ingest.posts]
    assert [event["tags"] for event in events] == [
        {"process": "command", "reference": refused["reference"]},
        {"process": "command", "generation": "gen_1"},
    ]
    assert {event["release"] for event in events} == {"darkroom@1.2.3"}
    for event in events:
        assert event["exception"]["values"]
        assert set(event) & {"request", "user", "extra", "breadcrumbs", "server_name"} == set()
    reports = str(ingest.posts)
    for secret in (PROMPT, "ada@example.com", ada.token or ""):
        assert secret not in reports
    report(ValueError(PROMPT))  # disabled


@pytest.mark.any_database
async def test_download_that_an_outage_cuts_off_is_no_crash(
    scripted: Running, ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await scripted.api.sign_up()
    made = await create_and_wait(ada)
    await ada.one('mutation($id: ID!) { shareGeneration(id: $id, slug: "the-fox") { errors { code } } }', id=made)
    file = await File.get(kind=FileKind.RESULT)
    folder = scripted.settings.data_dir / "files"
    os.truncate(folder / file.key, LARGE)
    await File.filter(id=file.id).update(byte_size=LARGE)
    before = await read_metrics(scripted.api.http)
    with contextlib.ExitStack() as stack:
        stack.enter_context(reporting(f"http://public@127.0.0.1:{ingest.port}/1", "production", "1.2.3"))
        async with connection(scripted.api.address) as raw:
            await raw.send(request("GET", "/s/the-fox/picture"))
            assert b" 200 OK" in await raw.reader.readuntil(b"\r\n\r\n")
            folder.rename(folder.with_name("files-elsewhere"))
            folder.write_bytes(b"a file where the folder should be")
            assert len(await raw.rest()) < LARGE
        report(ValueError(PROMPT), generation="gen_1")
        await asyncio.to_thread(stack.close)
    assert [event_in(body)["tags"].get("generation") for _, body in ingest.posts] == ["gen_1"], "no other report"
    assert "Exception in ASGI application" not in caplog.text
    after = await read_metrics(scripted.api.http)
    for status, times in (("500", 0), ("503", 1)):
        labels = {"route": "/s", "method": "GET", "status": status}
        increase = sample(after, "http_requests_total", **labels) - sample(before, "http_requests_total", **labels)
        assert (status, increase) == (status, times)


def event_in(envelope: bytes) -> dict[str, Any]:
    """Return the event of a Sentry envelope: its third line."""
    found: dict[str, Any] = json.loads(envelope.splitlines()[2])
    return found
