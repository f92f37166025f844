"""`main.py queue`: what waits and what failed, and the acts of an operator on behalf of an admin."""

import re
from collections.abc import Awaitable, Callable

import pytest

from commands.queue import execute
from main import parse_arguments
from models import AuditEntry, Generation
from models.enum import AdminAction, ErrorCode, GenerationStatus
from tests.conftest import Running
from tests.support.client import Api
from tests.support.integrity import assert_invariants, make_admin

LOG_LINE = re.compile(r"20\d\d-")
Queue = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def queue(idle_server: Running, capsys: pytest.CaptureFixture[str]) -> Queue:
    """Run the command, and return its exit code, output and errors."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await execute(idle_server.services, parse_arguments(["queue", *arguments]))
        found = capsys.readouterr()
        lines = [line for line in found.out.splitlines() if not LOG_LINE.match(line)]
        return code, "\n".join(lines), found.err

    return run


async def test_queue_shows_what_waits_by_account_and_age(idle_server: Running, queue: Queue) -> None:
    code, out, _ = await queue()
    assert (code, out.splitlines()[0]) == (0, "0 waiting, 0 in progress, 0 slots of 0 workers")
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    first = (await bob.create(prompt="A red boat"))["generations"][0]["id"]
    for _ in range(2):
        await ada.create(prompt="A blue boat")
    code, out, _ = await queue("--limit", "2")
    assert out.splitlines()[0] == "3 waiting, 0 in progress, 0 slots of 0 workers"
    accounts = [line.split()[:3] for line in out.splitlines() if line.startswith("usr_")]
    assert accounts == [[bob.user["id"], "1", "0"], [ada.user["id"], "2", "0"]]
    generations = [line.split() for line in out.splitlines() if line.startswith("gen_")]
    assert generations[0][0] == first
    assert len(generations) == 2


async def test_pausing_and_resuming_is_the_maintenance_switch_of_an_admin(idle_server: Running, queue: Queue) -> None:
    admin, ada = await make_admin(idle_server.api), await idle_server.api.sign_up()
    code, out, _ = await queue("pause", "--as", admin.user["email"])
    assert (code, out) == (0, "openrouter is paused.")
    assert "; paused: openrouter" in (await queue())[1]
    refused = await ada.create(prompt="A red boat")
    assert [error["code"] for error in refused["errors"]] == ["UNAVAILABLE"]
    assert (await queue("resume", "--as", admin.user["email"]))[1] == "openrouter is in use."
    entries = await AuditEntry.filter(action=AdminAction.SET_MAINTENANCE)
    assert [entry.actor_id for entry in entries] == [admin.user["id"]] * 2
    code, _, problem = await queue("pause", "--as", ada.user["email"])
    assert (code, problem.strip()) == (
        1, f"No admin has the address {ada.user['email']}. `main.py make-admin` appoints one."
    )  # fmt: skip


async def test_generations_are_canceled_listed_and_retried(idle_server: Running, queue: Queue) -> None:
    admin, ada = await make_admin(idle_server.api), await idle_server.api.sign_up()
    before = await ada.credits()
    id = (await ada.create(prompt="A red boat"))["generations"][0]["id"]
    code, out, _ = await queue("cancel", id, "--as", admin.user["email"])
    assert (code, out) == (0, f"{id} is CANCELED, and refunded.")
    assert await ada.credits() == before
    code, _, problem = await queue("cancel", "gen_00000000000000000000000000", "--as", admin.user["email"])
    assert (code, bool(problem)) == (1, True)
    assert (await queue("failed"))[1] == "No generation has failed in the last 24 hours."
    await fail_waiting(idle_server, ada)
    code, out, _ = await queue("failed")
    (row,) = [line.split() for line in out.splitlines() if line.startswith("gen_")]
    assert (row[4], row[-1]) == ("UNAVAILABLE", "yes")
    code, out, _ = await queue("retry", row[0], "--as", admin.user["email"], "--reason", "our outage")
    assert code == 0
    retried = await Generation.get(id=out.split()[-1].rstrip("."))
    assert (retried.status, retried.cost, retried.parent_id) == (GenerationStatus.PENDING, 0, row[0])
    await assert_invariants(idle_server.services)


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        ((), 20),
        (("--limit", "5"), 5),
        (("failed",), 20),
        (("--limit", "5", "failed"), 5),
        (("failed", "--limit", "5"), 5),
    ],
)
async def test_rows_of_each_table_are_limited_before_and_after_the_action(
    idle_server: Running, queue: Queue, arguments: tuple[str, ...], limit: int
) -> None:
    assert parse_arguments(["queue", *arguments]).limit == limit
    assert (await queue(*arguments))[0] == 0


async def fail_waiting(server: Running, user: Api) -> None:
    """Submit a generation, and fail it as a worker does whose provider is away."""
    await user.create(prompt="A blue boat")
    claim = await server.services.generations.worker.take_next()
    assert claim is not None
    await claim.fail(ErrorCode.UNAVAILABLE, called=False)
