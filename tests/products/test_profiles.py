"""Each product through the API: credits, catalogue, offers and limits. Changing the product keeps history."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from main import prepare
from models import Collection, CreditPackage, Plan, Style
from setting_types import Switch
from settings import PROFILES, Settings
from tests.conftest import Running, running
from tests.support.client import CANCEL, Api, photo
from tests.support.integrity import assert_invariants

PHOTO = photo(64, 48)
MIB = 1024 * 1024
CATALOGUE = """
{
  collections {
    id slug title description baseCost refundPolicy
    styles { id slug title cost locked referenceImage }
  }
}"""
OFFERS = """
{
  creditPackages { id slug credits price currency }
  plans {
    id slug title kind price currency creditsPerMonth durationHours imagesPerHour videosPerHour
    priority unlimited apiAccess maxBatch
  }
}"""
NODE = """
query($id: ID!) {
  node(id: $id) { id ... on CreditPackage { slug price } ... on Plan { slug title } ... on Style { slug } }
}"""
QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost } }"
UPLOAD = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } errors { code field } } }"
ORDER = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) {
    generations { id }
    errors { code field ... on RateLimitedError { retryAfter } }
  }
}"""
GALLERY = """
{ viewer { generations { nodes { id status cost refunded styleTitle style { id } } } } }
"""


@contextlib.asynccontextmanager
async def product(settings: Settings, profile: str, *, idle: bool = True, **more: Any) -> AsyncIterator[Running]:
    """Run a server with this profile and its seeded catalogue."""
    async with running(settings.model_copy(update={"profile": profile, **more}), idle=idle) as server:
        await server.services.catalogue.styles.seed()
        await server.services.billing.plans.seed()
        yield server


async def restarted(settings: Settings, profile: str | Path) -> Settings:
    """Return the settings of the same deployment with another profile, after seeding."""
    changed = settings.model_copy(update={"profile": str(profile)})
    await prepare(changed)
    return changed


async def cost_of(api: Api, collection: str, slug: str, **input: Any) -> int:
    found = await api.one(QUOTE, input={"styleId": await api.style(slug, collection), **input})
    return int(found["cost"])


async def gallery(api: Api) -> dict[str, dict[str, Any]]:
    nodes = (await api.one(GALLERY))["generations"]["nodes"]
    return {node["id"]: node for node in nodes}


def without_ids(found: Any) -> Any:
    """Return the same value without any `id` fields."""
    if isinstance(found, dict):
        return {name: without_ids(value) for name, value in found.items() if name != "id"}
    return [without_ids(value) for value in found] if isinstance(found, list) else found


# ------------------------------------------------------------------ products


PACKAGES = ["credits-50", "credits-200", "credits-500"]
PASSES = ["flash-lite", "flash", "flash-pro"]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("profile", "credits", "collections", "offers", "title", "picture", "cost"),
    [
        ("plushify", 10, ["plushify"], PACKAGES, "Plushify", "cute", 1),
        ("plushify-quality", 10, ["plushify"], [*PACKAGES, "basic", "pro"], "Plushify", "cute", 1),
        ("avenger", 30, ["avenger"], [*PACKAGES, "basic", "pro", "enterprise"], "Heroes", "noir", 10),
        ("scenes", 100, ["scenes"], [*PACKAGES, "basic", "pro"], "场景", "quiet-beach", 5),
    ],
)
async def test_deployment_serves_the_product_of_its_profile(
    settings: Settings,
    profile: str,
    credits: int,
    collections: list[str],
    offers: list[str],
    title: str,
    picture: str,
    cost: int,
) -> None:
    async with product(settings, profile, idle=False) as server:
        ada = await server.api.sign_up()
        assert await ada.credits() == credits
        catalogue = await ada.one(CATALOGUE)
        assert [collection["slug"] for collection in catalogue] == collections
        assert catalogue[0]["title"] == title  # in the product's default language
        offered = await ada.execute(OFFERS)
        assert [offer["slug"] for offer in offered["creditPackages"] + offered["plans"]] == offers
        made = await ada.create(PHOTO, styleId=await ada.style(picture, collections[0]))
        assert made["errors"] == []
        ended = await ada.wait_for_end(made["generations"][0]["id"])
        assert (ended["status"], ended["cost"], await ada.credits()) == ("COMPLETED", cost, credits - cost)


