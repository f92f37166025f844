"""Shared collections and offers in profiles: references, overrides, and the report of all problems."""

from pathlib import Path

import pytest

from models.enum import Quality, ReferenceImage, RefundPolicy
from services.products.profile import Profile, load_profile
from services.products.toml_file import ProfileError
from tests.support.model_catalogue import write_models

PROFILE = """
name = "tiny"
title = { en = "Tiny", zh = "小" }
signup_credits = 3
max_batch = 2
models = ["model/one"]
packages = ["some"]
plans = ["monthly", "day"]
[upload]
max_bytes = 1000
formats = ["PNG"]
[limits]
prompt_max_length = 100
[[collections]]
use = "toys"
"""
TOYS = """
slug = "toys"
title = { en = "Toys", zh = "玩具" }
description = { en = "Toys.", zh = "玩具。" }
base_cost = 1
refund_policy = "NEVER"
qualities = { STANDARD = 1, HD = 1.5 }
[[styles]]
slug = "bear"
title = { en = "Bear", zh = "熊" }
description = { en = "A bear.", zh = "一只熊。" }
reference_image = "OPTIONAL"
prompt = "A bear as in the photo."
prompt_without_photo = "A bear."
[[styles]]
slug = "fox"
title = { en = "Fox", zh = "狐狸" }
description = { en = "A fox.", zh = "一只狐狸。" }
reference_image = "OPTIONAL"
cost = 2
prompt = "A fox as in the photo."
prompt_without_photo = "A fox."
"""
OFFERS = """
[[packages]]
slug = "some"
credits = 50
price = 499
currency = "usd"
[[plans]]
slug = "monthly"
title = { en = "Monthly", zh = "包月" }
kind = "SUBSCRIPTION"
price = 999
currency = "usd"
credits_per_month = 100
[[plans]]
slug = "day"
title = { en = "Day", zh = "一天" }
kind = "PASS"
price = 199
currency = "usd"
duration_hours = 24
images_per_hour = 3
videos_per_hour = 0
"""


def write(folder: Path, profile: str = PROFILE, toys: str = TOYS, offers: str = OFFERS) -> Path:
    write_models(folder)
    collections = folder / "shared" / "collections"
    collections.mkdir(parents=True)
    (collections / "toys.toml").write_text(toys, encoding="utf-8")
    (folder / "shared" / "offers.toml").write_text(offers, encoding="utf-8")
    path = folder / "tiny.toml"
    path.write_text(profile, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[str]:
    """Return the problems without the folder, which differs in every test."""
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    return [line.replace(f"{path.parent}/", "") for line in error.value.problems]


def load_with(folder: Path, changes: str) -> Profile:
    return load_profile(write(folder, PROFILE + changes))


# ------------------------------------------------------------------ sharing


def test_referenced_collection_is_included_unchanged(tmp_path: Path) -> None:
    (toys,) = load_with(tmp_path, "").collections
    assert (toys.base_cost, toys.refund_policy) == (1, RefundPolicy.NEVER)
    assert [style.slug for style in toys.styles] == ["bear", "fox"]


def test_referenced_packages_and_plans_are_included(tmp_path: Path) -> None:
    profile = load_with(tmp_path, "")
    assert [(package.slug, package.credits, package.price) for package in profile.packages] == [("some", 50, 499)]
    assert [(plan.slug, plan.price, plan.max_batch) for plan in profile.plans] == [
        ("monthly", 999, None),
        ("day", 199, None),
    ]


def test_profile_may_have_own_and_shared_offers(tmp_path: Path) -> None:
    own = 'packages = ["some", { slug = "more", credits = 90, price = 700, currency = "eur" }]'
    profile = load_profile(write(tmp_path, PROFILE.replace('packages = ["some"]', own)))
    assert [package.slug for package in profile.packages] == ["some", "more"]


def test_profile_overrides_shared_values(tmp_path: Path) -> None:
    changes = 'base_cost = 7\nrefund_policy = "ON_FAILURE"\nqualities = { STANDARD = 2 }'
    (toys,) = load_with(tmp_path, changes).collections
    assert (toys.base_cost, toys.refund_policy, toys.qualities) == (
        7,
        RefundPolicy.ON_FAILURE,
        {Quality.STANDARD: 2.0},
    )
    assert {style.slug: style.cost for style in toys.styles} == {"bear": None, "fox": 2}


def test_profile_may_select_and_reorder_styles(tmp_path: Path) -> None:
    (toys,) = load_with(tmp_path, 'styles = ["fox", "bear"]').collections
    assert [style.slug for style in toys.styles] == ["fox", "bear"]


@pytest.mark.parametrize(
    ("wanted", "prompt"), [("UNUSED", "A bear."), ("REQUIRED", "A bear as in the photo.")], ids=["never", "always"]
)
def test_optional_photo_can_be_required_or_excluded(tmp_path: Path, wanted: str, prompt: str) -> None:
    (toys,) = load_with(tmp_path, f'reference_image = "{wanted}"').collections
    bear = toys.styles[0]
    assert (bear.reference_image, bear.prompt, bear.prompt_without_photo) == (ReferenceImage(wanted), prompt, None)


# ------------------------------------------------------------------ problems


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ("colour = 1", "collections.toys.colour: is not a known entry"),
        ("base_cost = 0", "collections.toys.base_cost: Input should be greater than or equal to 1"),
        ("qualities = { HD = 2 }", "collections.toys.qualities: STANDARD is missing"),
        (
            'styles = ["wolf"]',
            "collections.toys.styles.wolf: is not in shared/collections/toys.toml (there are: bear, fox)",
        ),
        ('styles = ["bear", "bear"]', "collections.toys.styles.bear: is duplicated"),
        (
            '[[collections]]\nuse = "tools"',
            "collections.tools: there is no shared/collections/tools.toml (there are: toys)",
        ),
        ('[[collections]]\nuse = "toys"', "collections.toys: is duplicated"),
        (
            '[[collections]]\nuse = "../toys"',
            "collections.../toys.use: String should match pattern '^[a-z0-9]+(-[a-z0-9]+)*$'",
        ),
    ],
)
def test_invalid_collection_reference_is_reported(tmp_path: Path, changes: str, line: str) -> None:
    assert problems_of(write(tmp_path, PROFILE + changes)) == [f"tiny.toml: {line}"]


