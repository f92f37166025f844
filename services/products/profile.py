"""The configuration of a product, read from a TOML file: catalogue, prices, offers, refund policies, limits."""

import contextlib
import functools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, PrivateAttr, StrictBool, StrictInt, ValidationError

from models.enum import MediaKind, PlanKind, Quality
from services.products.blocklist import folded
from services.products.collection import CollectionReference, ProfileCollection, collection_problems, load_collection
from services.products.model import DEMO, Model, ModelId, load_models
from services.products.offer import (
    ExpireDays,
    MaxBatch,
    ProfilePackage,
    ProfilePlan,
    load_offers,
    offer_problems,
    rollover_problems,
)
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
    credits_low: Annotated[StrictInt, Field(ge=0, le=1_000_000_000)] = 10  # below which `credits.low` is sent
    members_first: StrictBool = False  # priority of members by an admin's grant; for others the plan decides


class ModerationRules(BaseModel):
    """What users must not write, beyond what the moderation model rejects."""

    model_config = ENTRY

    blocklist: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field((), max_length=10_000)


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


class ExpiryRules(BaseModel):
    """Days after which bonuses expire; None: never. Those of packages and plans are in their own entries."""

    model_config = ENTRY

    signup_days: ExpireDays | None = None  # also of the guests' bonus
    referral_days: ExpireDays | None = None


class RefillRules(BaseModel):
    """Free credits of every calendar month, for accounts that have fewer."""

    model_config = ENTRY

    credits: Annotated[StrictInt, Field(ge=1, le=1_000_000)]  # up to which a balance below is filled
    expire_days: ExpireDays | None = None  # None: never


class GuestRules(BaseModel):
    """What guests get: accounts without an address, which a sign-up completes."""

    model_config = ENTRY

    credits: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0  # the sign-up bonus is less by them
    days: Annotated[StrictInt, Field(ge=1, le=365)] = 30  # without use, after which they are deleted


class Profile(BaseModel):
    """The configuration of one product."""

    model_config = ENTRY

    name: Slug
    title: Localised
    locale: Literal["en", "zh"] = "en"  # if the client requests no language
    sells_credits: StrictBool = True  # whether credits pay for generations; else only passes and plans do
    signup_credits: Annotated[StrictInt, Field(ge=0, le=1_000_000)]
    signup_credits_require_verification: StrictBool = False  # granted when the address is verified, not at sign-up
    enhances_prompts: StrictBool = False  # whether a user may have a prompt enriched by a text model
    max_batch: MaxBatch  # unless the account's plan overrides it
    models: tuple[ModelId, ...] = Field(min_length=1)  # allowed; the first of each medium is its default
    upload: UploadRules
    limits: Limits
    moderation: ModerationRules = ModerationRules()
    membership: MembershipRules = MembershipRules()
    referral: ReferralRules | None = None  # None: there is no referral bonus
    guests: GuestRules | None = None  # None: there are no guests
    expiry: ExpiryRules = ExpiryRules()
    refill: RefillRules | None = None  # None: there is no monthly refill
    collections: tuple[ProfileCollection, ...] = Field(min_length=1)
    packages: tuple[ProfilePackage, ...] = ()
    plans: tuple[ProfilePlan, ...] = ()

    _known_models: Mapping[str, Model] = PrivateAttr(default_factory=dict)  # those of every catalogue file

    def model(self, id: str) -> Model | None:
        """Return an allowed model; None if there is none with this id."""
        return self._known_models[id] if id in self.models else None

    @property
    def known_models(self) -> tuple[Model, ...]:
        """The models of every provider, allowed or not: those that stand in for allowed ones are among them."""
        return tuple(self._known_models.values())

    def models_of(self, medium: MediaKind) -> tuple[Model, ...]:
        """Return the allowed models of a medium; the first is the default."""
        allowed = (self._known_models[id] for id in self.models)
        return tuple(model for model in allowed if model.medium is medium)

    def offered_by(self, providers: Collection[str]) -> Self:
        """Return what a deployment with these providers offers of the product.

        Its models are those of the providers, and its qualities those that one of these models can make.

        Raises:
            ProfileError: no model is left, or none that makes images.
        """
        named = (*self.models, *(model.id for model in self._known_models.values() if model.provider == DEMO))
        known = [self._known_models[id] for id in dict.fromkeys(named)]
        ids = [model.id for model in known if model.provider in providers and self._pays_for(model.medium)]
        if not ids:
            raise ProfileError([f"profile {self.name}: models: none of them is a model of {', '.join(providers)}"])
        offered = self.model_copy(update={"models": tuple(ids)})
        made = {quality for model in offered.models_of(MediaKind.IMAGE) for quality in model.qualities}
        if Quality.STANDARD not in made:
            raise ProfileError(
                [f"profile {self.name}: models: none of {', '.join(ids)} makes images of STANDARD quality"]
            )
        videos = {quality for model in offered.models_of(MediaKind.VIDEO) for quality in model.qualities}
        collections = tuple(collection.offering(made, videos) for collection in self.collections)
        return offered.model_copy(update={"collections": collections})

    def _pays_for(self, medium: MediaKind) -> bool:
        """Return whether anything pays for a medium: where credits are not sold, only what passes count is offered."""
        if self.sells_credits or any(plan.unlimited for plan in self.plans):
            return True
        return any(plan.images_per_hour if medium is MediaKind.IMAGE else plan.videos_per_hour for plan in self.plans)

    def with_default(self, id: str) -> Self:
        """Return the profile with an allowed model as the default of its medium."""
        return self.model_copy(update={"models": (id, *(other for other in self.models if other != id))})


