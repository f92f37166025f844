"""Stand-ins with the claims, algorithms and addresses of Better Auth, Clerk, Auth0, Supabase and Keycloak at once."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from health_check import issuer_lines
from identity_settings import IssuerSetting
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREDITS, Api
from tests.support.fakes.identity_provider import IdentityProvider

pytestmark = pytest.mark.any_database

VIEWER = "{ viewer { id name image email emailVerified credits } }"
EMAIL = "ada@example.com"


@dataclass(frozen=True)
class StandIn:
    """A provider as it is by default. `claims`: of its tokens; `header`: besides alg, kid and typ."""

    algorithm: str
    path: str
    jwks_path: str
    setting: dict[str, Any]
    claims: dict[str, Any]
    user: dict[str, Any]  # what the API then shows
    header: dict[str, Any]


def no_email(**user: Any) -> dict[str, Any]:
    return {"email": None, "emailVerified": False, **user}


PROVIDERS = {
    "better-auth": StandIn(
        "EdDSA", "", "/api/auth/jwks",
        {"audience": ("{issuer}",), "jwks_url": "{issuer}/api/auth/jwks"},
        {
            "id": "u1", "sub": "u1", "aud": "{issuer}", "email": "better@example.com", "emailVerified": True,
            "name": "Ada B", "image": "https://img.example.com/b.png", "createdAt": "2026-11-29T10:00:00.000Z",
        },
        {"email": "better@example.com", "emailVerified": True, "name": "Ada B",
         "image": "https://img.example.com/b.png"},
        {"typ": None},
    ),
    "clerk": StandIn(
        "RS256", "", "/.well-known/jwks.json",
        {"authorized_parties": ("https://app.example.com",)},
        {
            "sub": "user_2abc", "azp": "https://app.example.com", "sid": "sess_1", "sts": "active", "v": 2,
            "fva": [0, -1], "full_name": "Ada C",
        },
        no_email(name="Ada C", image=None),
        {"cat": "cl_B7d4PD111AAA"},
    ),
    "auth0": StandIn(
        "RS256", "/", "/.well-known/jwks.json",
        {"audience": ("https://api.example.com",), "authorized_parties": ("spa-client",),
         "claims": {"email": "https://app.example.com/email", "email_verified": "https://app.example.com/verified"}},
        {
            "sub": "auth0|507f1f77", "aud": ["https://api.example.com", "{issuer}userinfo"], "azp": "spa-client",
            "scope": "openid profile email", "https://app.example.com/email": "auth0@example.com",
            "https://app.example.com/verified": True, "name": "Ada D", "picture": "https://img.example.com/d.png",
        },
        {"email": "auth0@example.com", "emailVerified": True, "name": "Ada D",
         "image": "https://img.example.com/d.png"},
        {"typ": "at+jwt"},
    ),
    "supabase": StandIn(
        "ES256", "/auth/v1", "/auth/v1/.well-known/jwks.json",
        {"audience": ("authenticated",),
         "claims": {"name": "user_metadata.full_name", "picture": "user_metadata.avatar_url"}},
        {
            "sub": "4d0f5c1e-5f0a-4a2c-9a57-5a3c0d7f6c11", "aud": "authenticated", "role": "authenticated",
            "email": "supabase@example.com", "phone": "", "aal": "aal1", "session_id": "x", "is_anonymous": False,
            "app_metadata": {"provider": "email"},
            # Users can change their metadata, also this, so it proves nothing.
            "user_metadata": {"email_verified": True, "full_name": "Ada S", "avatar_url": "https://img.example.com/s.png"},
        },
        no_email(name="Ada S", image="https://img.example.com/s.png"),
        {},
    ),
    "keycloak": StandIn(
        "RS256", "/realms/darkroom", "/realms/darkroom/protocol/openid-connect/certs",
        {"audience": ("darkroom-api",), "authorized_parties": ("web",)},
        {
            "sub": "f3b1", "typ": "Bearer", "azp": "web", "aud": ["darkroom-api", "account"], "sid": "s", "acr": "1",
            "realm_access": {"roles": ["admin"]}, "email": "keycloak@example.com", "email_verified": True,
            "preferred_username": "ada", "name": "Ada K", "auth_time": int(time.time()),
        },
        {"email": "keycloak@example.com", "emailVerified": True, "name": "Ada K", "image": None},
        {},
    ),
}  # fmt: skip


def filled(value: Any, issuer: str) -> Any:
    """Return a value with the issuer's address in its texts."""
    if isinstance(value, str):
        return value.replace("{issuer}", issuer)
    if isinstance(value, tuple | list):
        return type(value)(filled(one, issuer) for one in value)
    return value


