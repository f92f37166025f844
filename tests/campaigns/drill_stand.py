"""What the drills stand on: a server with real PostgreSQL, Redis and S3 that can fail, and the eyes of an operator."""

import asyncio
import contextlib
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
import yaml

from logs import configure_logs
from main import prepare
from setting_types import Switch
from settings import ROOT, load_settings
from tests.alerts.test_alert_rules import RULES, find_promtool
from tests.campaigns.chaos_proxy import FaultyProxy, faulty_proxy
from tests.conftest import Running, quick_settings, running
from tests.support.client import Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, s3_server
from tests.support.servers import PostgresServer, RedisServer

Samples = dict[str, float]
DEADLINE = 2.0  # seconds that the provider has
PHOTOS = 5  # failures of the storage that page a person
_STEPS = 8  # scrapes of 15 s: two minutes before, and as long during a fault
SERVED, WAITS = "served", "waits"
_S3 = ("s3_bucket", "s3_endpoint_url", "aws_access_key_id", "aws_secret_access_key")
KEY_EVENTS = {"provider.key", "provider.paused"}  # errors of the log: a key has to be replaced
ORDER = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { code } } }"


@dataclass
class Stand:
    """A server with its worker, and what it depends on. `written`: its log, as JSON."""

    server: Running
    ada: Api
    postgres: PostgresServer
    redis: RedisServer
    s3: FaultyProxy
    openrouter: ScriptedOpenRouter
    written: StringIO
    disk: Path | None = None  # where files are kept, if not in S3: a small file system of their own
    rows: list[str] = field(default_factory=list)  # of the table

    async def health(self) -> dict[str, Any]:
        report: dict[str, Any] = (await self.server.api.http.get("/health?full=1")).json()
        return report

    async def metrics(self) -> Samples:
        text = (await self.server.api.http.get("/metrics")).text
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("darkroom_"))
        return {name: float(value) for name, _, value in lines}

    def lines(self, since: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue()[since:].splitlines()]

    async def sql(self, *statements: str) -> None:
        """Run statements as an operator would, on a connection of their own."""
        connection = await asyncpg.connect(
            self.postgres.url("darkroom"), server_settings={"default_transaction_read_only": "off"}
        )
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def outcome(self, document: str, files: dict[str, Any] | None = None, **variables: Any) -> str:
        """Return the code with which an operation of a client is refused, or `served`."""
        answer = (await self.ada.raw(document, files, **variables)).json()
        payloads: list[Any] = list((answer.get("data") or {}).values())
        errors = answer.get("errors") or [error for each in payloads if each for error in each.get("errors") or []]
        if not errors:
            return SERVED
        code: str = errors[0].get("extensions", errors[0]).get("code")
        return code

    async def reads(self) -> str:
        """Return the outcome of a query."""
        return await self.outcome("{ viewer { id } }")

    async def writes(self) -> str:
        """Return the outcome of a change."""
        return await self.outcome('mutation { updateProfile(input: {name: "Ada"}) { errors { code } } }')

    async def sends_photo(self) -> str:
        """Return the outcome of an order with a photo; if it is refused, others follow, as many as page a person."""
        style = await self.ada.style("noir", "avenger")
        outcomes = [await self.outcome(ORDER, {"input.image": photo()}, input={"styleId": style})]
        while outcomes[0] != SERVED and len(outcomes) < PHOTOS:
            outcomes.append(await self.outcome(ORDER, {"input.image": photo()}, input={"styleId": style}))
        return ", ".join(sorted(set(outcomes)))

    async def orders(self) -> str:
        """Return the code with which generations end, or `served`."""
        style = await self.ada.style("noir", "avenger")
        made = (await self.ada.create(photo(), styleId=style, count=3))["generations"]
        ended = await asyncio.gather(*(self.ada.wait_for_end(each["id"]) for each in made))
        return ended[0]["errorCode"] or SERVED

    async def waits(self) -> str:
        """Return `waits` if an order is back in the queue because of its provider, or as `orders`."""
        style = await self.ada.style("noir", "avenger")
        (made,) = (await self.ada.create(photo(), styleId=style))["generations"]
        found = made

        async def is_settled() -> bool:
            nonlocal found
            found = await self.ada.generation(made["id"])
            return found["completedAt"] is not None or "Your order waits" in found["message"]

        await until(is_settled)
        return WAITS if found["completedAt"] is None else found["errorCode"] or SERVED

    async def check_command(self) -> str:
        """Return what `main.py check` prints, in a process of its own."""
        settings = self.server.settings
        names = ["database_url", "redis_url", "data_dir", "s3_bucket", "s3_prefix", "s3_endpoint_url", "s3_region"]
        names += ["aws_access_key_id", "aws_secret_access_key", "openrouter_api_key", "openrouter_base_url"]
        names += ["generation_deadline_seconds"]
        values = {name.upper(): getattr(settings, name) for name in names}
        environment = {name: str(value) for name, value in values.items() if value is not None}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "main.py"),
            "check",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **environment},
            cwd=settings.data_dir,
        )
        output, _ = await process.communicate()
        return output.decode()