def load_profile(path: Path) -> Profile:
    """Load the profile in the file at `path`, with the shared collections and offers that it names.

    Raises:
        ProfileError: with all problems that were found; the file is missing, is not TOML, or is inconsistent.
    """
    return _load(path, tuple(_read_files(path)))


def _read_files(path: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file that the profile may use, with its content."""
    shared = path.parent / SHARED
    for file in (
        path,
        *sorted(shared.glob("collections/*.toml")),
        *sorted(shared.glob("models/*.toml")),
        shared / "offers.toml",
    ):
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
    try:
        profile._known_models = load_models(path.parent / SHARED / "models")
    except ProfileError as error:
        problems += error.problems
    else:
        problems += format_problems(path, _model_problems(profile))
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


def _model_problems(profile: Profile) -> Iterator[Problem]:
    for id in profile.models:
        if id not in profile._known_models:
            there = ", ".join(profile._known_models) or "none"
            yield f"models.{id}", f"is in no file of {SHARED}/models (there are: {there})"


def _problems(profile: Profile) -> Iterator[Problem]:
    yield from text_problems("title", profile.title)
    yield from duplicates("models", profile.models)
    yield from duplicates("upload.formats", profile.upload.formats)
    yield from duplicates("collections", [collection.slug for collection in profile.collections])
    for phrase in profile.moderation.blocklist:
        if not folded(phrase):
            yield "moderation.blocklist", f"{phrase!r} has no character that is compared"
    for collection in profile.collections:
        yield from collection_problems(collection, "collections", collection.slug)
    yield from offer_problems(profile.packages, profile.plans)
    yield from rollover_problems(profile.plans, profile.membership.grace_days)
    yield from _pass_problems(profile)
    if profile.membership.api_by_plan and not any(plan.api_access for plan in profile.plans):
        yield "membership.api_by_plan", "needs a plan with api_access, and none is sold"
    if not profile.sells_credits:
        yield from _credit_problems(profile)


def _pass_problems(profile: Profile) -> Iterator[Problem]:
    slugs = [collection.slug for collection in profile.collections]
    for plan in profile.plans:
        if plan.collections is not None and not set(plan.collections) & set(slugs):
            yield f"plans.{plan.slug}.collections", f"has none of the profile's (there are: {', '.join(slugs)})"


def _credit_problems(profile: Profile) -> Iterator[Problem]:
    """Yield what grants, sells or costs credits in a product where credits pay for nothing."""
    for collection in profile.collections:
        if collection.reuse_share:
            yield (
                f"collections.{collection.slug}.reuse_share",
                "costs credits, and sells_credits is false: it can be 0.0",
            )
    for name in ("signup_credits", "packages", "referral", "refill"):
        if getattr(profile, name):
            yield name, "gives credits, and sells_credits is false"
    for plan in profile.plans:
        if plan.credits_per_month is not None:
            yield f"plans.{plan.slug}.credits_per_month", "gives credits, and sells_credits is false"
    if not any(plan.kind is PlanKind.PASS or plan.unlimited for plan in profile.plans):
        yield "plans", "nothing pays for generations: sells_credits is false, and there is no pass or unlimited plan"
