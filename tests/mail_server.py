"""A mail server in this process, and the mails that arrived there."""

import asyncio
import contextlib
import email
import email.policy
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from client import until


class Mailbox:
    """Every mail that was taken, oldest first; `refusal` is what all others are answered."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str | None, list[str]]] = []
        self.refusal: str | None = None
        self.url = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Called by the server."""
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        mail: Any = email.message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=email.policy.default)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.mails.append(mail)
        return "250 OK"

    async def arrived(self, count: int) -> None:
        """Return once that many mails are here."""

        async def enough() -> bool:
            return len(self.mails) >= count

        await until(enough)
        assert len(self.mails) == count

    async def token(self, count: int) -> str:
        """The token in the link of the newest mail, once `count` have arrived."""
        await self.arrived(count)
        found = re.search(r"https?://\S+\?token=([\w-]{43})\n", self.mails[-1].get_content())
        assert found is not None
        return found[1]


@contextlib.asynccontextmanager
async def mail_server() -> AsyncIterator[Mailbox]:
    """A mail server as long as the body runs."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    box.url = f"smtp://{host}:{port}"
    async with server:
        yield box
