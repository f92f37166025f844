"""Models in catalogue files: what each can do, and what it costs. One file per provider, named like it."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, ValidationError

from models.enum import MediaKind, Quality
from services.products.collection import Multiplier
from services.products.toml_file import (
    ENTRY,
    Problem,
    ProfileError,
    duplicates,
    format_problems,
    read_toml,
    shape_problems,
)

# What videos are sold as, by the name of their resolution.
RESOLUTIONS = {
    "360p": Quality.STANDARD,
    "480p": Quality.STANDARD,
    "540p": Quality.STANDARD,
    "720p": Quality.STANDARD,
    "1080p": Quality.HD,
    "2K": Quality.HD,
    "4K": Quality.ULTRA,
}
DEMO = "demo"  # the provider whose models every profile allows: it shows a product, and is none

ModelId = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=100)]
Ratio = Annotated[str, Field(pattern=r"^[1-9][0-9]?:[1-9][0-9]?$")]
Bytes = Annotated[StrictInt, Field(ge=10_000, le=2**31 - 1)]


class _Entry(BaseModel):
    """One model in a file."""

    model_config = ENTRY

    id: ModelId  # as the provider calls it; unique across providers
    name: Annotated[str, Field(min_length=1, max_length=100)]  # as users read it
    medium: MediaKind
    api: Literal["chat", "images", "videos"] | None = None  # of OpenRouter, which has several
    qualities: tuple[Quality, ...] = Field(min_length=1)  # that it can make, the lowest first
    aspect_ratios: tuple[Ratio, ...] = ()  # width to height; empty: any
    side: Annotated[StrictInt, Field(ge=64, le=8192)] | None = None  # pixels of a square image, where they are ordered
    max_references: Annotated[StrictInt, Field(ge=0, le=100)] = 0  # pictures that a request may start from
    reference_max_bytes: Bytes | None = None  # of one of them; a larger one is sent as a smaller copy. None: any number
    request_max_bytes: Bytes | None = None  # of a whole request, with its references as Base64
    needs_reference: StrictBool = False  # makes nothing from a prompt alone
    streams_previews: StrictBool = False
    refines: StrictBool = False  # changes an earlier result as an instruction says, knowing what was said before
    image_only: StrictBool = False  # must not be asked for text beside the image
    max_batch: Annotated[StrictInt, Field(ge=1, le=16)] | None = None  # generations per request; None: as the plan says
    durations: tuple[
        Annotated[StrictInt, Field(ge=1, le=600)], ...
    ] = ()  # of a video, in seconds; the first by default
    duration_factors: tuple[Multiplier, ...] = ()  # of the price, one for each duration; empty: all cost the same
    resolutions: tuple[str, ...] = ()  # of a video, one for each of its qualities; empty: the model's own
    price_factor: Multiplier = 1.0  # of the style's price
    cost_usd: Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)] = 0.0  # of one at the first quality, estimated


class Model(_Entry):
    """A model of a provider."""

    provider: str

    def duration_factor(self, seconds: int | None) -> float:
        """Return the multiplier of the price of a video that long. `seconds`: None for the first duration."""
        if not self.duration_factors:
            return 1.0
        return self.duration_factors[self.durations.index(seconds) if seconds in self.durations else 0]


class _File(BaseModel):
    """The catalogue of one provider."""

    model_config = ENTRY

    models: tuple[_Entry, ...] = ()


def load_models(folder: Path) -> Mapping[str, Model]:
    """Load the models of every provider by id, in the order of the files. Raises ProfileError with all problems."""
    return _load(tuple(_read_files(folder)))


def _read_files(folder: Path) -> Iterator[tuple[Path, bytes | None]]:
    """Yield every catalogue file with its content, or None if it cannot be read, which is reported where it is used."""
    for path in sorted(folder.glob("*.toml")):
        content = None
        with contextlib.suppress(OSError):
            content = path.read_bytes()
        yield path, content


@functools.lru_cache(maxsize=16)
def _load(files: tuple[tuple[Path, bytes | None], ...]) -> Mapping[str, Model]:
    """Load once for the same files: a start asks for the models a dozen times, and parsing takes 4 ms."""
    found: dict[str, Model] = {}
    problems: list[str] = []
    for path, _ in files:
        try:
            entries = _load_file(path)
        except ProfileError as error:
            problems += error.problems
            continue
        for entry in entries:
            if entry.id in found:
                problems.append(f"{path}: models.{entry.id}: is also a model of {found[entry.id].provider}")
            found[entry.id] = Model(provider=path.stem, **dict(entry))
    if problems:
        raise ProfileError(problems)
    return MappingProxyType(found)


def _load_file(path: Path) -> tuple[_Entry, ...]:
    data = read_toml(path)
    try:
        entries = _File.model_validate(data).models
    except ValidationError as error:
        raise ProfileError(format_problems(path, shape_problems(data, error))) from error
    if problems := format_problems(path, _problems(entries)):
        raise ProfileError(problems)
    return entries


def _problems(entries: tuple[_Entry, ...]) -> Iterator[Problem]:
    yield from duplicates("models", [entry.id for entry in entries])
    for entry in entries:
        place = f"models.{entry.id}"
        yield from duplicates(f"{place}.aspect_ratios", entry.aspect_ratios)
        if list(entry.qualities) != [quality for quality in Quality if quality in entry.qualities]:
            yield f"{place}.qualities", f"must be some of {', '.join(Quality)}, each once, in this order"
        for name in ("needs_reference", "refines"):
            if getattr(entry, name) and not entry.max_references:
                yield f"{place}.{name}", "needs max_references"
        for name in ("durations", "duration_factors", "resolutions"):
            if entry.medium is MediaKind.IMAGE and getattr(entry, name):
                yield f"{place}.{name}", "is never used: the medium is IMAGE"
        if entry.medium is MediaKind.VIDEO:
            yield from _video_problems(place, entry)


def _video_problems(place: str, entry: _Entry) -> Iterator[Problem]:
    if not entry.durations:
        yield f"{place}.durations", "is missing, and the medium is VIDEO"
    yield from duplicates(f"{place}.durations", [str(seconds) for seconds in entry.durations])
    if entry.duration_factors and len(entry.duration_factors) != len(entry.durations):
        yield f"{place}.duration_factors", "must be as many as durations"
    if not entry.resolutions:
        return
    made = [RESOLUTIONS.get(resolution) for resolution in entry.resolutions]
    if made != list(entry.qualities):  # what comes is measured: a lower resolution would be refunded each time
        sold = ", ".join(f"{name} as {quality}" for name, quality in RESOLUTIONS.items())
        yield f"{place}.resolutions", f"must be one for each of the qualities: {sold}"
