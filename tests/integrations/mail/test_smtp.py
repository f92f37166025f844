"""Mail by SMTP: which connections are secured, when nothing is said at all, and how long anybody waits."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

import pytest

from services.integrations.mail.protocol import Mail, MailError
from services.integrations.mail.smtp import SmtpMailer
from tests.support.mail_server import PASSWORD, PEM, USER, Mailbox, mail_server

# Said of servers that take passwords whatever the connection; ours only looks at what is sent to it.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

MAIL = Mail("bob@example.com", "Hello", "Here is a link.\n")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOGIN = f"{quote(USER.decode(), safe='')}:{quote(PASSWORD.decode(), safe='')}@"


def mailer(url: str, *, trusting: bool = True, deadline: float = 15.0) -> SmtpMailer:
    """A mailer that trusts the test's server, unless it is to be like any other."""
    tls = ssl.create_default_context(cafile=PEM) if trusting else None
    return SmtpMailer(url, "Darkroom <hello@darkroom.example>", deadline=deadline, tls=tls)


def as_url(box: Mailbox, scheme: str, login: str = "") -> str:
    return box.url.replace("smtp://", f"{scheme}://{login}")


async def fails(url: str, *, trusting: bool = True) -> str:
    """What kept a mail from leaving."""
    with pytest.raises(MailError) as told:
        await mailer(url, trusting=trusting).send(MAIL)
    return str(told.value)


@pytest.mark.parametrize(
    ("scheme", "login", "tls", "starttls"),
    [
        ("smtps", "", True, False),
        ("smtps", LOGIN, True, False),
        ("smtp+starttls", "", False, True),
        ("smtp+starttls", LOGIN, False, True),
        ("smtp", "", False, True),  # offered, so taken
        ("smtp", LOGIN, False, True),
    ],
)
async def test_mail_goes_by_tls(scheme: str, login: str, tls: bool, starttls: bool) -> None:
    async with mail_server(tls=tls, starttls=starttls, members=bool(login)) as box:
        await mailer(as_url(box, scheme, login)).send(MAIL)
    assert [mail["Subject"] for mail in box.mails] == ["Hello"]
    assert box.secured == [True]
    assert box.passwords == ([PASSWORD] if login else []), "its escapes undone"


async def test_without_a_password_mail_goes_to_a_server_without_tls() -> None:
    async with mail_server() as box:
        await mailer(as_url(box, "smtp")).send(MAIL)
    assert box.secured == [False]


@pytest.mark.parametrize(("scheme", "login"), [("smtp+starttls", ""), ("smtp+starttls", LOGIN), ("smtp", LOGIN)])
async def test_nothing_is_said_to_a_server_that_lost_its_tls(scheme: str, login: str) -> None:
    async with mail_server() as box:
        assert "STARTTLS" in await fails(as_url(box, scheme, login))
    assert (box.mails, box.passwords) == ([], [])


@pytest.mark.parametrize(
    ("scheme", "tls", "starttls"), [("smtps", True, False), ("smtp+starttls", False, True), ("smtp", False, True)]
)
async def test_nothing_is_said_to_a_server_that_nobody_vouches_for(scheme: str, tls: bool, starttls: bool) -> None:
    async with mail_server(tls=tls, starttls=starttls) as box:
        url = as_url(box, scheme, LOGIN)
        assert "CERTIFICATE_VERIFY_FAILED" in await fails(url, trusting=False)
        assert "CERTIFICATE_VERIFY_FAILED" in await fails(url.replace("localhost", "127.0.0.1")), "of another name"
    assert (box.mails, box.passwords) == ([], [])


async def test_a_wrong_password_and_a_refusal_are_told_without_the_password() -> None:
    async with mail_server(tls=True, members=True) as box:
        told = await fails(as_url(box, "smtps", f"{quote(USER.decode(), safe='')}:hush-hush@"))
        assert "SMTPAuthenticationError" in told
        assert "hush" not in told
        box.refusal = "554 5.7.1 never"
        assert "554" in await fails(as_url(box, "smtps", LOGIN))
    assert box.mails == []


@contextlib.asynccontextmanager
async def listening(answer: Talk) -> AsyncIterator[str]:
    """The URL of something on the network that is no good mail server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def silence(*_: object) -> None:
    await asyncio.sleep(3)


async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never silent for long, and never done."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        writer.write(b"220-just a moment\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def slowness(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each step takes less than the deadline, all of them take more."""
    for answer in (b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go on", b"250 ok"):
        await asyncio.sleep(0.15)
        writer.write(answer + b"\r\n")
        await writer.drain()
        await reader.readuntil(b"\r\n.\r\n" if answer.startswith(b"354") else b"\r\n")


@pytest.mark.parametrize("answer", [silence, chatter, slowness])
async def test_all_of_it_together_has_one_deadline(answer: Talk) -> None:
    async with listening(answer) as url:
        begun = time.monotonic()
        with pytest.raises(MailError):
            await mailer(url, deadline=0.3).send(MAIL)
        assert 0.15 < time.monotonic() - begun < 2


async def test_a_server_that_is_not_there_or_speaks_something_else_is_a_failure() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(other) as url:
        assert await fails(url)
    assert await fails(url), "nobody listens any more"


async def test_a_mail_cannot_be_given_more_headers() -> None:
    async with mail_server() as box:
        for evil in (
            Mail("bob@example.com\r\nBcc: eve@example.com", "Hello", "x"),
            Mail("bob@example.com", "Hello\r\nBcc: eve@example.com", "x"),
        ):
            with pytest.raises(MailError):
                await mailer(box.url).send(evil)
        await mailer(box.url).send(Mail("bob@example.com", "你好", "Bcc: eve@example.com\n.\nQUIT\n"))
    assert [envelope[1] for envelope in box.envelopes] == [["bob@example.com"]]
    assert box.mails[0]["Subject"] == "你好"
    assert box.mails[0].get_content() == "Bcc: eve@example.com\n.\nQUIT\n"
