"""GraphQL type of batches: the generations of one request."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from models.enum import GenerationStatus
from models.generation_row import GenerationRow
from schema.generations import Generation
from schema.runtime.node import Node


@strawberry.type(description="The generations of one request, without those that were deleted since.")
class Batch(Node):
    rows: strawberry.Private[Sequence[GenerationRow]]
    created_at: datetime
    count: int = strawberry.field(description="Of the generations below.")
    completed: int
    failed: int
    canceled: int
    progress: float = strawberry.field(description="The mean of its generations, from 0 to 1; 1 where all have ended.")

    @strawberry.field(description="In the order of the request.")
    def generations(self) -> list[Generation]:
        return Generation.all_of(self.rows)

    @classmethod
    def of(cls, id: str, rows: Sequence[GenerationRow]) -> "Batch":
        """Return the batch of these rows, of which there is at least one."""
        found = [row.status for row in rows]
        done = sum(1.0 if row.status.is_final else row.progress for row in rows)
        return cls(
            id=strawberry.ID(id),
            rows=rows,
            created_at=rows[0].created_at,
            count=len(rows),
            completed=found.count(GenerationStatus.COMPLETED),
            failed=found.count(GenerationStatus.FAILED),
            canceled=found.count(GenerationStatus.CANCELED),
            progress=round(done / len(rows), 4),
        )
