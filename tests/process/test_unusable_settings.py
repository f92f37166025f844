"""Settings that only their users can check: every command says in one line what is wrong, and its variable."""

import socket
from contextlib import closing

import pytest

from tests.process.conftest import Commands


async def refused(main: Commands, **variables: str) -> str:
    """Return the one line with which every command ends."""
    check, migrated = await main.run("check", **variables), await main.run("migrate", **variables)
    assert (check.code, check.out, check.err) == (migrated.code, migrated.out, migrated.err) == (2, "", check.err)
    (line,) = check.err.splitlines()
    assert "hush" not in line, "passwords are not printed"
    return line


async def test_file_that_is_no_manifest_is_refused_by_servers_and_by_check_alone(main: Commands) -> None:
    (main.folder / "list.json").write_text("[]")
    variables = {"TRUSTED_DOCUMENTS": "on", "TRUSTED_DOCUMENTS_FILES": "list.json"}
    for command in ("serve", "check"):
        ended = await main.run(command, **variables)
        assert (ended.code, ended.out) == (2, "")
        (line,) = ended.err.splitlines()
        assert line.startswith(
            "TRUSTED_DOCUMENTS_FILES: list.json: neither Apollo's manifest nor an object of documents"
        )
    assert (await main.run("migrate", **variables)).code == 0


async def test_env_file_that_is_not_in_utf_8_is_refused(main: Commands) -> None:
    (main.folder / ".env").write_bytes(b"PORT=8001\nMAIL_FROM=caf\xe9@example.com\n")
    assert await refused(main) == ".env: line 2 is not in UTF-8"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://:hush@redis:6379?socket_timeout=abc", "Invalid value for 'socket_timeout' in connection URL."),
        ("redis://:hush@redis:6379?bogus=1", "it has an unknown option: 'bogus'"),
        ("redis+cluster://:hush@redis:6379?bogus=1", "it has an unknown option: 'bogus'"),
        ("redis+cluster://:hush@redis:99999", "Port out of range 0-65535"),
    ],
)
async def test_redis_address_of_which_no_client_can_be_made_is_refused(main: Commands, url: str, problem: str) -> None:
    assert await refused(main, REDIS_URL=url) == f"REDIS_URL: {problem}"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PUBLIC_URL", "https://x y.com/a b", "must be an absolute http:// or https:// address"),
        ("PUBLIC_URL", "https://pictures.example.com/a b", "must be an absolute http:// or https:// address"),
        ("OIDC_ISSUERS", "[1]", "must be a list of objects in JSON, see docs/identity.md"),
    ],
)
async def test_address_with_spaces_and_issuer_that_is_no_object_are_refused(
    main: Commands, name: str, value: str, problem: str
) -> None:
    assert await refused(main, **{name: value}) == f"{name}: {problem}"


async def test_worker_whose_port_of_metrics_is_in_use_ends_with_one_line(main: Commands) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = await main.run("worker", WORKER_METRICS_PORT=str(port))
    assert ended.code == 3, "as a server whose port is in use"
    problem = f"WORKER_METRICS_PORT: 127.0.0.1:{port} cannot be listened on: Address already in use"
    assert ended.err.splitlines()[-1].startswith(problem)
