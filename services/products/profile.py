"""The configuration of a product, read from a TOML file: catalogue, prices, offers, refund policies, limits."""

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
    """The limits of uploaded photos."""

    model_config = ENTRY

    max_bytes: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
    formats: tuple[Literal["JPEG", "PNG", "WEBP", "HEIC", "AVIF"], ...] = Field(min_length=1)


class ModelRules(BaseModel):
    """What one model takes, where that differs from what is known about models; in bytes."""

    model_config = ENTRY

    reference_max_bytes: Annotated[StrictInt, Field(ge=10_000, le=2**31 - 1)] = 7_000_000  # of the reference picture
    request_max_bytes: Annotated[StrictInt, Field(ge=100_000, le=2**31 - 1)] = 20_000_000  # with it, as Base64


class Limits(BaseModel):
    """How much one account may request and keep; where 0 is allowed, it switches a limit off."""

    model_config = ENTRY

    prompt_max_length: Annotated[StrictInt, Field(ge=1, le=10_000)]  # characters
    generations_per_minute: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 30
    connections_per_account: Annotated[StrictInt, Field(ge=1, le=10_000)] = 50  # sockets and streams, per process
    subscriptions_per_account: Annotated[StrictInt, Field(ge=1, le=10_000)] = 200  # over all of them, per process
    refused_pictures: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = 20  # per account in 15 minutes
    max_stored_bytes: Annotated[StrictInt, Field(ge=0, le=2**53)] = 10 * 2**30  # originals and results
    max_kept_generations: Annotated[StrictInt, Field(ge=0, le=2**31 - 1)] = 10_000  # in any status, not deleted
    members_first: StrictBool = False  # priority of members by an admin's grant; for others the plan decides


class MembershipRules(BaseModel):
    """When monthly plans end, and what requires one."""

    model_config = ENTRY

    grace_days: Annotated[StrictInt, Field(ge=0, le=60)] = 0  # after the end of the paid month
    api_by_plan: StrictBool = False  # whether API keys require a plan with API access


class ReferralRules(BaseModel):
    """The bonus for inviting a new user."""

    model_config = ENTRY

    bonus: Annotated[StrictInt, Field(ge=1, le=1_000_000)]  # credits, for each of the two users
    cap: Annotated[StrictInt, Field(ge=1, le=1_000_000)]  # invited accounts that one referrer gets bonuses for


class Profile(BaseModel):
    """The configuration of one product."""

    model_config = ENTRY

    name: Slug
    title: Localised
    locale: Literal["en", "zh"] = "en"  # if the client requests no language
    sells_credits: StrictBool = True  # whether credits pay for generations; else only passes and plans do
    signup_credits: Annotated[StrictInt, Field(ge=0, le=1_000_000)]
    signup_credits_require_verification: StrictBool = False  # granted when the address is verified, not at sign-up
    max_batch: MaxBatch  # unless the account's plan overrides it
    models: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)  # allowed; the first is the default
    model_limits: dict[str, ModelRules] = {}  # by model
    upload: UploadRules
    limits: Limits
    membership: MembershipRules = MembershipRules()
    referral: ReferralRules | None = None  # None: there is no referral bonus
    collections: tuple[ProfileCollection, ...] = Field(min_length=1)
    packages: tuple[ProfilePackage, ...] = ()
    plans: tuple[ProfilePlan, ...] = ()


def load_profile(path: Path) -> Profile:
    """Load the profile in the file at `path`, with the shared collections and offers that it names.

    Raises:
        ProfileError: with all problems that were found; the file is missing, is not TOML, or is inconsistent.
    """
    return _load(path, tuple(_read_files(path)))


def _read_files(path: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file that the profile may use, with its content."""
    shared = path.parent / SHARED
    for file in (path, *sorted(shared.glob("collections/*.toml")), shared / "offers.toml"):
        with contextlib.suppress(OSError):  # a missing file is reported where it is used
            yield file, file.read_bytes()


@functools.lru_cache(maxsize=16)
def _load(path: Path, _: tuple[tuple[Path, bytes], ...]) -> Profile:
    """Load once for the same files: a start loads the profile three times, and validation takes 35 ms."""
    data = read_toml(path)
    problems = [*_fill_collections(path, data), *_fill_offers(path, data)]
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        # If the list is empty because none of its entries was found, that is reported already.
        emptied = "collections" if problems and data.get("collections") == [] else None
        raise ProfileError(
            problems + format_problems(path, (item for item in shape_problems(data, error) if item[0] != emptied))
        ) from error
    problems += format_problems(path, _problems(profile))
    if problems:
        raise ProfileError(problems)
    return profile


def _fill_collections(path: Path, data: dict[str, Any]) -> Iterator[str]:
    """Replace references by the shared collections, drop invalid ones, and yield their problems."""
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
    """Do the same for packages and plans, which are referenced by slug."""
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
    for model in profile.model_limits:
        if model not in profile.models:
            yield f"model_limits.{model}", "is none of models"
    yield from duplicates("upload.formats", profile.upload.formats)
    yield from duplicates("collections", [collection.slug for collection in profile.collections])
    for collection in profile.collections:
        yield from collection_problems(collection, "collections", collection.slug)
    yield from offer_problems(profile.packages, profile.plans)
    if profile.membership.api_by_plan and not any(plan.api_access for plan in profile.plans):
        yield "membership.api_by_plan", "needs a plan with api_access, and none is sold"
    if not profile.sells_credits:
        yield from _credit_problems(profile)


def _credit_problems(profile: Profile) -> Iterator[Problem]:
    """Yield what grants or sells credits in a product where credits pay for nothing."""
    for name in ("signup_credits", "packages", "referral"):
        if getattr(profile, name):
            yield name, "gives credits, and sells_credits is false"
    for plan in profile.plans:
        if plan.credits_per_month is not None:
            yield f"plans.{plan.slug}.credits_per_month", "gives credits, and sells_credits is false"
    if not any(plan.kind is PlanKind.PASS or plan.unlimited for plan in profile.plans):
        yield "plans", "nothing pays for generations: sells_credits is false, and there is no pass or unlimited plan"
