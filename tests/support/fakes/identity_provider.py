"""A local identity provider: a discovery document, keys that rotate, tokens with any claims and headers, and the page
that browsers are sent to, which signs its one user in at once.

async with IdentityProvider("ES256") as provider:
    token = provider.token(sub="1", email="ada@example.com", email_verified=True)
"""

import asyncio
import base64
import hmac
import itertools
import json
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

AUDIENCE = "darkroom"
_RSA_BITS = 2048


_SIGNING = {
    name: jws.JWSRegistry.algorithms[alg] for name, alg in (("RSA", "RS256"), ("EC", "ES256"), ("OKP", "EdDSA"))
}


def new_key(algorithm: str, kid: str) -> Key:
    """Return a key for an algorithm."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.generate_key(_RSA_BITS, parameters)
    if algorithm.startswith("ES"):
        return ECKey.generate_key("P-256", parameters)
    return OKPKey.generate_key("Ed25519", parameters)


def sign(header: dict[str, Any], claims: Any, key: Key | None) -> str:
    """Return a token with any header and claims; without a key, with an empty signature."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    body = ".".join(_encode(part) for part in (json.dumps(header).encode(), payload))
    if key is None:
        return f"{body}."
    # Not by the library's function for whole tokens, which refuses to make invalid ones.
    algorithm = _SIGNING[key.key_type]
    return f"{body}.{_encode(algorithm.sign(body.encode(), key))}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class IdentityProvider:
    """One issuer. While `is_up` is false it answers 503; `fetched` has the paths that were requested.

    `client_id`, `redirect_uri`: of the one client that may send browsers here. `user`: the claims of who is signed in
    here; None: the user refuses. `requests`: the parameters that browsers came with.
    """

    def __init__(self, algorithm: str = "RS256", *, path: str = "", jwks_path: str = "/jwks") -> None:
        self.algorithm = algorithm
        self.path = path
        self.jwks_path = jwks_path
        self._numbers = itertools.count(1)
        self.keys = [new_key(algorithm, f"key-{next(self._numbers)}")]
        self.is_up = True
        self.fetched: list[str] = []
        self.documents: dict[str, Any] = {}  # that replace its own, by path
        self.client_id = AUDIENCE
        self.redirect_uri: str | None = None  # None: any
        self.user: dict[str, Any] | None = {}
        self.requests: list[dict[str, str]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.issuer = self.address + self.path
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    @property
    def key(self) -> Key:
        """The key that signs."""
        return self.keys[-1]

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def rotate(self, *, keeps: bool = False) -> None:
        """Sign with a new key; `keeps`: the keys before it stay published."""
        fresh = new_key(self.algorithm, f"key-{next(self._numbers)}")
        self.keys = [*self.keys, fresh] if keeps else [fresh]

    def claims(self, without: Iterable[str] = (), **changes: Any) -> dict[str, Any]:
        """Return the claims of a valid token with these changes."""
        now = int(time.time())
        given = {"iss": self.issuer, "sub": "user-1", "aud": AUDIENCE, "iat": now, "exp": now + 300, **changes}
        return {name: value for name, value in given.items() if name not in without}

    def token(
        self,
        *,
        header: dict[str, Any] | None = None,
        key: Key | None = None,
        without: Iterable[str] = (),
        **changes: Any,
    ) -> str:
        """Return a token signed by the newest key, or by `key`."""
        full = {"alg": self.algorithm, "kid": self.key.kid, "typ": "JWT", **(header or {})}
        present = {name: value for name, value in full.items() if value is not None}
        return sign(present, self.claims(without, **changes), key or self.key)

    def signed_by_public_key(self) -> str:
        """Return a token with HS256, whose secret is the public key, which anyone knows."""
        body = self.token(header={"alg": "HS256"}).rpartition(".")[0]
        assert isinstance(self.key, RSAKey)
        signature = hmac.digest(self.key.as_pem(private=False), body.encode(), "sha256")
        return f"{body}.{_encode(signature)}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readline()).decode()
            while (await reader.readline()).strip():
                pass
            path = line.split()[1]
            self.fetched.append(path)
            if self.is_up and path.startswith(f"{self.path.rstrip('/')}/authorize?"):
                writer.write(self._authorize(path))
                await writer.drain()
                return
            body = self.documents.get(path, self._documents().get(path))
            status = "503 Down" if not self.is_up else "404 Not Found" if body is None else "200 OK"
            data = json.dumps(body).encode() if self.is_up and body is not None else b""
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
            await writer.drain()
        finally:
            writer.close()

    def _authorize(self, path: str) -> bytes:
        """Answer as OpenID Connect Core 1.0, 3.2.2 says: by a redirect with the token in its fragment."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        self.requests.append(asked)
        is_client = asked.get("client_id") == self.client_id and self.redirect_uri in (None, asked.get("redirect_uri"))
        if not is_client or asked.get("response_type") != "id_token" or "openid" not in asked.get("scope", "").split():
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        answer = {"error": "access_denied"}
        if self.user is not None:
            answer = {"id_token": self.token(nonce=asked["nonce"], aud=self.client_id, **self.user)}
        location = f"{asked['redirect_uri']}#{urlencode({**answer, 'state': asked['state']})}"
        return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()

    def _documents(self) -> dict[str, Any]:
        base = self.path.rstrip("/")
        return {
            f"{base}/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": self.address + self.jwks_path,
                "authorization_endpoint": f"{self.issuer.rstrip('/')}/authorize",
                "response_types_supported": ["code", "id_token"],
            },
            self.jwks_path: self.jwks,
        }
