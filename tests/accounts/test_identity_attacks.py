"""Tokens that must not be accepted: forged, expired, for others, with tricks in headers, claims and keys."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from identity_settings import IssuerSetting
from models import Identity
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider, new_key, sign

pytestmark = pytest.mark.any_database

NOW = time.time
OTHER_KEYS = {name: new_key(name, "key-1") for name in ("RS256", "ES256", "EdDSA")}
Case = Callable[[IdentityProvider], str]


def altered(token: str, **changes: Any) -> str:
    """Return a token whose claims were changed after it was signed."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**claims, **changes}).encode()).decode().rstrip("=")
    return ".".join((header, changed, signature))


def embedded(p: IdentityProvider) -> dict[str, Any]:
    return OTHER_KEYS["RS256"].as_dict(private=False)


ATTACKS: dict[str, Case] = {
    "signed with a key of the attacker": lambda p: p.token(key=OTHER_KEYS["RS256"]),
    "claims altered after signing": lambda p: altered(p.token(), sub="admin"),
    "no signature": lambda p: p.token().rpartition(".")[0] + ".",
    "cut signature": lambda p: p.token()[:-8],
    "alg none": lambda p: sign({"alg": "none", "kid": p.key.kid}, p.claims(), None),
    "alg None in other letters": lambda p: sign({"alg": "nOnE", "kid": p.key.kid}, p.claims(), None),
    "no alg": lambda p: sign({"kid": p.key.kid}, p.claims(), None),
    "HS256 with the public key as secret": lambda p: p.signed_by_public_key(),
    "another algorithm of the same key": lambda p: p.token(header={"alg": "PS256"}),
    "a longer hash than the issuer's": lambda p: p.token(header={"alg": "RS512"}),
    "ES256 by a key of the attacker": lambda p: p.token(header={"alg": "ES256"}, key=OTHER_KEYS["ES256"]),
    "EdDSA by a key of the attacker": lambda p: p.token(header={"alg": "EdDSA"}, key=OTHER_KEYS["EdDSA"]),
    "key in the header (jwk)": lambda p: p.token(header={"jwk": embedded(p)}, key=OTHER_KEYS["RS256"]),
    "address of keys in the header (jku)": lambda p: p.token(
        header={"jku": p.address + "/evil"}, key=OTHER_KEYS["RS256"]
    ),
    "certificate in the header (x5c)": lambda p: p.token(header={"x5c": ["MIIB"]}, key=OTHER_KEYS["RS256"]),
    "address of a certificate (x5u)": lambda p: p.token(header={"x5u": p.address + "/evil"}, key=OTHER_KEYS["RS256"]),
    "unknown kid": lambda p: p.token(header={"kid": "unknown"}),
    "kid that is a path": lambda p: p.token(header={"kid": "../../../../dev/null"}, key=OTHER_KEYS["RS256"]),
    "kid with SQL": lambda p: p.token(header={"kid": "' UNION SELECT 'x' --"}, key=OTHER_KEYS["RS256"]),
    "kid that is no text": lambda p: p.token(header={"kid": {"$ne": None}}),
    "no kid, key of the attacker": lambda p: p.token(header={"kid": None}, key=OTHER_KEYS["RS256"]),
    "key for encryption": lambda p: p.token(header={"kid": "encryption"}, key=OTHER_KEYS["RS256"]),
    "crit": lambda p: p.token(header={"crit": ["exp"]}),
    "crit with an extension": lambda p: p.token(header={"crit": ["http://evil"], "http://evil": 1}),
    "payload that is not encoded (b64)": lambda p: p.token(header={"crit": ["b64"], "b64": False}),
    "nested token (cty)": lambda p: p.token(header={"cty": "JWT"}),
    "logout token": lambda p: p.token(header={"typ": "logout+jwt"}),
    "logout token by its claims": lambda p: p.token(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "security event": lambda p: p.token(header={"typ": "secevent+jwt"}),
    "Keycloak's refresh token": lambda p: p.token(typ="Refresh"),
    "expired": lambda p: p.token(exp=int(NOW()) - 61),
    "no exp": lambda p: p.token(without=["exp"]),
    "exp that is a text": lambda p: p.token(exp="never"),
    "exp that is true": lambda p: p.token(exp=True),
    "exp without end": lambda p: sign(
        {"alg": "RS256", "kid": p.key.kid}, json.dumps(p.claims(exp=float("inf"))).encode(), p.key
    ),
    "exp too large": lambda p: p.token(exp=10**30),
    "nbf in the future": lambda p: p.token(nbf=int(NOW()) + 120),
    "iat in the future": lambda p: p.token(iat=int(NOW()) + 120),
    "no iat": lambda p: p.token(without=["iat"]),
    "another audience": lambda p: p.token(aud="another-app"),
    "no audience": lambda p: p.token(without=["aud"]),
    "empty audience": lambda p: p.token(aud=[]),
    "audience as a part of a text": lambda p: p.token(aud=f"not-{AUDIENCE}"),
    "audience that is an object": lambda p: p.token(aud={AUDIENCE: True}),
    "further audience without a known party": lambda p: p.token(aud=[AUDIENCE, "another-app"], azp="another-app"),
    "another issuer": lambda p: p.token(iss="https://evil.example.com"),
    "issuer with a slash": lambda p: p.token(iss=p.issuer + "/"),
    "issuer that is a list": lambda p: p.token(iss=[p.issuer]),
    "no issuer": lambda p: p.token(without=["iss"]),
    "no subject": lambda p: p.token(without=["sub"]),
    "empty subject": lambda p: p.token(sub=""),
    "subject that is a number": lambda p: p.token(sub=1),
    "subject with NUL": lambda p: p.token(sub="user-1\0"),
    "subject that is too long": lambda p: p.token(sub="x" * 256),
    "claims that are a list": lambda p: sign({"alg": "RS256", "kid": p.key.kid}, [p.claims()], p.key),
    "claims that are no JSON": lambda p: sign({"alg": "RS256", "kid": p.key.kid}, b"\xff{", p.key),
    "deep claims": lambda p: sign({"alg": "RS256", "kid": p.key.kid}, b"[" * 3000 + b"]" * 3000, p.key),
    "a token of 9 KB": lambda p: p.token(padding="x" * 9000),
    "five parts, as if encrypted": lambda p: p.token() + ".x.y",
    "dots only": lambda p: "..",
}


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with IdentityProvider() as found:
        encryption = {**OTHER_KEYS["RS256"].as_dict(private=False), "kid": "encryption", "use": "enc"}
        weak = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "kid": "weak", "alg": "HS256"}
        found.documents["/jwks"] = {"keys": [*found.jwks["keys"], encryption, weak, "x", {"kty": "RSA", "kid": "bad"}]}
        found.documents["/evil"] = {"keys": [OTHER_KEYS["RS256"].as_dict(private=False)]}
        yield found


