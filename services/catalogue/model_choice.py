"""The choice of a model for a request: the one that it names, else the first that can do what it asks for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from models.enum import MediaKind, Quality
from services.billing.entitlement import Entitlement
from services.core.error import InvalidInputError
from services.core.message import message
from services.products.model import Model
from services.products.profile import Profile

_RATIO = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)")
_WIDEST = 4  # ratio of the longer side to the shorter, where the model makes any

Refuse = Callable[[Model, tuple[str, ...]], InvalidInputError]  # with the ids of models that could do it


@dataclass(frozen=True)
class Demand:
    """What a request asks of its model."""

    media: MediaKind = MediaKind.IMAGE
    quality: Quality = Quality.STANDARD
    count: int = 1
    aspect_ratio: str | None = None  # None: any
    has_reference: bool | None = False  # whether it starts from a picture; None: not known yet
    refines: bool = False  # whether it changes an earlier result, with the prompts that led to it
    seconds: int | None = None  # of a video; None: the first of the model's durations


class ModelChoice:
    """Chooses among the models of the profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def models(self, media: MediaKind | None = None) -> list[Model]:
        """Return the models that are offered, those of one medium or all; the first of each medium is its default."""
        return [model for kind in MediaKind if media in (kind, None) for model in self._profile.models_of(kind)]

    def choose(self, entitlement: Entitlement, wanted: str | None, demand: Demand) -> Model:
        """Return the model with the id `wanted`; without one, the first that can do what is asked for.

        Raises:
            InvalidInputError: the product or the account's plan does not offer this, or the model cannot do it; with
                the alternatives.
        """
        model, problems = self.find(entitlement, wanted, demand)
        if problems:
            raise problems[0]
        return model

    def find(
        self, entitlement: Entitlement, wanted: str | None, demand: Demand
    ) -> tuple[Model, list[InvalidInputError]]:
        """Return the model as `choose` does, and everything that speaks against doing this with it.

        Raises:
            InvalidInputError: there is no such model, or none of this medium.
        """
        offered = self._profile.models_of(demand.media)
        if not offered:
            raise InvalidInputError(message("Only images can be made here."), field=("media",))
        problems: list[InvalidInputError] = []
        if not 1 <= demand.count <= entitlement.max_batch:
            problems.append(_wrong_count(entitlement.max_batch))
            demand = replace(demand, count=1)
        if demand.seconds is not None and demand.media is not MediaKind.VIDEO:
            problems.append(InvalidInputError(message("Only a video has a duration."), field=("durationSeconds",)))
            demand = replace(demand, seconds=None)
        if demand.aspect_ratio is not None and _RATIO.fullmatch(demand.aspect_ratio) is None:
            problems.append(InvalidInputError(message("An aspect ratio looks like 3:2."), field=("aspectRatio",)))
            demand = replace(demand, aspect_ratio=None)
        able = [model for model in offered if not _problems(model, demand)]
        if wanted is None and able:
            return able[0], problems
        model = offered[0] if wanted is None else self._named(wanted, offered)
        others = tuple(other.id for other in able)
        return model, [*problems, *(refuse(model, others) for refuse in _problems(model, demand))]

    @staticmethod
    def _named(id: str, offered: Sequence[Model]) -> Model:
        for model in offered:
            if model.id == id:
                return model
        text = message("This model is not offered here. Offered: {models}.", models=tuple(each.id for each in offered))
        raise InvalidInputError(text, field=("model",))


def check_count(count: int, limit: int) -> None:
    """Check the number of generations in a request. Raises InvalidInputError."""
    if not 1 <= count <= limit:
        raise _wrong_count(limit)


def _wrong_count(limit: int) -> InvalidInputError:
    text = message("Request 1 to {limit} pictures at a time.", limit=limit)
    text = text if limit > 1 else message("Request one picture at a time.")
    return InvalidInputError(text, field=("count",))


def _problems(model: Model, demand: Demand) -> list[Refuse]:
    """Return how to refuse each thing in the demand that the model cannot do."""
    checks: tuple[tuple[bool, Refuse], ...] = (
        (demand.quality in model.qualities, _refuse_quality),
        (demand.aspect_ratio is None or _makes_ratio(model, demand.aspect_ratio), _refuse_ratio),
        (model.max_batch is None or demand.count <= model.max_batch, _refuse_count),
        (not demand.has_reference or model.max_references > 0, _refuse_reference),
        (demand.has_reference is not False or not model.needs_reference, _refuse_without_reference),
        (not demand.refines or model.refines, _refuse_refinement),
        (demand.seconds is None or demand.seconds in model.durations, _refuse_duration),
    )
    return [refuse for can, refuse in checks if not can]


def _makes_ratio(model: Model, ratio: str) -> bool:
    width, height = map(int, ratio.split(":"))
    if not model.aspect_ratios:
        return max(width, height) <= _WIDEST * min(width, height)
    return Fraction(width, height) in {Fraction(*map(int, one.split(":"))) for one in model.aspect_ratios}


def _refuse_quality(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    made = tuple(quality.value for quality in model.qualities)
    text = message("{model} makes this quality: {made}.", model=model.id, made=made)
    if others:
        text = message(
            "{model} makes this quality: {made}. Models for the requested one: {models}.",
            model=model.id,
            made=made,
            models=others,
        )
    return InvalidInputError(text, field=("quality",))


def _refuse_ratio(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    ratios = model.aspect_ratios
    if not ratios:
        return InvalidInputError(message("An aspect ratio is at most 4:1."), field=("aspectRatio",))
    text = message("{model} makes these aspect ratios: {ratios}.", model=model.id, ratios=ratios)
    if others:
        text = message(
            "{model} makes these aspect ratios: {ratios}. Models for the requested one: {models}.",
            model=model.id,
            ratios=ratios,
            models=others,
        )
    return InvalidInputError(text, field=("aspectRatio",))


def _refuse_count(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    limit = model.max_batch
    text = message("{model} makes at most {limit} at a time.", model=model.id, limit=limit)
    if others:
        text = message(
            "{model} makes at most {limit} at a time. Models that make more: {models}.",
            model=model.id,
            limit=limit,
            models=others,
        )
    return InvalidInputError(text, field=("count",))


def _refuse_reference(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    text = message("{model} does not start from a picture.", model=model.id)
    if others:
        text = message(
            "{model} does not start from a picture. Models that do: {models}.", model=model.id, models=others
        )
    return InvalidInputError(text, field=("image",))


def _refuse_without_reference(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    text = message("{model} needs a picture to start from.", model=model.id)
    if others:
        text = message(
            "{model} needs a picture to start from. Models that need none: {models}.", model=model.id, models=others
        )
    return InvalidInputError(text, field=("image",))


def _refuse_duration(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    made = tuple(str(seconds) for seconds in model.durations)
    text = message("{model} makes videos of these seconds: {made}.", model=model.id, made=made)
    if others:
        text = message(
            "{model} makes videos of these seconds: {made}. Models for the requested duration: {models}.",
            model=model.id,
            made=made,
            models=others,
        )
    return InvalidInputError(text, field=("durationSeconds",))


def _refuse_refinement(model: Model, others: tuple[str, ...]) -> InvalidInputError:
    text = message("{model} does not refine pictures.", model=model.id)
    if others:
        text = message("{model} does not refine pictures. Models that do: {models}.", model=model.id, models=others)
    return InvalidInputError(text, field=("id",))
