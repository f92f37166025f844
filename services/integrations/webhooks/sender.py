"""Sends webhooks: one request to a URL that an account chose, protected against server-side request forgery."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpcore2

from models.enum import AttemptFailure
from services.integrations.providers.http_client import trusted_certificates
from services.integrations.providers.http_error import retry_after
from services.integrations.providers.safe_fetch import Resolver, is_global, pinned_stream
from services.integrations.webhooks.outcome import Response, SendError
from services.integrations.webhooks.target import BadTargetError, Target, is_loopback, parse_target

TOTAL_SECONDS = 10.0  # until the status has arrived, names and certificates included
_BODY_SECONDS = 1.0  # for the beginning of the body, after the status
_BODY_BYTES = 4096  # that are read of it
_MAX_EXCERPT = 500  # characters that are kept of it
_MAX_ADDRESSES = 4
_MAX_RETRY_AFTER = 999_999_999.0  # seconds; a plausibility limit, the caller's is far shorter
_RESOLVING = 64  # names at once: a resolver that does not answer holds a thread for longer than an attempt lasts
_USER_AGENT = "Darkroom-Webhooks/1"
_CERTIFICATES = (ssl.SSLError, ssl.CertificateError)


class WebhookSender:
    """Sends requests to public addresses only, unless the operator chose the URL.

    The name is resolved once and every address must be public; the connection goes to one of exactly these, so that a
    second answer of the DNS (DNS rebinding) has no effect. Redirects, proxies, cookies and the environment are not
    followed; of the answer only the beginning is read.

    `is_development`: this machine's own addresses are allowed, too, and http. `resolver`, `network`, `tls`: replace
    those of the system in tests. `seconds`: of one attempt.
    """

    def __init__(
        self,
        *,
        is_development: bool = False,
        seconds: float = TOTAL_SECONDS,
        resolver: Resolver | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._is_development = is_development
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_RESOLVING, "webhook-dns")  # not the shared one, which others wait for
        self._resolver = resolver or self._resolve
        self._network = network
        self._tls = tls

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, *, is_own: bool = False) -> Response:
        """Send the body by POST, and return the answer, whatever its status.

        Raises:
            SendError: there is none.
        """
        try:
            target = parse_target(url, is_own=is_own, is_development=self._is_development)
        except BadTargetError:
            raise SendError(AttemptFailure.UNSAFE_ADDRESS) from None
        sent: dict[bytes | str, bytes | str] = {
            "Host": target.netloc,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": _USER_AGENT,
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        sent.update(headers.items())
        try:
            async with asyncio.timeout(self._seconds) as limit:
                addresses = await self._addresses(target)
                for address in addresses[:-1]:
                    try:
                        return await self._send_to(address, target, sent, body, limit)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue  # nothing was sent: try the next address
                return await self._send_to(addresses[-1], target, sent, body, limit)
        except (TimeoutError, httpcore2.TimeoutException):
            raise SendError(AttemptFailure.TIMEOUT) from None
        except httpcore2.ProtocolError:
            raise SendError(AttemptFailure.PROTOCOL) from None
        except (httpcore2.NetworkError, OSError) as error:
            raise SendError(_failure(error)) from None

    async def _addresses(self, target: Target) -> Sequence[str]:
        addresses = await self._resolver(target.host)
        if not addresses:
            raise SendError(AttemptFailure.DNS)
        if not target.is_own and not all(map(self._is_allowed, addresses)):
            raise SendError(AttemptFailure.UNSAFE_ADDRESS)
        return addresses[:_MAX_ADDRESSES]

    def _is_allowed(self, address: str) -> bool:
        return is_global(address) or (self._is_development and is_loopback(address))

    async def _send_to(
        self,
        address: str,
        target: Target,
        headers: Mapping[bytes | str, bytes | str],
        body: bytes,
        limit: asyncio.Timeout,
    ) -> Response:
        url = httpcore2.URL(scheme=target.scheme, host=address, port=target.port, target=target.path)
        async with pinned_stream(
            "POST",
            url,
            target.host,
            headers,
            seconds=self._seconds,
            tls=self._tls or trusted_certificates(),
            network=self._network,
            content=body,
        ) as response:
            received = {name.lower(): value for name, value in response.headers}
            limit.reschedule(None)  # the status decides; a body that does not end changes nothing
            excerpt = _printable(await _beginning(response))
            asked = retry_after(received.get(b"retry-after", b"").decode("latin-1"), _MAX_RETRY_AFTER)
            return Response(response.status, excerpt, asked)

    async def _resolve(self, host: str) -> Sequence[str]:
        """Resolve `host` by the system's resolver. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        """End the threads that resolve names, without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _beginning(response: httpcore2.Response) -> bytes:
    """Return the first bytes of the body, as far as they arrive in time."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) >= _BODY_BYTES:
                    break
    except (TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
        pass
    return bytes(body[:_BODY_BYTES])


def _printable(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_EXCERPT]


def _failure(error: BaseException) -> AttemptFailure:
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, socket.gaierror):
            return AttemptFailure.DNS
        if isinstance(each, _CERTIFICATES):
            return AttemptFailure.TLS
        each = each.__cause__ or each.__context__
    return AttemptFailure.CONNECTION
