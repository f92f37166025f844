"""An SMTP server in this process that records the mails it receives."""

import asyncio
import contextlib
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.client import until

PEM = Path(__file__).with_name("localhost.example.pem")
USER, PASSWORD = b"ada@example.com", b"p/ss:w@rd"


class Mailbox:
    """The received mails, oldest first. `refusal`: the response with which mails are refused, if any."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str | None, list[str]]] = []
        self.refusal: str | None = None
        self.passwords: list[bytes] = []  # of every sign-in attempt
        self.secured: list[bool] = []  # for each mail, whether it arrived over TLS
        self.url = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Handle a command; called by aiosmtpd."""
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        mail: Any = email.message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=email.policy.default)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.mails.append(mail)
        assert server.transport is not None
        self.secured.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        """Handle a command; called by aiosmtpd."""
        assert isinstance(given, LoginPassword)
        self.passwords.append(given.password)
        return AuthResult(success=given == LoginPassword(USER, PASSWORD), handled=False)

    async def wait_for(self, count: int) -> None:
        """Wait for exactly `count` mails."""

        async def enough() -> bool:
            return len(self.mails) >= count

        await until(enough)
        assert len(self.mails) == count

    async def token(self, count: int, page: str = "") -> str:
        """Wait for `count` mails and return the token in the link of the newest, or of the newest that leads to `page`.

        Mails are sent at the same time, so one of another kind may arrive after the one that is meant.
        """
        await self.wait_for(count)
        link = rf"https?://\S+{page}\?token=([\w-]{{43}})\n"
        found = [match[1] for mail in self.mails if (match := re.search(link, mail.get_content()))]
        return found[-1]


@contextlib.asynccontextmanager
async def mail_server(
    *, tls: bool = False, starttls: bool = False, require_sign_in: bool = False
) -> AsyncIterator[Mailbox]:
    """Run a mail server for the length of the block. `tls`: implicit TLS; `require_sign_in`: refuses other clients.

    It accepts passwords without TLS, too, as an attacker in the middle would.
    """
    box = Mailbox()
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)

    def session() -> SMTP:
        return SMTP(
            box,
            enable_SMTPUTF8=True,
            loop=loop,
            hostname="localhost",
            tls_context=context if starttls else None,
            authenticator=box.authenticate,
            auth_required=require_sign_in,
            auth_require_tls=False,
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if tls else None)
    port = server.sockets[0].getsockname()[1]
    box.url = f"smtp://localhost:{port}"
    async with server:
        yield box
