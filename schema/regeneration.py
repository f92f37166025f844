"""What a person asks for again: the same, another one like it, or one with a change."""

import strawberry


@strawberry.input
class RegenerateInput:
    id: strawberry.ID
    as_variation: bool | None = strawberry.field(
        default=False, description="With its result as the reference, asking for something similar."
    )
    count: int | None = strawberry.field(default=1, description="1 to the viewer's maxBatch.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.input
class RefineGenerationInput:
    id: strawberry.ID = strawberry.field(description="A finished one: its result becomes the reference image.")
    instruction: str = strawberry.field(description="What shall be different; everything else is kept.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )
