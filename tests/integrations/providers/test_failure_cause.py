"""The cause of a failed connection, of real connections."""

import asyncio
import datetime
import socket
import ssl
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.integrations.providers.failure_cause import FailureCause, connection_cause, status_cause

pytestmark = pytest.mark.any_database


def certificate(folder: Path, *, days: int) -> Path:
    """Write a certificate of localhost that ends in so many days, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{days}.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()) + made.public_bytes(encoding))
    return path


async def cause_of(url: str, trusted: ssl.SSLContext | None = None, seconds: float = 5.0) -> FailureCause:
    async with httpx2.AsyncClient(verify=trusted or ssl.create_default_context(), timeout=seconds) as client:
        with pytest.raises(httpx2.RequestError) as failed:
            await client.get(url)
    return connection_cause(failed.value)


async def test_failed_connections_name_their_cause(tmp_path: Path) -> None:
    expired = certificate(tmp_path, days=-1)
    unknown = certificate(tmp_path, days=30)
    trusting = ssl.create_default_context(cafile=expired)
    causes: list[FailureCause] = []
    for path, trusted in ((expired, trusting), (unknown, None)):
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(path)
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving)
        async with server:
            causes.append(await cause_of(f"https://localhost:{server.sockets[0].getsockname()[1]}/", trusted))
    assert causes == [FailureCause.CERTIFICATE_EXPIRED, FailureCause.CERTIFICATE]

    async def no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(no_tls, "127.0.0.1", 0) as plain:
        assert await cause_of(f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}/") is FailureCause.TLS
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening
        port = closed.getsockname()[1]
        assert await cause_of(f"http://127.0.0.1:{port}/") is FailureCause.CONNECTION_REFUSED
    assert await cause_of("http://provider.invalid/") is FailureCause.DNS
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert await cause_of(address, seconds=0.2) is FailureCause.TIMEOUT
    assert [status_cause(status) for status in (401, 402, 403, 500)] == ["key", "credit", "key", "other"]
