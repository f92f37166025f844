"""The shipped profiles: their specified values, in two languages, without duplication."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.enum import PlanKind, Quality, ReferenceImage, RefundPolicy, Size
from services.products.collection import CollectionReference
from services.products.profile import Limits, MembershipRules, Profile, ReferralRules, UploadRules, load_profile
from services.products.prompt import check_variables, render_prompt
from settings import PROFILES, ROOT

SHIPPED = {path.stem: load_profile(path) for path in sorted(PROFILES.glob("*.toml"))}
MIB = 1024 * 1024
ALL_PACKAGES = {"credits-50": (50, 499), "credits-200": (200, 1499), "credits-500": (500, 2999)}  # credits, cents
PASSES = {"flash-lite": 3, "flash": 8, "flash-pro": 15}  # images per hour
each_profile = pytest.mark.parametrize("name", SHIPPED)


def policies(profile: Profile) -> dict[str, RefundPolicy]:
    return {collection.slug: collection.refund_policy for collection in profile.collections}


def photos(profile: Profile) -> set[ReferenceImage]:
    return {style.reference_image for collection in profile.collections for style in collection.styles}


def qualities(profile: Profile) -> list[dict[Quality, float]]:
    return [collection.qualities for collection in profile.collections]


def test_six_products_are_shipped() -> None:
    assert SHIPPED.keys() == {"avenger", "flash", "plushify", "plushify-quality", "scenes", "studio"}


@each_profile
def test_profile_is_named_like_its_file(name: str) -> None:
    assert SHIPPED[name].name == name


@pytest.mark.parametrize(
    ("name", "locale", "credits", "max_bytes", "formats", "per_minute"),
    [
        ("plushify", "en", 10, 10 * MIB, ("JPEG", "PNG", "HEIC", "AVIF"), 30),
        ("plushify-quality", "en", 10, 10 * MIB, ("JPEG", "PNG", "HEIC", "AVIF"), 30),
        ("avenger", "en", 30, 10 * MIB, ("JPEG", "PNG", "HEIC", "AVIF"), 5),
        ("scenes", "zh", 100, 5 * MIB, ("JPEG", "PNG", "WEBP", "HEIC", "AVIF"), 30),
        ("flash", "en", 0, 10 * MIB, ("JPEG", "PNG", "HEIC", "AVIF"), 30),
        ("studio", "en", 30, 10 * MIB, ("JPEG", "PNG", "WEBP", "HEIC", "AVIF"), 30),
    ],
)
def test_product_has_its_specified_initial_values(
    name: str, locale: str, credits: int, max_bytes: int, formats: tuple[str, ...], per_minute: int
) -> None:
    found = SHIPPED[name]
    assert (found.locale, found.signup_credits) == (locale, credits)
    assert (found.upload.max_bytes, found.upload.formats) == (max_bytes, formats)
    assert found.limits.generations_per_minute == per_minute


@each_profile
def test_profile_limits_what_an_account_requests_and_keeps(name: str) -> None:
    found = SHIPPED[name]
    assert found.limits.generations_per_minute >= found.max_batch
    assert found.limits.max_stored_bytes >= 100 * found.upload.max_bytes
    assert found.limits.max_kept_generations >= 1000


@pytest.mark.parametrize(
    ("name", "policy", "photo", "prices"),
    [
        ("plushify", RefundPolicy.ON_FAILURE, ReferenceImage.REQUIRED, {1}),
        ("plushify-quality", RefundPolicy.ON_FAILURE, ReferenceImage.REQUIRED, {1}),
        ("avenger", RefundPolicy.BEFORE_PROVIDER, ReferenceImage.REQUIRED, {10}),
        ("scenes", RefundPolicy.ON_FAILURE, ReferenceImage.OPTIONAL, {5, 10}),
        ("flash", RefundPolicy.ON_FAILURE, ReferenceImage.UNUSED, {1}),
    ],
)
def test_product_offers_one_collection_with_its_specified_rules(
    name: str, policy: RefundPolicy, photo: ReferenceImage, prices: set[int]
) -> None:
    (collection,) = SHIPPED[name].collections
    assert policies(SHIPPED[name]) == {collection.slug: policy}
    assert photos(SHIPPED[name]) == {photo}
    assert {style.cost or collection.base_cost for style in collection.styles} == prices


def test_public_scenes_cost_5_and_member_scenes_10() -> None:
    (scenes,) = SHIPPED["scenes"].collections
    prices = {(style.members_only, style.cost or scenes.base_cost) for style in scenes.styles}
    assert prices == {(False, 5), (True, 10)}


def test_plushify_has_one_price_and_plushify_quality_one_per_quality() -> None:
    assert qualities(SHIPPED["plushify"]) == [{Quality.STANDARD: 1.0}]
    assert qualities(SHIPPED["plushify-quality"]) == [{Quality.STANDARD: 1.0, Quality.HD: 2.0, Quality.ULTRA: 4.0}]


def test_studio_offers_everything_that_any_product_offers() -> None:
    studio = SHIPPED["studio"]
    for other in SHIPPED.values():
        for kind in ("collections", "packages", "plans"):
            offered = {entry.slug for entry in getattr(studio, kind)}
            assert {entry.slug for entry in getattr(other, kind)} <= offered


@pytest.mark.parametrize("name", sorted(SHIPPED.keys() - {"flash"}))
def test_product_that_sells_credits_offers_three_packages(name: str) -> None:
    packages = {package.slug: (package.credits, package.price) for package in SHIPPED[name].packages}
    assert (packages, {package.currency for package in SHIPPED[name].packages}) == (ALL_PACKAGES, {"usd"})


def test_monthly_plans_have_their_specified_values() -> None:
    monthly = {plan.slug: plan for plan in SHIPPED["avenger"].plans}
    assert {
        slug: (plan.price, plan.credits_per_month, plan.priority, plan.unlimited, plan.api_access)
        for slug, plan in monthly.items()
    } == {
        "basic": (999, 100, False, False, False),
        "pro": (2999, 300, True, False, False),
        "enterprise": (None, None, True, True, True),
    }


def test_flash_offers_three_passes_and_no_credits() -> None:
    flash = SHIPPED["flash"]
    assert (flash.sells_credits, flash.packages) == (False, ())
    assert {plan.slug: plan.images_per_hour for plan in flash.plans} == PASSES
    for plan in flash.plans:
        assert (plan.kind, bool(plan.price), bool(plan.videos_per_hour)) == (PlanKind.PASS, True, True)
        assert (plan.duration_hours or 0) >= 2  # else no user would see the allowance reset


@each_profile
def test_monthly_plans_have_three_days_of_grace(name: str) -> None:
    found = SHIPPED[name]
    if any(plan.kind is PlanKind.SUBSCRIPTION for plan in found.plans):
        assert found.membership.grace_days == 3


def test_styles_without_photos_mention_none() -> None:
    (collection,) = SHIPPED["flash"].collections
    (style,) = collection.styles
    template = collection.prompt_of(style)
    text = render_prompt(
        template,
        has_photo=False,
        size=Size.MEDIUM,
        variables=check_variables(template.variables, None),
        instruction="a sunset over mountains",
    )
    assert "“a sunset over mountains”" in text
    assert "photo" not in text


# ------------------------------------------------------------------ two languages


def texts(value: object, *place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every localized text below `value`, with its place."""
    if isinstance(value, dict):
        if "en" in value:
            yield ".".join(place), value
        for key, inner in value.items():
            yield from texts(inner, *place, key)
    if isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from texts(inner, *place, str(index))


