"""The configuration of one product, read from a TOML file: its catalogue, prices, offers, refund policies, limits."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt, ValidationError

from models.enum import PlanKind
from services.products.collection import CollectionReference, ProfileCollection, collection_problems, load_collection
from services.products.offer import MaxBatch, ProfilePackage, ProfilePlan, load_offers, offer_problems
from services.products.toml_file import (
    ENTRY,
    SHARED,
    Localised,
    Problem,
    ProfileError,
    Slug,
    duplicates,
    format_problems,
    name_of,
    read_toml,
    shape_problems,
    text_problems,
)


class UploadRules(BaseModel):
    """Which photos are taken."""

    model_config = ENTRY

    max_bytes: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
    formats: tuple[Literal["JPEG", "PNG", "WEBP"], ...] = Field(min_length=1)


class Limits(BaseModel):
    """How much a person may ask for at once."""

    model_config = ENTRY

    prompt_max_length: Annotated[StrictInt, Field(ge=1, le=10_000)]  # characters
    generations_per_minute: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None  # pictures of one account
    members_first: StrictBool = False  # whether members by an admin's grace jump the queue; of others the plan says it


class MembershipRules(BaseModel):
    """How monthly plans end, and what waits for them."""

    model_config = ENTRY

    grace_days: Annotated[StrictInt, Field(ge=0, le=60)] = 0  # that a plan outlives the month that was paid for
    api_by_plan: StrictBool = False  # whether API keys are for those alone whose plan has API access


class ReferralRules(BaseModel):
    """What bringing somebody is worth."""

    model_config = ENTRY

    bonus: Annotated[StrictInt, Field(ge=1, le=1_000_000)]  # credits, for each of the two
    cap: Annotated[StrictInt, Field(ge=1, le=1_000_000)]  # accounts that one may be paid for


class Profile(BaseModel):
    """One product."""

    model_config = ENTRY

    name: Slug
    title: Localised
    locale: Literal["en", "zh"] = "en"  # for callers who ask for no language
    sells_credits: StrictBool = True  # whether credits pay for pictures; else passes and plans alone do
    signup_credits: Annotated[StrictInt, Field(ge=0, le=1_000_000)]
    max_batch: MaxBatch  # of accounts whose plan says nothing else
    models: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)  # allowed; the first is the default
    upload: UploadRules
    limits: Limits
    membership: MembershipRules = MembershipRules()
    referral: ReferralRules | None = None  # None: nobody is paid for bringing others
    collections: tuple[ProfileCollection, ...] = Field(min_length=1)
    packages: tuple[ProfilePackage, ...] = ()
    plans: tuple[ProfilePlan, ...] = ()


def load_profile(path: Path) -> Profile:
    """The profile in the file at `path`, with the shared collections and offers that it names.

    Raises:
        ProfileError: with all problems that could be told, for a file that is missing, not TOML, or makes no sense.
    """
    return _load(path, tuple(_texts(path)))


def _texts(path: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file that may have a part in the profile, and what it says."""
    shared = path.parent / SHARED
    for file in (path, *sorted(shared.glob("collections/*.toml")), shared / "offers.toml"):
        with contextlib.suppress(OSError):  # which is told of where it is missed
            yield file, file.read_bytes()


@functools.lru_cache(maxsize=16)
def _load(path: Path, _: tuple[tuple[Path, bytes], ...]) -> Profile:
    """Once for the same texts: a start asks three times, and looking for problems takes 35 ms."""
    data = read_toml(path)
    problems = [*_fill_collections(path, data), *_fill_offers(path, data)]
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        # A list that is empty because nothing in it could be found has been told of already.
        emptied = "collections" if problems and data.get("collections") == [] else None
        raise ProfileError(
            problems + format_problems(path, (item for item in shape_problems(data, error) if item[0] != emptied))
        ) from error
    problems += format_problems(path, _problems(profile))
    if problems:
        raise ProfileError(problems)
    return profile


def _fill_collections(path: Path, data: dict[str, Any]) -> Iterator[str]:
    """Put the shared collections in the place of their names, leave out what cannot be used, and say why."""
    entries = data.get("collections")
    if not isinstance(entries, list):
        return
    data["collections"] = filled = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or "use" not in entry:
            filled.append(entry)
            continue
        place = ("collections", name_of(entry, index))
        try:
            wanted = CollectionReference.model_validate(entry)
            shared = load_collection(_shared_collection(path, wanted.use))
        except ValidationError as error:
            yield from format_problems(path, shape_problems(entry, error, *place))
        except ProfileError as error:
            yield from error.problems
        else:
            problems = format_problems(
                path, ((".".join((*place, within)), what) for within, what in wanted.problems(shared))
            )
            yield from problems
            if not problems:
                filled.append(wanted.apply(shared))


def _shared_collection(path: Path, slug: str) -> Path:
    found = path.parent / SHARED / "collections" / f"{slug}.toml"
    if not found.is_file():
        there = ", ".join(sorted(other.stem for other in found.parent.glob("*.toml"))) or "none"
        what = f"there is no {SHARED}/collections/{slug}.toml (there are: {there})"
        raise ProfileError([f"{path}: collections.{slug}: {what}"])
    return found


def _fill_offers(path: Path, data: dict[str, Any]) -> Iterator[str]:
    """The same for packages and plans, which are named by a text."""
    lists = {name: data[name] for name in ("packages", "plans") if isinstance(data.get(name), list)}
    if not any(isinstance(entry, str) for entries in lists.values() for entry in entries):
        return
    try:
        offers = load_offers(path.parent / SHARED / "offers.toml")
    except ProfileError as error:
        yield from error.problems
        data |= {name: [entry for entry in entries if not isinstance(entry, str)] for name, entries in lists.items()}
        return
    for name, entries in lists.items():
        known = {offer.slug: offer for offer in (offers.packages if name == "packages" else offers.plans)}
        for entry in entries:
            if isinstance(entry, str) and entry not in known:
                there = ", ".join(known) or "none"
                yield f"{path}: {name}.{entry}: is not in {SHARED}/offers.toml (there are: {there})"
        data[name] = [
            known[entry] if isinstance(entry, str) else entry
            for entry in entries
            if not isinstance(entry, str) or entry in known
        ]


def _problems(profile: Profile) -> Iterator[Problem]:
    yield from text_problems("title", profile.title)
    yield from duplicates("models", profile.models)
    yield from duplicates("upload.formats", profile.upload.formats)
    yield from duplicates("collections", [collection.slug for collection in profile.collections])
    for collection in profile.collections:
        yield from collection_problems(collection, "collections", collection.slug)
    yield from offer_problems(profile.packages, profile.plans)
    if profile.membership.api_by_plan and not any(plan.api_access for plan in profile.plans):
        yield "membership.api_by_plan", "needs a plan with api_access, and none is sold"
    if not profile.sells_credits:
        yield from _without_credits(profile)


def _without_credits(profile: Profile) -> Iterator[Problem]:
    """Where credits pay for nothing, nobody is given or sold any."""
    for name in ("signup_credits", "packages", "referral"):
        if getattr(profile, name):
            yield name, "gives credits, and sells_credits is false"
    for plan in profile.plans:
        if plan.credits_per_month is not None:
            yield f"plans.{plan.slug}.credits_per_month", "gives credits, and sells_credits is false"
    if not any(plan.kind is PlanKind.PASS or plan.unlimited for plan in profile.plans):
        yield "plans", "nothing pays for pictures: sells_credits is false, and there is no pass or unlimited plan"