def test_required_photo_cannot_be_excluded(tmp_path: Path) -> None:
    needed = TOYS.replace('"OPTIONAL"\ncost', '"REQUIRED"\ncost').replace('prompt_without_photo = "A fox."\n', "")
    path = write(tmp_path, PROFILE + 'reference_image = "UNUSED"', toys=needed)
    assert problems_of(path) == ["tiny.toml: collections.toys.reference_image: is fixed as REQUIRED in the style fox"]


def test_problem_in_shared_file_is_reported_with_that_file(tmp_path: Path) -> None:
    toys = TOYS.replace("base_cost = 1", "").replace(', zh = "狐狸"', "")
    offers = OFFERS.replace('currency = "usd"\ncredits_per_month = 100', 'currency = "USD"\ncredits_per_month = 100')
    assert problems_of(write(tmp_path, toys=toys, offers=offers)) == [
        "shared/collections/toys.toml: base_cost: is missing",
        "shared/offers.toml: plans.monthly.currency: String should match pattern '^[a-z]{3}$'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('currency = "usd"\n[[plans]]', "[[plans]]", "packages.some.currency: is missing"),
        ("price = 499", "price = 4.99", "packages.some.price: Input should be a valid integer"),
        ("price = 999\n", "", "plans.monthly.currency: is never used: the price is on request"),
        (
            'currency = "usd"\ncredits_per_month',
            "credits_per_month",
            "plans.monthly.currency: is missing, and there is a price",
        ),
        (', zh = "包月"', "", "plans.monthly.title.zh: is missing"),
        (
            "credits_per_month = 100",
            "",
            "plans.monthly.credits_per_month: is missing, and the plan is not unlimited",
        ),
        (
            "credits_per_month = 100",
            "credits_per_month = 100\nimages_per_hour = 3",
            "plans.monthly.images_per_hour: is never used: the plan is a SUBSCRIPTION",
        ),
        ("duration_hours = 24", "", "plans.day.duration_hours: is missing, and the plan is a pass"),
        ("images_per_hour = 3", "", "plans.day.images_per_hour: is missing, and the plan is a pass"),
        (
            "images_per_hour = 3",
            "images_per_hour = 0",
            "plans.day.images_per_hour: is 0 like videos_per_hour, so the pass allows nothing",
        ),
        (
            "duration_hours = 24",
            "duration_hours = 24\npriority = true",
            "plans.day.priority: is never used: the plan is a PASS",
        ),
        (
            "duration_hours = 24",
            "duration_hours = 24\nmax_batch = 9",
            "plans.day.max_batch: is never used: the plan is a PASS",
        ),
        ('slug = "day"', 'slug = "monthly"', "plans.monthly: is duplicated"),
        ('slug = "day"', 'slug = "some"', "plans.some: is also the slug of a package"),
        ('kind = "PASS"', 'kind = "HOURLY"', "plans.day.kind: Input should be 'SUBSCRIPTION' or 'PASS'"),
    ],
)
def test_problem_in_offer_is_reported(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert OFFERS.count(old) == 1
    assert f"shared/offers.toml: {line}" in problems_of(write(tmp_path, offers=OFFERS.replace(old, new)))


def test_unknown_offer_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    path = write(tmp_path, PROFILE.replace('"monthly"', '"yearly"'))
    assert problems_of(path) == ["tiny.toml: plans.yearly: is not in shared/offers.toml (there are: monthly, day)"]


def test_api_by_plan_requires_a_plan_with_api_access(tmp_path: Path) -> None:
    text = PROFILE + "[membership]\napi_by_plan = true\n"
    assert problems_of(write(tmp_path, text)) == [
        "tiny.toml: membership.api_by_plan: needs a plan with api_access, and none is sold"
    ]
    offers = OFFERS.replace('slug = "monthly"', 'slug = "monthly"\napi_access = true')
    assert load_profile(write(tmp_path / "with", text, offers=offers)).membership.api_by_plan


def test_rollover_requires_credits_that_outlive_a_month_that_is_paid_late(tmp_path: Path) -> None:
    def offers(days: int, rollover: int = 20) -> str:
        fields = f"credits_per_month = 100\ncredits_expire_days = {days}\nrollover = {rollover}"
        return OFFERS.replace("credits_per_month = 100", fields)

    place = "tiny.toml: plans.monthly.credits_expire_days: must be at least"
    longest = "with a rollover: a month has up to 31 days"
    assert problems_of(write(tmp_path / "at_once", offers=offers(31))) == [f"{place} 32 {longest}"]
    assert load_profile(write(tmp_path / "enough", offers=offers(32))).plans[0].rollover == 20
    assert load_profile(write(tmp_path / "none", offers=offers(28, rollover=0))).plans[0].rollover == 0
    late = PROFILE + "[membership]\ngrace_days = 3\n"
    assert problems_of(write(tmp_path / "late", late, offers=offers(34))) == [
        f"{place} 35 {longest} and may be paid 3 days late (membership.grace_days)"
    ]
    assert load_profile(write(tmp_path / "late_enough", late, offers=offers(35))).plans[0].credits_expire_days == 35


def test_product_without_credits_grants_and_sells_none(tmp_path: Path) -> None:
    text = PROFILE.replace("max_batch", "sells_credits = false\nmax_batch")
    assert problems_of(write(tmp_path, text + "[referral]\nbonus = 5\ncap = 2\n")) == [
        "tiny.toml: signup_credits: gives credits, and sells_credits is false",
        "tiny.toml: packages: gives credits, and sells_credits is false",
        "tiny.toml: referral: gives credits, and sells_credits is false",
        "tiny.toml: plans.monthly.credits_per_month: gives credits, and sells_credits is false",
    ]


def test_product_requires_a_funding_source(tmp_path: Path) -> None:
    text = PROFILE.replace("signup_credits = 3", "signup_credits = 0\nsells_credits = false")
    text = text.replace('packages = ["some"]\nplans = ["monthly", "day"]\n', "")
    assert problems_of(write(tmp_path, text)) == [
        "tiny.toml: plans: nothing pays for generations: sells_credits is false, and there is no pass or unlimited plan"
    ]


def test_all_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    text = PROFILE.replace("max_batch = 2", "").replace('"day"', '"night"') + '[[collections]]\nuse = "tools"\n'
    path = write(tmp_path, text, toys=TOYS.replace("base_cost = 1", "base_cost = 0"))
    assert problems_of(path) == [
        "shared/collections/toys.toml: base_cost: Input should be greater than or equal to 1",
        "tiny.toml: collections.tools: there is no shared/collections/tools.toml (there are: toys)",
        "tiny.toml: plans.night: is not in shared/offers.toml (there are: monthly, day)",
        "tiny.toml: max_batch: is missing",
    ]