@pytest.fixture
async def server(settings: Settings, provider: IdentityProvider) -> AsyncIterator[Running]:
    issuers = (IssuerSetting(issuer=provider.issuer, audience=(AUDIENCE,)),)
    async with running(settings.model_copy(update={"oidc_issuers": issuers}), idle=True) as found:
        yield found


def test_there_are_at_least_30_attacks() -> None:
    assert len(ATTACKS) >= 30


async def test_no_attack_is_accepted(server: Running, provider: IdentityProvider) -> None:
    accepted, unclear = [], []
    for name, make in ATTACKS.items():
        token = make(provider)
        answer = await server.api.raw("{ viewer { id } }", headers={"authorization": f"Bearer {token}"})
        if answer.status_code in (400, 431):
            continue  # no header is so long
        body = answer.json()
        if (body.get("data") or {}).get("viewer"):
            accepted.append(name)
        elif body["errors"][0]["extensions"]["code"] != "UNAUTHENTICATED" or "www-authenticate" not in answer.headers:
            unclear.append((name, body))
    assert accepted == []
    assert unclear == []
    assert await Identity.all().count() == 0, "no attack creates an account"
    assert "/evil" not in provider.fetched, "addresses in tokens are not fetched"
    assert len(provider.fetched) <= 4, "unknown keys are searched for once in a while only"
    genuine = Api(server.api.http, server.api.address, provider.token())
    assert await genuine.is_signed_in(), "the issuer's own token is accepted"
    assert await replace(genuine, token=provider.token(header={"kid": None})).is_signed_in(), "its only signing key"
    assert await Identity.all().count() == 1
