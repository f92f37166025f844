"""Whose address a request has: nobody can choose it, and our own proxies do not hide it."""

import pytest
from starlette.requests import HTTPConnection

from web.client_address import ClientAddress

PROXIES = ("10.0.0.0/8", "fd00::/8")


def seen(peer: str | None, *forwarded: str, proxies: tuple[str, ...] = PROXIES) -> str:
    """What a request from `peer` counts as, with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    client = (peer, 1234) if peer is not None else None

    async def nothing(*_: object) -> None:
        pass

    return ClientAddress(nothing, proxies).of(HTTPConnection({"type": "http", "headers": headers, "client": client}))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", (), "203.0.113.5"),
        ("203.0.113.5", ("198.51.100.1",), "203.0.113.5"),  # no proxy of ours: it says what it likes
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),  # further left stands what the caller wrote
        ("10.0.0.1", ("1.1.1.1", "198.51.100.1"), "198.51.100.1"),  # so it is in a header of its own
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2, 10.9.9.9",), "198.51.100.1"),  # proxies in a row
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),  # from inside
        ("10.0.0.1", ("198.51.100.1:52341",), "198.51.100.1"),
        ("10.0.0.1", ("[2001:db8:1:2::7]:52341",), "2001:db8:1:2::/64"),
        ("10.0.0.1", ("198.51.100.1, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", (), "2001:db8:1:2::/64"),  # a subscriber has all of them
        ("fe80::1%eth0", (), "fe80::/64"),
        ("::ffff:203.0.113.5", (), "203.0.113.5"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("198.51.100.1",), "198.51.100.1"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_the_caller_is_the_last_one_that_we_do_not_trust(
    peer: str | None, forwarded: tuple[str, ...], expected: str
) -> None:
    assert seen(peer, *forwarded) == expected


def test_without_named_proxies_nobody_is_believed() -> None:
    assert seen("127.0.0.1", "198.51.100.1", proxies=()) == "127.0.0.1"
