"""Refresh a catalogue file by what its provider says, keeping what was written by hand: comments, names, factors."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.enum import Quality
from services.integrations.providers.openrouter.discovery import DiscoveredModel
from services.integrations.providers.openrouter.video_discovery import DiscoveredVideoModel
from services.products.model import RESOLUTIONS

_QUALITIES = {"1K": Quality.STANDARD, "2K": Quality.HD, "4K": Quality.ULTRA}
# Of the resolutions that are sold as one quality, which is ordered.
_PREFERRED = ("720p", "540p", "480p", "360p", "1080p", "2K", "4K")
_RATIO = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")  # without auto, and without ratios such as 19.5:9
_OMITTED = {"image_only": False, "streams_previews": False, "max_references": 0}  # what a file need not say


def refresh(
    path: Path, found: Sequence[DiscoveredModel], videos: Sequence[DiscoveredVideoModel] | None = None
) -> list[str]:
    """Update the models in the file at `path`, and return one line for each change and each missing model.

    `videos`: None, if there is no list of them: what the file says about them is kept. Models that the file does not
    have are not added: what they cost a user is decided by a person.
    """
    import tomlkit  # for this command alone

    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    by_id: dict[str, DiscoveredModel | DiscoveredVideoModel] = {model.id: model for model in found}
    by_id |= {model.id: model for model in videos or ()}
    lines: list[str] = []
    for entry in document["models"]:
        if entry["medium"] != "IMAGE" and videos is None:
            continue
        model = by_id.get(str(entry["id"]))
        if model is None:
            lines.append(f"{entry['id']}: is no longer listed")
            continue
        plain = entry.unwrap()
        fresh = _of_image(model) if isinstance(model, DiscoveredModel) else _of_video(model, plain)
        for name, value in _changes(fresh, plain):
            lines.append(f"{entry['id']}: {name}: {entry.get(name)} -> {value}")
            entry[name] = value
    if lines:
        path.write_text(tomlkit.dumps(document), encoding="utf-8")
    return lines


def _of_image(model: DiscoveredModel) -> dict[str, Any]:
    """Return the fields of an image model; None: OpenRouter does not say."""
    made = {_QUALITIES[size] for size in model.resolutions or ("1K",) if size in _QUALITIES}
    return {
        "image_only": model.image_only,
        "qualities": [quality.value for quality in Quality if quality in made] or None,
        "aspect_ratios": _ratios(model.aspect_ratios),
        "max_references": model.max_references,
        "streams_previews": model.streams_previews,
        "cost_usd": model.cost_usd,
    }


def _of_video(model: DiscoveredVideoModel, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a video model. What it could do before, it does in the same order; the rest follows."""
    known = entry.get("resolutions", [])
    offered = sorted(
        set(model.resolutions or ()) & set(_PREFERRED), key=lambda one: (one not in known, _PREFERRED.index(one))
    )
    chosen: dict[Quality, str] = {}
    for resolution in offered:
        chosen.setdefault(RESOLUTIONS[resolution], resolution)
    qualities = [quality for quality in Quality if quality in chosen]
    resolutions = [chosen[quality] for quality in qualities] or known
    before: list[int] = entry["durations"]
    kept = [seconds for seconds in before if seconds in (model.durations or before)]
    durations = [*kept, *sorted(set(model.durations or ()) - set(kept))]
    cost = model.cost_per_second(resolutions[0]) if resolutions else None
    return {
        "qualities": [quality.value for quality in qualities] or None,
        "resolutions": resolutions or None,
        "aspect_ratios": _ratios(model.aspect_ratios),
        "durations": durations,
        "duration_factors": _factors(entry, durations),
        "max_references": int(model.takes_first_frame),
        "cost_usd": None if cost is None else round(cost * durations[0], 4),
    }


def _factors(entry: dict[str, Any], durations: Sequence[int]) -> list[float] | None:
    """Return the factors of the durations: those that a person wrote, and for new ones, by the second."""
    if not entry.get("duration_factors"):
        return None
    written = dict(zip(entry["durations"], entry["duration_factors"], strict=False))
    first, seconds = written.get(durations[0], 1.0), durations[0]
    return [written.get(one, round(first * one / seconds, 3)) for one in durations]


def _ratios(named: Sequence[str] | None) -> list[str] | None:
    return [ratio for ratio in named or () if _RATIO.fullmatch(ratio)] or None


def _changes(fresh: dict[str, Any], entry: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that differ."""
    for name, value in fresh.items():
        if value is not None and value != entry.get(name, _OMITTED.get(name)):
            yield name, value