@pytest.mark.any_database
async def test_flash_grants_no_credits_and_offers_only_passes(settings: Settings) -> None:
    async with product(settings, "flash") as server:
        ada = await server.api.sign_up()
        assert await ada.credits() == 0
        (sandbox,) = await ada.one(CATALOGUE)
        (free,) = sandbox["styles"]
        assert (sandbox["slug"], free["slug"], free["referenceImage"]) == ("sandbox", "free", "UNUSED")
        offered = await ada.execute(OFFERS)
        assert (offered["creditPackages"], [plan["slug"] for plan in offered["plans"]]) == ([], PASSES)
        allowed = [(plan["imagesPerHour"], plan["kind"]) for plan in offered["plans"]]
        assert allowed == [(3, "PASS"), (8, "PASS"), (15, "PASS")]
        photo_refused = await ada.refused(ORDER, {"input.image": PHOTO}, input={"prompt": "A sunset"})
        assert (photo_refused["code"], photo_refused["field"]) == ("INVALID_INPUT", ["image"])


async def test_offers_are_localized_and_found_by_id(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        offered = await server.api.execute(OFFERS)
        assert offered["creditPackages"][0] == {
            "id": offered["creditPackages"][0]["id"],
            "slug": "credits-50",
            "credits": 50,
            "price": 499,
            "currency": "usd",
        }
        plans = {plan["slug"]: plan for plan in offered["plans"]}
        assert [package["slug"] for package in offered["creditPackages"]] == PACKAGES
        assert list(plans) == ["basic", "pro", "enterprise", *PASSES]
        assert plans["basic"] == {
            "id": plans["basic"]["id"],
            "slug": "basic",
            "title": "Basic",
            "kind": "SUBSCRIPTION",
            "price": 999,
            "currency": "usd",
            "creditsPerMonth": 100,
            "durationHours": None,
            "imagesPerHour": None,
            "videosPerHour": None,
            "priority": False,
            "unlimited": False,
            "apiAccess": False,
            "maxBatch": server.services.products.profile.max_batch,
        }
        assert (plans["enterprise"]["price"], plans["enterprise"]["unlimited"]) == (None, True)
        assert (plans["flash"]["kind"], plans["flash"]["imagesPerHour"]) == ("PASS", 8)
        for offer in [*offered["creditPackages"], *offered["plans"]]:
            assert (await server.api.one(NODE, id=offer["id"]))["slug"] == offer["slug"]
        chinese = await server.api.raw(OFFERS, headers={"accept-language": "zh-CN"})
        assert [plan["title"] for plan in chinese.json()["data"]["plans"]][:3] == ["基础版", "专业版", "企业版"]


# ------------------------------------------------------------------ rules


@pytest.mark.any_database
async def test_plushify_accepts_jpeg_and_png_and_has_one_price(settings: Settings) -> None:
    async with product(settings, "plushify") as server:
        ada = await server.api.sign_up()
        style = await ada.style("cute", "plushify")
        better = await ada.refused(QUOTE, input={"styleId": style, "quality": "HD"})
        assert (better["code"], better["field"]) == ("INVALID_INPUT", ["quality"])
        webp = await ada.refused(ORDER, {"input.image": photo(64, 48, "WEBP")}, input={"styleId": style})
        assert (webp["code"], webp["field"]) == ("INVALID_INPUT", ["image"])
        without = await ada.refused(ORDER, input={"styleId": style})
        assert (without["code"], without["field"]) == ("INVALID_INPUT", ["image"])
        for words_alone in (await ada.refused(ORDER, input={"prompt": "A fox"}), await ada.refused(QUOTE, input={})):
            assert (words_alone["code"], words_alone["field"]) == ("INVALID_INPUT", ["styleId"])
        assert (await ada.one(ORDER, {"input.image": photo(64, 48, "PNG")}, input={"styleId": style}))["errors"] == []
        assert await ada.credits() == 9


@pytest.mark.any_database
async def test_plushify_quality_costs_more_in_higher_quality(settings: Settings) -> None:
    async with product(settings, "plushify-quality") as server:
        ada = await server.api.sign_up()
        costs = [await cost_of(ada, "plushify", "cute", quality=quality) for quality in ("STANDARD", "HD", "ULTRA")]
        assert costs == [1, 2, 4]


@pytest.mark.any_database
async def test_scene_accepts_photos_up_to_five_mebibytes(settings: Settings) -> None:
    async with product(settings, "scenes") as server:
        ada = await server.api.sign_up()
        fits = await ada.one(UPLOAD, input={"contentType": "image/webp", "byteSize": 5 * MIB})
        assert fits["errors"] == []
        too_big = await ada.refused(UPLOAD, input={"contentType": "image/png", "byteSize": 5 * MIB + 1})
        assert (too_big["code"], too_big["field"]) == ("INVALID_INPUT", ["byteSize"])


@pytest.mark.any_database
async def test_sixth_avenger_image_within_a_minute_is_rate_limited(settings: Settings) -> None:
    async with product(settings, "avenger", rate_limits=Switch.ON, signup_credits=100) as server:
        ada = await server.api.sign_up()
        assert await ada.credits() == 100  # SIGNUP_CREDITS overrides the profile
        style = await ada.style("noir", "avenger")
        for _ in range(5):
            assert (await ada.one(ORDER, {"input.image": PHOTO}, input={"styleId": style}))["errors"] == []
        refused = await ada.refused(ORDER, {"input.image": PHOTO}, input={"styleId": style})
        assert refused["code"] == "RATE_LIMITED"
        assert 0 < refused["retryAfter"] <= 60
        assert await ada.credits() == 50


# ------------------------------------------------------------------ history


async def test_changing_the_product_does_not_rewrite_history(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "shared").symlink_to(PROFILES / "shared")
    plushify = (PROFILES / "plushify.toml").read_text(encoding="utf-8")
    dearer = plushify.replace('packages = ["credits-50", "credits-200", "credits-500"]', 'packages = ["credits-200"]')
    (tmp_path / "dearer.toml").write_text(f'{dearer}base_cost = 7\nrefund_policy = "NEVER"\n', encoding="utf-8")
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        offers = await ada.execute(OFFERS)
        catalogue = await ada.one(CATALOGUE)
        cute, beach = await ada.style("cute", "plushify"), await ada.style("quiet-beach", "scenes")
        (plush,) = (await ada.create(PHOTO, styleId=cute))["generations"]
        (scene,) = (await ada.create(PHOTO, styleId=beach))["generations"]
        assert await ada.credits() == 30 - 1 - 5
        token = ada.token
    async with running(await restarted(settings, tmp_path / "dearer"), idle=True) as server:
        ada = Api(server.api.http, server.api.address, token)
        (left,) = await ada.one(CATALOGUE)
        assert (left["slug"], left["baseCost"], left["refundPolicy"]) == ("plushify", 7, "NEVER")
        assert await cost_of(ada, "plushify", "cute") == 7
        assert await ada.one(NODE, id=beach) is None
        assert (await ada.refused(ORDER, {"input.image": PHOTO}, input={"styleId": beach}))["code"] == "NOT_FOUND"
        # Generations keep their prices and titles, even if the style was removed.
        found = await gallery(ada)
        assert {id: (node["cost"], node["styleTitle"]) for id, node in found.items()} == {
            plush["id"]: (1, "Cute"),
            scene["id"]: (5, "Quiet Beach"),
        }
        # A package that is no longer on sale can still be read by id.
        assert [package["slug"] for package in (await ada.execute(OFFERS))["creditPackages"]] == ["credits-200"]
        deactivated = next(package for package in offers["creditPackages"] if package["slug"] == "credits-50")
        assert (await ada.one(NODE, id=deactivated["id"]))["price"] == 499
        # Each is canceled by the refund policy of its submission.
        (now,) = (await ada.create(PHOTO, styleId=cute))["generations"]
        assert await ada.credits() == 24 - 7
        for id, refunded, credits in ((plush["id"], True, 18), (scene["id"], True, 23), (now["id"], False, 23)):
            canceled = (await ada.one(CANCEL, id=id))["generation"]
            assert (canceled["status"], canceled["refunded"], await ada.credits()) == ("CANCELED", refunded, credits)
        await assert_invariants(server.services)
    async with running(await restarted(settings, "studio"), idle=True) as server:
        ada = Api(server.api.http, server.api.address, token)
        assert await ada.one(CATALOGUE) == catalogue
        assert await ada.execute(OFFERS) == offers
        found = await gallery(ada)
        assert {id: node["cost"] for id, node in found.items()} == {plush["id"]: 1, scene["id"]: 5, now["id"]: 7}


async def test_processes_starting_concurrently_seed_the_catalogue_once(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        catalogue, offers = await server.api.one(CATALOGUE), await server.api.execute(OFFERS)
        for table in (Style, Collection, Plan, CreditPackage):
            await table.all().delete()
        styles, plans = server.services.catalogue.styles, server.services.billing.plans
        await asyncio.gather(*(seed() for _ in range(4) for seed in (styles.seed, plans.seed)))
        assert without_ids(await server.api.one(CATALOGUE)) == without_ids(catalogue)
        assert without_ids(await server.api.execute(OFFERS)) == without_ids(offers)