@each_profile
def test_every_text_exists_in_english_and_chinese(name: str) -> None:
    found = dict(texts(SHIPPED[name].model_dump(mode="json")))
    assert len(found) > 4
    for place, text in found.items():
        assert text.keys() == {"en", "zh"}, place
        assert not re.search(r"[\u3400-\u9fff]", text["en"]), place
        assert re.search(r"[\u3400-\u9fff]", text["zh"]), place


@each_profile
def test_every_option_has_a_label_in_both_languages(name: str) -> None:
    for collection in SHIPPED[name].collections:
        for style in collection.styles:
            for variable in collection.prompt_of(style).variables:
                for choice in variable.options:
                    assert choice.label.keys() == {"en", "zh"}, (style.slug, variable.name, choice.value)


@each_profile
def test_every_style_but_the_prompt_only_one_has_a_category(name: str) -> None:
    for collection in SHIPPED[name].collections:
        for style in collection.styles:
            assert (style.category is None) == (style.slug == "free")


# ------------------------------------------------------------------ no duplication


def test_no_prompt_or_price_is_duplicated() -> None:
    for name in SHIPPED:
        data = tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))
        assert all("use" in collection for collection in data["collections"])
        assert all(isinstance(entry, str) for entry in [*data.get("packages", ()), *data.get("plans", ())])


def test_every_shared_collection_and_offer_is_used() -> None:
    studio = SHIPPED["studio"]
    shared = {path.stem for path in (PROFILES / "shared" / "collections").glob("*.toml")}
    offers = tomllib.loads((PROFILES / "shared" / "offers.toml").read_text(encoding="utf-8"))
    assert {collection.slug for collection in studio.collections} == shared
    assert [plan.slug for plan in studio.plans] == [plan["slug"] for plan in offers["plans"]]
    assert [package.slug for package in studio.packages] == [package["slug"] for package in offers["packages"]]


def test_no_prompt_names_a_trademarked_hero() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in PROFILES.rglob("*.toml")).lower()
    assert not re.search(r"\b(marvel|dc|mcu|gotham|metropolis|batman|superman|superhero|avengers)\b", text)


# ------------------------------------------------------------------ the guide


def test_example_profile_of_the_guide_loads(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "shared").symlink_to(PROFILES / "shared")
    (tmp_path / "toy-profile.toml").write_text(text, encoding="utf-8")
    profile = load_profile(tmp_path / "toy-profile.toml")
    assert [collection.slug for collection in profile.collections] == ["plushify", "sandbox"]
    # It contains every entry that a profile may have.
    shown = set(re.findall(r"^\[*([a-z_]+)", text, re.MULTILINE))
    for part in (Profile, UploadRules, Limits, MembershipRules, ReferralRules, CollectionReference):
        assert part.model_fields.keys() <= shown


def test_guide_names_every_profile() -> None:
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) == SHIPPED.keys()