@dataclass(frozen=True)
class Drill:
    """One fault. `health` and `metric` say whether a report, or the metrics before and during it, show it.

    `check`: what `main.py check` prints; empty: nothing about it. `log`: an event, or the service of an outage.
    """

    name: str
    begin: Callable[[Stand], Awaitable[object]]
    end: Callable[[Stand], Awaitable[object]]
    health: Callable[[dict[str, Any]], bool]
    metric: Callable[[Samples, Samples], bool]
    alerts: frozenset[str]
    log: str
    check: str = ""
    client: Callable[[Stand], Awaitable[str]] = Stand.reads
    outcome: str = SERVED
    is_counted: bool = False  # its metric never decreases
    is_for_a_person: bool = False  # its log event is an error, because only a person can mend it


async def run(stand: Stand, drill: Drill, *, with_check: bool) -> None:
    """Run one drill: assert what everybody sees while it lasts, and that nothing is left of it afterwards."""
    seconds: dict[str, float] = {}
    before, since = await stand.metrics(), len(stand.written.getvalue())
    during = before
    await drill.begin(stand)
    began = time.monotonic()

    async def health_shows() -> bool:
        return drill.health(await stand.health())

    async def metrics_show() -> bool:
        nonlocal during
        during = await stand.metrics()
        return drill.metric(before, during)

    async def log_shows() -> bool:
        found = [line for line in stand.lines(since) if drill.log in (line["event"], line.get("service"))]
        return bool(found)

    async def client_sees() -> bool:
        return await drill.client(stand) == drill.outcome

    async def timed(name: str, condition: Callable[[], Awaitable[bool]]) -> None:
        await until(condition)
        seconds[name] = time.monotonic() - began

    try:
        await asyncio.gather(
            timed("client", client_sees),
            timed("health", health_shows),
            timed("metric", metrics_show),
            timed("log", log_shows),
        )
        assert max(seconds.values()) < 10, seconds
        during = await stand.metrics()
        printed = await stand.check_command() if with_check and drill.check else drill.check
        assert drill.check in printed, printed
    finally:
        await drill.end(stand)

    after = during

    async def is_over() -> bool:
        nonlocal after
        report = await stand.health()
        after = await stand.metrics()
        shown = drill.metric(before, after) and not drill.is_counted
        return await drill.client(stand) == SERVED and report["status"] == "ok" and not shown

    ended = time.monotonic()
    await until(is_over)
    over = time.monotonic() - ended
    fired = await asyncio.to_thread(firing, before, during, after)
    assert not drill.alerts - fired.during | drill.alerts & fired.after, fired
    for_a_person = KEY_EVENTS | {drill.log} if drill.is_for_a_person else KEY_EVENTS
    for line in stand.lines(since):
        assert line["level"] != "error" or line["event"] in for_a_person, line
        assert "exception" not in line, line
    shown = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    stand.rows.append(f"{drill.name}: {shown}; over after {over:.1f} s; {', '.join(sorted(drill.alerts))}")


@dataclass(frozen=True)
class Firing:
    """The alerts that fire two minutes after a fault began, and a quarter of an hour after it ended."""

    during: frozenset[str]
    after: frozenset[str]


