"""GraphQL type of models: what each can do."""

from typing import Self

import strawberry

from schema.runtime.context import Info
from schema.runtime.enum import MediaKind, Quality
from services.products import model


@strawberry.type(description="A model that makes images or videos, with what it can do.")
class Model:
    source: strawberry.Private[model.Model]
    id: strawberry.ID = strawberry.field(description="As the provider calls it; what `model` of a request names.")
    name: str
    provider: str
    media: MediaKind
    qualities: list[Quality] = strawberry.field(description="Those that it can make, the lowest first.")
    aspect_ratios: list[str] = strawberry.field(description="Width to height; empty: any up to 4:1.")
    max_references: int = strawberry.field(description="Pictures that a request may start from; 0: from a prompt only.")
    needs_reference: bool = strawberry.field(description="Whether it makes nothing from a prompt alone.")
    refines: bool = strawberry.field(description="Whether it can change an earlier result by refineGeneration.")
    streams_previews: bool = strawberry.field(description="Whether `previewUrl` shows partial images.")
    max_batch: int | None = strawberry.field(description="Per request; null: as the viewer's maxBatch.")
    durations: list[int] = strawberry.field(description="Of a video, in seconds; the first is the default.")
    duration_factors: list[float] = strawberry.field(
        description="Multipliers of the price, one for each of `durations`."
    )
    resolutions: list[str] = strawberry.field(description="Of a video; the first is the default.")
    price_factor: float = strawberry.field(description="Multiplies the price of the quality, before it is rounded up.")

    @strawberry.field(
        description="US dollars for one of the first quality, estimated; null unless the viewer is an admin."
    )
    def cost_usd(self, info: Info) -> float | None:
        return self.source.cost_usd if info.context.is_admin else None

    @classmethod
    def of(cls, found: model.Model) -> Self:
        """Return the source of a model's fields."""
        return cls(
            source=found,
            id=strawberry.ID(found.id),
            name=found.name,
            provider=found.provider,
            media=found.medium,
            qualities=list(found.qualities),
            aspect_ratios=list(found.aspect_ratios),
            max_references=found.max_references,
            needs_reference=found.needs_reference,
            refines=found.refines,
            streams_previews=found.streams_previews,
            max_batch=found.max_batch,
            durations=list(found.durations),
            duration_factors=[found.duration_factor(seconds) for seconds in found.durations],
            resolutions=list(found.resolutions),
            price_factor=found.price_factor,
        )
