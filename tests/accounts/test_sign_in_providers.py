"""The providers that the studio offers: their pages, as discovery documents name them, and what is not offered."""

import asyncio
from typing import Any

import httpx
import pytest

from identity_settings import IssuerSetting
from services.integrations.identity.discovery import fetch
from services.integrations.identity.issuer import Issuer
from services.integrations.identity.sign_in_page import KEEP_SECONDS, RETRY_SECONDS, SignInPages
from settings import Settings
from tests.accounts.test_external_sign_in import ADA, NONCE, SIGN_IN, VERIFIED
from tests.conftest import running
from tests.support.client import Api
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider

pytestmark = pytest.mark.any_database

PROVIDERS = "{ deployment { signIn { providers { issuer name clientId authorizationEndpoint } } } }"
DISCOVERY = "/.well-known/openid-configuration"


async def offered(api: Api) -> Any:
    return (await api.one(PROVIDERS))["signIn"]["providers"]


def setting(provider: IdentityProvider, **more: Any) -> IssuerSetting:
    return IssuerSetting(issuer=provider.issuer, audience=(AUDIENCE, "api"), **more)


async def test_provider_is_offered_with_its_page_and_signs_in(settings: Settings) -> None:
    async with IdentityProvider() as provider, IdentityProvider() as other:
        issuers = (setting(provider, client_id=AUDIENCE, name="Example ID"), setting(other))
        async with running(settings.model_copy(update={"oidc_issuers": issuers}), idle=True) as server:
            (found,) = await offered(server.api)  # of the other one, no client is known
            assert found == {
                "issuer": provider.issuer,
                "name": "Example ID",
                "clientId": AUDIENCE,
                "authorizationEndpoint": f"{provider.issuer}/authorize",
            }
            assert await offered(server.api) == [found]
            assert provider.fetched.count(DISCOVERY) == 1, "it is kept"
            nonce = (await server.api.one(NONCE))["nonce"]
            provider.user = {**VERIFIED, "sub": "ada"}
            asked = {
                "client_id": found["clientId"], "response_type": "id_token", "scope": "openid email", "nonce": nonce,
                "state": "s1", "redirect_uri": f"{server.api.address}/sign-in/callback",
            }  # fmt: skip
            async with httpx.AsyncClient() as browser:
                sent = await browser.get(found["authorizationEndpoint"], params=asked)
            address, _, fragment = sent.headers["location"].partition("#")
            answer = dict(httpx.QueryParams(fragment))
            assert (address, answer["state"]) == (asked["redirect_uri"], "s1")
            made = await server.api.one(SIGN_IN, input={"idToken": answer["id_token"], "nonce": nonce})
            assert (made["user"]["email"], made["errors"]) == (ADA, [])


async def test_provider_without_a_usable_page_is_not_offered(settings: Settings) -> None:
    async with IdentityProvider() as provider:
        changes = {"oidc_issuers": (setting(provider, client_id=AUDIENCE),)}
        document = provider._documents()[DISCOVERY]
        for wrong in (
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "data://x/y"},
            {"authorization_endpoint": "/authorize"},
            {"authorization_endpoint": None},
            {"response_types_supported": ["code"]},
            {"issuer": "https://other.example.com"},
        ):
            provider.documents[DISCOVERY] = {**document, **wrong}
            async with running(settings.model_copy(update=changes), idle=True) as server:
                assert await offered(server.api) == [], wrong


async def test_page_can_be_configured_for_providers_without_a_discovery_document(settings: Settings) -> None:
    page = "https://id.example.com/oauth2/authorize"
    async with IdentityProvider() as provider:
        provider.documents[DISCOVERY] = None
        jwks = {"jwks_url": f"{provider.issuer}/jwks", "authorization_endpoint": page}
        changes = {"oidc_issuers": (setting(provider, client_id="api", **jwks),)}
        async with running(settings.model_copy(update=changes), idle=True) as server:
            (found,) = await offered(server.api)
    assert (found["authorizationEndpoint"], found["clientId"]) == (page, "api")
    assert found["name"] == provider.address.removeprefix("http://")
    assert DISCOVERY not in provider.fetched


async def test_page_is_looked_up_again_after_a_while_and_kept_while_the_issuer_is_away() -> None:
    seconds = 0.0
    async with IdentityProvider() as provider:
        pages = SignInPages([Issuer(provider.issuer, client_id="studio")], fetch=fetch, clock=lambda: seconds)
        provider.is_up = False
        assert await asyncio.gather(*(pages.found() for _ in range(5))) == [[]] * 5
        assert await pages.found() == []
        assert provider.fetched == [DISCOVERY], "a page that opens does not wait for it again"
        provider.is_up = True
        seconds += RETRY_SECONDS
        (found,) = await pages.found()
        assert found.authorization_endpoint == f"{provider.issuer}/authorize"
        provider.is_up = False
        seconds += KEEP_SECONDS
        for _ in range(3):
            assert await pages.found() == [found], "it is used meanwhile"
        await pages.aclose()


def test_client_must_be_one_that_tokens_are_issued_to() -> None:
    issuer = {"issuer": "https://id.example.com", "audience": ("api",)}
    assert IssuerSetting(**issuer, client_id="api").problems(is_production=True) == []
    (problem,) = IssuerSetting(**issuer, client_id="studio").problems(is_production=True)
    assert "needs its client_id as an audience" in problem
    assert IssuerSetting(**issuer, client_id="api", authorization_endpoint="http://id.example.com/x").problems(
        is_production=True
    )