def firing(before: Samples, during: Samples, after: Samples) -> Firing:
    """Let promtool evaluate the alert rules over what was scraped; without it, all that may be asked are assumed."""
    program = find_promtool()
    if program is None:
        return Firing(frozenset(alert_names()), frozenset())
    used = set(re.findall(r"\bdarkroom_[a-z_]+", RULES.read_text(encoding="utf-8")))
    series = [{"series": 'up{job="darkroom-server"}', "values": "1x100"}]
    for name in sorted(before.keys() | during.keys() | after.keys()):
        if name.partition("{")[0] in used:
            parts = ((before, _STEPS), (during, _STEPS), (after, 70))
            series.append({"series": name, "values": " ".join(_repeated(*part, name) for part in parts)})
    return Firing(*(_evaluate(program, series, moment) for moment in ("3m45s", "19m")))


def _repeated(samples: Samples, times: int, name: str) -> str:
    """Return a sample and so many repetitions of it, in promtool's notation; a series may begin with the fault."""
    return f"{samples[name]:f}x{times}" if name in samples else f"_x{times + 1}"


def _evaluate(program: str, series: list[dict[str, str]], moment: str) -> frozenset[str]:
    # No sample is expected, so that promtool prints those that it finds.
    query = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": moment, "exp_samples": []}
    case = {"interval": "15s", "input_series": series, "promql_expr_test": [query]}
    text = yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [case]})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drill.yaml"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run([program, "test", "rules", path], capture_output=True, text=True, timeout=60)  # noqa: S603 - a test
    output = done.stdout + done.stderr
    assert done.returncode == 0 or "got:" in output, output
    return frozenset(re.findall(r'alertname=\\?"(\w+)', output.partition("got:")[2]))


def alert_names() -> list[str]:
    return re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8"))


@contextlib.contextmanager
def _json_log() -> Iterator[StringIO]:
    before, root, written = structlog.get_config(), logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", written)
        configure_logs(load_settings(_env_file=None, log_format="json"))
        try:
            yield written
        finally:
            structlog.configure(**before)
            root.handlers[:] = handlers
            root.setLevel(level)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 8 MiB, or skip the test where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "darkroom-drill", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:  # noqa: S603 - a test
        pytest.skip("no right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)  # noqa: S603, S607 - a test


def fill(disk: Path) -> None:
    """Write until nothing fits any more."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@contextlib.asynccontextmanager
async def open_stand(folder: Path, disk: Path | None = None) -> AsyncIterator[Stand]:
    """Start everything that a drill needs. `disk`: the folder of the files; None: they are in S3."""
    postgres, redis = PostgresServer(own=True), RedisServer(own=True)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(postgres.stop)
        stack.callback(redis.stop)
        postgres.start()
        postgres.create_database("darkroom")
        redis.start()
        # With local files, nothing is asked of a store.
        target = stack.enter_context(s3_server()).url if disk is None else ""
        proxy = await stack.enter_async_context(faulty_proxy(target, random.Random(1)))
        openrouter = await stack.enter_async_context(ScriptedOpenRouter())
        settings = quick_settings(postgres.url("darkroom"), folder).model_copy(
            update={
                "redis_url": redis.url,
                "rate_limits": Switch.ON,
                "s3_bucket": BUCKET,
                "s3_endpoint_url": proxy.url,
                "s3_region": REGION,
                "aws_access_key_id": KEY_ID,
                "aws_secret_access_key": SECRET,
                "openrouter_api_key": openrouter.key,
                "openrouter_base_url": openrouter.base_url,
                "generation_deadline_seconds": DEADLINE,
                "signup_credits": 1_000_000,  # orders are repeated as fast as they end until health has seen them
                "circuit_open_seconds": 1.0,  # or a drill would end only after half a minute
                "rate_limit_generations_per_minute": 100_000,
                **({} if disk is None else {**dict.fromkeys(_S3), "data_dir": disk}),
            }
        )
        written = stack.enter_context(_json_log())
        await asyncio.create_task(prepare(settings))
        server = await stack.enter_async_context(running(settings))
        await server.services.operations.provider_keys.refresh()
        # As if it had run for an hour: before the first audit its metrics do not exist.
        await server.services.operations.self_check.check_when_due(datetime.now(UTC))
        yield Stand(server, await server.api.sign_up(), postgres, redis, proxy, openrouter, written, disk)