@dataclass(frozen=True)
class Deployment:
    server: Running
    providers: dict[str, IdentityProvider]
    settings: Settings

    def token(self, name: str, **changes: Any) -> str:
        stand_in, provider = PROVIDERS[name], self.providers[name]
        claims = {key: filled(value, provider.issuer) for key, value in stand_in.claims.items()}
        without = [] if "aud" in claims else ["aud"]
        return provider.token(header=stand_in.header, without=without, **{**claims, **changes})


@pytest.fixture
async def deployment(settings: Settings) -> AsyncIterator[Deployment]:
    async with contextlib.AsyncExitStack() as stack:
        providers, issuers = {}, []
        for name, one in PROVIDERS.items():
            provider = IdentityProvider(one.algorithm, path=one.path, jwks_path=one.jwks_path)
            providers[name] = await stack.enter_async_context(provider)
            setting = {key: filled(value, provider.issuer) for key, value in one.setting.items()}
            issuers.append(IssuerSetting(issuer=provider.issuer, algorithm=one.algorithm, **setting))
        found = settings.model_copy(update={"oidc_issuers": tuple(issuers)})
        server = await stack.enter_async_context(running(found, idle=True))
        yield Deployment(server, providers, found)


async def test_tokens_of_five_providers_sign_in_at_once(deployment: Deployment) -> None:
    api = deployment.server.api
    users = {}
    for name, one in PROVIDERS.items():
        client = Api(api.http, api.address, deployment.token(name), {})
        found = await client.one(VIEWER)
        users[name] = found.pop("id")
        assert found.pop("credits") == 30, "the sign-up bonus"
        assert found == one.user, name
        later = Api(api.http, api.address, deployment.token(name, exp=int(time.time()) + 500), {})
        assert (await later.one("{ viewer { id } }")) == {"id": users[name]}, "another token of the same user"
        async with client.socket() as socket:
            assert (await (await socket.subscribe(CREDITS)).next())["credits"] == 30
        wrong = {"aud": "x"} if one.setting.get("audience") else {"azp": "https://evil.example.com"}
        assert not await Api(api.http, api.address, deployment.token(name, **wrong), {}).is_signed_in(), name
    assert len(set(users.values())) == len(PROVIDERS)
    jwks = [path for provider in deployment.providers.values() for path in provider.fetched]
    assert len(jwks) == 2 * len(PROVIDERS) - 1, "keys are fetched once; Better Auth has no discovery document"


async def test_equal_subjects_of_two_issuers_are_two_accounts(deployment: Deployment) -> None:
    api = deployment.server.api
    tokens = [deployment.token(name, sub="1") for name in ("auth0", "keycloak")]
    found = [(await Api(api.http, api.address, token, {}).one("{ viewer { id } }"))["id"] for token in tokens]
    assert len(set(found)) == 2


async def test_check_asks_every_issuer(deployment: Deployment) -> None:
    deployment.providers["clerk"].is_up = False
    keycloak = deployment.providers["keycloak"]
    keycloak.documents["/realms/darkroom/.well-known/openid-configuration"] = {"issuer": "x", "jwks_uri": "y"}
    auth0 = deployment.providers["auth0"]
    auth0.documents["/.well-known/jwks.json"] = {"keys": []}
    lines = await issuer_lines(deployment.settings)
    assert [line.split()[0] for line in lines] == ["ok", "FAIL", "FAIL", "ok", "FAIL"]
    assert "EdDSA, 1 key" in lines[0]
    assert "has no key for RS256" in lines[2]
    assert "another issuer's" in lines[4]
