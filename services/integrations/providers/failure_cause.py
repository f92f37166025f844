"""Why a call of a provider has failed, in a closed set of words for logs and metrics."""

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL


class FailureCause(StrEnum):
    """What an operator has to look at."""

    DNS = "dns"
    CONNECTION_REFUSED = "connection_refused"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE = "certificate"  # of another name, or of an unknown authority
    TLS = "tls"
    TIMEOUT = "timeout"
    CONNECTION = "connection"  # lost, or unreachable
    KEY = "key"  # 401 or 403: the provider refuses the key
    CREDIT = "credit"  # 402: the account or the key has no credit left
    OTHER = "other"  # an answer of the provider: the error code says more


# Of a request that has left: no answer of the provider came back.
LOST = frozenset(FailureCause) - {FailureCause.KEY, FailureCause.CREDIT, FailureCause.OTHER}


def connection_cause(error: BaseException | None) -> FailureCause:
    """Return why there was no connection, or why it was lost."""
    import httpx2  # here, because servers that call no provider use the causes, too

    for each in _chain(error):
        if isinstance(each, socket.gaierror):
            return FailureCause.DNS
        if isinstance(each, ssl.SSLCertVerificationError):
            is_expired = each.verify_code == _EXPIRED
            return FailureCause.CERTIFICATE_EXPIRED if is_expired else FailureCause.CERTIFICATE
        if isinstance(each, ssl.SSLError):
            return FailureCause.TLS
        if isinstance(each, ConnectionRefusedError):
            return FailureCause.CONNECTION_REFUSED
    is_slow = any(isinstance(each, httpx2.TimeoutException | TimeoutError) for each in _chain(error))
    return FailureCause.TIMEOUT if is_slow else FailureCause.CONNECTION


def status_cause(status: int) -> FailureCause:
    """Return why an answer with this status is no success."""
    if status in (401, 403):
        return FailureCause.KEY
    return FailureCause.CREDIT if status == 402 else FailureCause.OTHER


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what has caused it; of several addresses that were tried, all errors."""
    seen: set[int] = set()
    left = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [each.__context__, each.__cause__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
