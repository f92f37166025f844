"""SMTP mailer: TLS, refusals, deadlines and header injection."""

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

# The test server accepts passwords without TLS on purpose, to see whether they are sent.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

MAIL = Mail("bob@example.com", "Hello", "Here is a link.\n")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOGIN = f"{quote(USER.decode(), safe='')}:{quote(PASSWORD.decode(), safe='')}@"


def mailer(url: str, *, trusting: bool = True, deadline: float = 15.0) -> SmtpMailer:
    """A mailer that trusts the certificate of the test server, unless `trusting` is false."""
    tls = ssl.create_default_context(cafile=PEM) if trusting else None
    return SmtpMailer(url, "Darkroom <hello@darkroom.example>", deadline=deadline, tls=tls)


def as_url(box: Mailbox, scheme: str, login: str = "") -> str:
    return box.url.replace("smtp://", f"{scheme}://{login}")


async def send_error(url: str, *, trusting: bool = True) -> str:
    """Send a mail and return the text of its MailError."""
    with pytest.raises(MailError) as error_info:
        await mailer(url, trusting=trusting).send(MAIL)
    return str(error_info.value)


@pytest.mark.parametrize(
    ("scheme", "login", "tls", "starttls"),
    [
        ("smtps", "", True, False),
        ("smtps", LOGIN, True, False),
        ("smtp+starttls", "", False, True),
        ("smtp+starttls", LOGIN, False, True),
        ("smtp", "", False, True),  # offered, so used
        ("smtp", LOGIN, False, True),
    ],
)
async def test_mail_is_sent_over_tls(scheme: str, login: str, tls: bool, starttls: bool) -> None:
    async with mail_server(tls=tls, starttls=starttls, require_sign_in=bool(login)) as box:
        await mailer(as_url(box, scheme, login)).send(MAIL)
    assert [mail["Subject"] for mail in box.mails] == ["Hello"]
    assert box.secured == [True]
    assert box.passwords == ([PASSWORD] if login else []), "percent-decoded"


async def test_mail_without_a_password_is_sent_to_a_server_without_tls() -> None:
    async with mail_server() as box:
        await mailer(as_url(box, "smtp")).send(MAIL)
    assert box.secured == [False]


@pytest.mark.parametrize(("scheme", "login"), [("smtp+starttls", ""), ("smtp+starttls", LOGIN), ("smtp", LOGIN)])
async def test_nothing_is_sent_to_a_server_that_does_not_offer_required_tls(scheme: str, login: str) -> None:
    async with mail_server() as box:
        assert "STARTTLS" in await send_error(as_url(box, scheme, login))
    assert (box.mails, box.passwords) == ([], [])


@pytest.mark.parametrize(
    ("scheme", "tls", "starttls"), [("smtps", True, False), ("smtp+starttls", False, True), ("smtp", False, True)]
)
async def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(
    scheme: str, tls: bool, starttls: bool
) -> None:
    async with mail_server(tls=tls, starttls=starttls) as box:
        url = as_url(box, scheme, LOGIN)
        assert "CERTIFICATE_VERIFY_FAILED" in await send_error(url, trusting=False)
        assert "CERTIFICATE_VERIFY_FAILED" in await send_error(url.replace("localhost", "127.0.0.1")), (
            "the certificate is for another name"
        )
    assert (box.mails, box.passwords) == ([], [])


async def test_errors_of_authentication_and_refusal_do_not_contain_the_password() -> None:
    async with mail_server(tls=True, require_sign_in=True) as box:
        error = await send_error(as_url(box, "smtps", f"{quote(USER.decode(), safe='')}:hush-hush@"))
        assert "SMTPAuthenticationError" in error
        assert "hush" not in error
        box.refusal = "554 5.7.1 never"
        assert "554" in await send_error(as_url(box, "smtps", LOGIN))
    assert box.mails == []


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Run a TCP server with this handler and yield its SMTP URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def send_nothing(*_: object) -> None:
    await asyncio.sleep(3)


async def send_endless_greeting(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send lines that never complete the greeting."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        writer.write(b"220-just a moment\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def respond_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take less than the deadline for each step, and more for all of them."""
    for answer in (b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go on", b"250 ok"):
        await asyncio.sleep(0.15)
        writer.write(answer + b"\r\n")
        await writer.drain()
        await reader.readuntil(b"\r\n.\r\n" if answer.startswith(b"354") else b"\r\n")


@pytest.mark.parametrize("handler", [send_nothing, send_endless_greeting, respond_slowly])
async def test_the_deadline_covers_all_steps_together(handler: Handler) -> None:
    async with listening(handler) as url:
        started = time.monotonic()
        with pytest.raises(MailError):
            await mailer(url, deadline=0.3).send(MAIL)
        assert 0.15 < time.monotonic() - started < 2


async def test_an_unreachable_server_or_another_protocol_is_a_mail_error() -> None:
    async def http_server(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(http_server) as url:
        assert await send_error(url)
    assert await send_error(url), "the port is closed"


async def test_line_breaks_cannot_inject_headers_or_commands() -> None:
    async with mail_server() as box:
        for malicious in (
            Mail("bob@example.com\r\nBcc: eve@example.com", "Hello", "x"),
            Mail("bob@example.com", "Hello\r\nBcc: eve@example.com", "x"),
        ):
            with pytest.raises(MailError):
                await mailer(box.url).send(malicious)
        await mailer(box.url).send(Mail("bob@example.com", "你好", "Bcc: eve@example.com\n.\nQUIT\n"))
    assert [envelope[1] for envelope in box.envelopes] == [["bob@example.com"]]
    assert box.mails[0]["Subject"] == "你好"
    assert box.mails[0].get_content() == "Bcc: eve@example.com\n.\nQUIT\n"
