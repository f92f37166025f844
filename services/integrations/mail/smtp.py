"""Mailer over SMTP."""

import asyncio
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.integrations.mail.protocol import Mail, MailError

DEADLINE = 15.0  # seconds for one mail, including the connection


class SmtpMailer:
    """Sends each mail on a separate connection.

    `url` is `smtp://`, `smtp+starttls://` or `smtps://` with `user:password@host:port`. smtp:// uses TLS if the server
    offers it; with a password, and with smtp+starttls://, TLS is required. `sender` may include a display name.
    `tls`: the trusted certificates; by default those of the system.
    """

    def __init__(self, url: str, sender: str, *, deadline: float = DEADLINE, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._is_tls = parts.scheme == "smtps"
        must_upgrade = not self._is_tls and (parts.scheme == "smtp+starttls" or self._username is not None)
        self._start_tls = True if must_upgrade else False if self._is_tls else None  # None: if offered
        self._port = parts.port or (465 if self._is_tls else 587 if must_upgrade else 25)
        self._sender = sender
        self._deadline = deadline
        self._tls = tls

    async def send(self, mail: Mail) -> None:
        """Send the mail.

        Raises:
            MailError: an address is invalid, the server refused, or the deadline passed.
        """
        try:
            async with asyncio.timeout(self._deadline):
                await aiosmtplib.send(
                    self._message(mail),
                    sender=parseaddr(self._sender)[1],
                    recipients=[mail.to],
                    hostname=self._host,
                    port=self._port,
                    username=self._username,
                    password=self._password,
                    use_tls=self._is_tls,
                    start_tls=self._start_tls,
                    tls_context=self._tls,
                    local_hostname="localhost",  # resolving the name of this host may take longer than the mail
                    timeout=self._deadline,
                )
        except (aiosmtplib.SMTPException, MessageError, OSError, ValueError, TimeoutError) as error:
            raise MailError(f"{type(error).__name__}: {error}") from error

    def _message(self, mail: Mail) -> EmailMessage:
        name, address = parseaddr(self._sender)
        message = EmailMessage()
        # Built from parts, never from text: line breaks raise here, and special characters of an address are quoted.
        message["From"] = Address(name, addr_spec=address)
        local, _, domain = mail.to.rpartition("@")
        message["To"] = Address(username=local, domain=domain)  # `addr_spec` accepts only ASCII
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses out-of-office replies
        if mail.unsubscribe is not None:
            message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(mail.text)
        return message
