"""Query.deployment: what a frontend need not know beforehand, the same for every viewer."""

import tomllib
from pathlib import Path

import pytest

from identity_settings import IssuerSetting
from models.database.connection import rows
from services.operations.maintenance import MaintenanceState
from services.operations.release import VERSION
from setting_types import Environment
from settings import Settings
from tests.conftest import Running, running
from tests.support.expiring_profile import SIGNUP_DAYS, write_profile

DEPLOYMENT = """
{
  deployment {
    product title version locale locales media aspectRatios sellsCredits maxBatch promptMaxLength enhancesPrompts
    models { id media aspectRatios costUsd }
    upload { maxBytes formats contentTypes }
    signIn { methods requiresVerification passwordMinLength signupCredits guestCredits }
    payments { provider isTest returnOrigins }
    status { readOnly acceptsGenerations pausedModels }
  }
}"""


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION


async def test_deployment_is_the_same_for_all_viewers_and_true(idle_server: Running) -> None:
    api = idle_server.api
    found = await api.one(DEPLOYMENT)
    ada = await api.sign_up()
    assert await ada.one(DEPLOYMENT) == found
    profile = idle_server.services.products.profile
    assert (found["product"], found["version"]) == (profile.name, VERSION)
    assert found["locales"] == ["en", "zh-CN"]
    assert found["upload"]["maxBytes"] == idle_server.services.media.files.limits.max_bytes
    too_large = {"contentType": found["upload"]["contentTypes"][0], "byteSize": found["upload"]["maxBytes"] + 1}
    upload = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } errors { field } } }"
    assert (await ada.one(upload, input=too_large))["errors"] == [{"field": ["byteSize"]}]
    for content_type in found["upload"]["contentTypes"]:
        allowed = {"contentType": content_type, "byteSize": found["upload"]["maxBytes"]}
        assert (await ada.one(upload, input=allowed))["errors"] == []
    assert [model["id"] for model in found["models"]] == [one["id"] for one in await api.one("{ models { id } }")]
    for ratio in found["aspectRatios"]:
        quote = f'{{ quote(input: {{prompt: "A fox", aspectRatio: "{ratio}"}}) {{ errors {{ field }} }} }}'
        assert (await ada.one(quote))["errors"] == []
    assert found["signIn"]["methods"] == ["PASSWORD", "LINK", "GUEST"]
    fresh = await api.sign_up("bob@example.com", password="x" * found["signIn"]["passwordMinLength"])
    assert await fresh.credits() == found["signIn"]["signupCredits"]
    begin = "mutation { createGuest { user { credits } } }"
    guest = await api.one(begin) if profile.guests else None
    assert found["signIn"]["guestCredits"] == (guest["user"]["credits"] if guest else None)
    assert found["payments"] is None or found["payments"]["provider"] in ("polar", "development")
    assert found["status"] == {"readOnly": False, "acceptsGenerations": True, "pausedModels": []}


async def test_deployment_says_how_credits_are_filled_up_and_expire(settings: Settings, tmp_path: Path) -> None:
    rules = """{ deployment { lowCredits monthlyRefill { credits expireDays } referrals { bonus expireDays }
        signIn { signupCredits signupExpireDays } } }"""
    expiry = "referral_days = 90\n[refill]\ncredits = 20\nexpire_days = 31\n"
    changes = {"profile": write_profile(tmp_path, expiry)}
    async with running(settings.model_copy(update=changes), idle=True) as server:
        found = await server.api.one(rules)
        assert (found["lowCredits"], found["monthlyRefill"]) == (10, {"credits": 20, "expireDays": 31})
        assert found["signIn"]["signupExpireDays"] == SIGNUP_DAYS
        assert found["referrals"]["expireDays"] == 90
        ada = await server.api.sign_up()
        assert (await ada.one("{ viewer { hasLowCredits } }"))["hasLowCredits"] == (await ada.credits() < 10)


async def test_deployment_without_such_rules_says_so(settings: Settings) -> None:
    rules = "{ deployment { lowCredits monthlyRefill { credits } referrals { bonus } signIn { signupExpireDays } } }"
    async with running(settings.model_copy(update={"profile": "flash"}), idle=True) as server:
        found = await server.api.one(rules)
    assert found == {
        "lowCredits": None, "monthlyRefill": None, "referrals": None, "signIn": {"signupExpireDays": None},
    }  # fmt: skip


async def test_deployment_says_what_is_paused(idle_server: Running) -> None:
    maintenance = idle_server.services.operations.maintenance
    status = "{ deployment { status { readOnly acceptsGenerations } } }"
    for change, expected in (
        ("read_only = TRUE", {"readOnly": True, "acceptsGenerations": True}),
        ("read_only = FALSE, daily_spend_cap = 0", {"readOnly": False, "acceptsGenerations": False}),
    ):
        await rows(f"UPDATE maintenance SET {change} WHERE id = 1 RETURNING id")  # noqa: S608 - named above
        state: MaintenanceState = await maintenance.read()
        await maintenance._apply(state)
        assert (await idle_server.api.one(status))["status"] == expected


@pytest.mark.any_database
@pytest.mark.parametrize(("profile", "is_offered"), [("studio", True), ("flash", True), ("plushify", False)])
async def test_custom_styles_are_offered_where_they_can_be_created(
    settings: Settings, profile: str, is_offered: bool
) -> None:
    offers = "{ deployment { maxCustomStyles referrals { bonus } } }"
    create = "mutation($input: StyleInput!) { createStyle(input: $input) { errors { code } } }"
    async with running(settings.model_copy(update={"profile": profile}), idle=True) as found:
        ada = await found.api.sign_up()
        deployment = await ada.one(offers)
        assert deployment["maxCustomStyles"] == (100 if is_offered else None)
        assert (deployment["referrals"] is not None) is (profile == "studio")
        if is_offered:
            made = await ada.one(create, input={"title": "Rain", "prompt": "Rain over a city."})
            assert made["errors"] == []


SIGN_IN = "{ deployment { signIn { methods issuers guestCredits } } }"
WAYS = {
    "GUEST": "mutation { createGuest { errors { code } } }",
    "LINK": 'mutation { requestSignInLink(email: "ada@example.com") { errors { code } } }',
}


@pytest.mark.any_database
async def test_ways_to_sign_in_are_those_that_work(settings: Settings) -> None:
    issuer = IssuerSetting(issuer="https://id.example.com", audience=("darkroom",))
    without_mail = {"environment": Environment.PRODUCTION}
    for changes, expected in (
        ({}, ["PASSWORD", "LINK", "GUEST"]),
        ({"profile": "avenger", **without_mail}, ["PASSWORD"]),
        ({"oidc_issuers": (issuer,), **without_mail}, ["PASSWORD", "GUEST", "ID_TOKEN"]),
    ):
        async with running(settings.model_copy(update=changes), idle=True) as server:
            found = (await server.api.one(SIGN_IN))["signIn"]
            assert found["methods"] == expected
            assert found["issuers"] == ([issuer.issuer] if "ID_TOKEN" in expected else [])
            assert bool(found["guestCredits"]) is ("GUEST" in expected)
            for way, query in WAYS.items():
                response = await server.api.raw(query)
                assert ('"code"' not in response.text) is (way in expected), way
