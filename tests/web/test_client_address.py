"""The client's address: a client cannot choose it, and trusted proxies do not hide it."""

from typing import Any

import pytest

from web.client_address import ClientAddress

PROXIES = ("10.0.0.0/8", "fd00::/8")


async def client_address(peer: str | None, *forwarded: str, proxies: tuple[str, ...] = PROXIES) -> str:
    """The address of a request from `peer` with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded] + [(b"x-forwarded-proto", b"https")]
    client = (peer, 1234) if peer is not None else None
    scope: dict[str, Any] = {"type": "http", "scheme": "http", "headers": headers, "client": client}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (scope["client"], scope["scheme"]) == (client, "http"), "the request itself stays as it was received"

    unused: Any = None
    await ClientAddress(app, proxies)(scope, unused, unused)
    return str(scope["state"]["client"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", (), "203.0.113.5"),
        ("203.0.113.5", ("198.51.100.1",), "203.0.113.5"),  # not a trusted proxy: its header is ignored
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),  # the hop further left was sent by the client
        ("10.0.0.1", ("1.1.1.1", "198.51.100.1"), "198.51.100.1"),  # also in a header of its own
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2, 10.9.9.9",), "198.51.100.1"),  # a chain of proxies
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),  # a client inside the trusted network
        ("10.0.0.1", ("198.51.100.1:52341",), "198.51.100.1"),
        ("10.0.0.1", ("[2001:db8:1:2::7]:52341",), "2001:db8:1:2::/64"),
        ("10.0.0.1", ("198.51.100.1, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", (), "2001:db8:1:2::/64"),  # one customer has all of these addresses
        ("fe80::1%eth0", (), "fe80::/64"),
        ("::ffff:203.0.113.5", (), "203.0.113.5"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1, ::ffff:10.0.0.2",), "198.51.100.1"),  # a dual-stack proxy's notation
        ("10.0.0.1", ("1.1.1.1, nonsense, 198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("198.51.100.1",), "198.51.100.1"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
async def test_client_is_the_last_hop_that_is_not_a_trusted_proxy(
    peer: str | None, forwarded: tuple[str, ...], expected: str
) -> None:
    assert await client_address(peer, *forwarded) == expected


async def test_forwarded_header_is_ignored_without_trusted_proxies() -> None:
    assert await client_address("127.0.0.1", "198.51.100.1", proxies=()) == "127.0.0.1"
