"""Offers in profile files: credit packages, monthly plans, passes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, StrictInt, ValidationError

from models.enum import PlanKind, Quality
from services.products.collection import Credits
from services.products.toml_file import (
    ENTRY,
    Localised,
    Problem,
    ProfileError,
    Slug,
    duplicates,
    format_problems,
    read_toml,
    shape_problems,
    text_problems,
)

_ONE_YEAR = 366 * 24  # hours
_LONGEST_MONTH = 31  # days

Price = Annotated[StrictInt, Field(ge=1, le=100_000_000)]  # minor units
Currency = Annotated[str, Field(pattern=r"^[a-z]{3}$")]  # ISO 4217, lower case
Hours = Annotated[StrictInt, Field(ge=1, le=_ONE_YEAR)]
PerHour = Annotated[StrictInt, Field(ge=0, le=100_000)]
ExpireDays = Annotated[StrictInt, Field(ge=1, le=3650)]  # after which credits expire
MaxBatch = Annotated[StrictInt, Field(ge=1, le=16)]  # generations per request


class ProfilePackage(BaseModel):
    """A number of credits at a price."""

    model_config = ENTRY

    slug: Slug
    credits: Credits
    credits_expire_days: ExpireDays | None = None  # None: never
    price: Price
    currency: Currency


class ProfilePlan(BaseModel):
    """A monthly plan, or a pass."""

    model_config = ENTRY

    slug: Slug
    title: Localised
    kind: PlanKind
    price: Price | None = None  # None: on request
    currency: Currency | None = None
    credits_per_month: Credits | None = None
    credits_expire_days: ExpireDays | None = None  # None: never
    # The most unused credits of a month that the next one keeps; None: all, until they expire.
    rollover: Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None = None
    duration_hours: Hours | None = None  # of a pass
    images_per_hour: PerHour | None = None
    videos_per_hour: PerHour | None = None
    quality: Quality | None = None  # the highest that a pass pays for; None: any
    collections: tuple[Slug, ...] | None = Field(None, min_length=1)  # that a pass pays for; None: all
    priority: StrictBool = False  # its generations are claimed before others'
    unlimited: StrictBool = False  # pays for every generation
    api_access: StrictBool = False
    max_batch: MaxBatch | None = None  # None: the profile's


class Offers(BaseModel):
    """Packages and plans that several profiles share."""

    model_config = ENTRY

    packages: tuple[ProfilePackage, ...] = ()
    plans: tuple[ProfilePlan, ...] = ()


def load_offers(path: Path) -> Offers:
    """Load the packages and plans in the file at `path`. Raises ProfileError with all problems."""
    data = read_toml(path)
    try:
        offers = Offers.model_validate(data)
    except ValidationError as error:
        raise ProfileError(format_problems(path, shape_problems(data, error))) from error
    if problems := format_problems(path, offer_problems(offers.packages, offers.plans)):
        raise ProfileError(problems)
    return offers


def offer_problems(packages: tuple[ProfilePackage, ...], plans: tuple[ProfilePlan, ...]) -> Iterator[Problem]:
    """Yield the inconsistencies of offers. A checkout names both kinds by slug, so slugs are unique across both."""
    package_slugs = [package.slug for package in packages]
    yield from duplicates("packages", package_slugs)
    yield from duplicates("plans", [plan.slug for plan in plans])
    for plan in plans:
        place = f"plans.{plan.slug}"
        if plan.slug in package_slugs:
            yield place, "is also the slug of a package"
        yield from text_problems(f"{place}.title", plan.title)
        if plan.price is not None and plan.currency is None:
            yield f"{place}.currency", "is missing, and there is a price"
        if plan.price is None and plan.currency is not None:
            yield f"{place}.currency", "is never used: the price is on request"
        yield from _kind_problems(place, plan)


def rollover_problems(plans: tuple[ProfilePlan, ...], grace_days: int) -> Iterator[Problem]:
    """Yield the plans whose credits expire before the next month, paid as late as it may be, can keep any of them."""
    least = _LONGEST_MONTH + grace_days + 1  # a day for what is reported some hours after it was paid
    late = f" and may be paid {grace_days} days late (membership.grace_days)" if grace_days else ""
    for plan in plans:
        if plan.rollover and plan.credits_expire_days is not None and plan.credits_expire_days < least:
            what = f"must be at least {least} with a rollover: a month has up to {_LONGEST_MONTH} days{late}"
            yield f"plans.{plan.slug}.credits_expire_days", what


def _kind_problems(place: str, plan: ProfilePlan) -> Iterator[Problem]:
    needed = ("duration_hours", "images_per_hour", "videos_per_hour")
    pass_fields = (*needed, "quality", "collections")
    month_fields = (
        "credits_per_month",
        "credits_expire_days",
        "rollover",
        "max_batch",
        "priority",
        "unlimited",
        "api_access",
    )
    is_pass = plan.kind is PlanKind.PASS
    if is_pass:
        for name in needed:
            if getattr(plan, name) is None:
                yield f"{place}.{name}", "is missing, and the plan is a pass"
        if plan.images_per_hour == plan.videos_per_hour == 0:
            yield f"{place}.images_per_hour", "is 0 like videos_per_hour, so the pass allows nothing"
    elif plan.credits_per_month is None and not plan.unlimited:
        yield f"{place}.credits_per_month", "is missing, and the plan is not unlimited"
    if not is_pass and plan.credits_per_month is None and plan.credits_expire_days is not None:
        yield f"{place}.credits_expire_days", "is never used: the plan has no credits_per_month"
    if not is_pass and plan.rollover is not None and plan.credits_expire_days is None:
        yield f"{place}.rollover", "needs credits_expire_days: credits that never expire are all kept"
    for name in month_fields if is_pass else pass_fields:
        if getattr(plan, name) is not None and getattr(plan, name) is not False:
            yield f"{place}.{name}", f"is never used: the plan is a {plan.kind}"
