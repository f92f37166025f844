"""GraphQL types of data exports."""

from datetime import datetime

import strawberry

from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError


@strawberry.type(description="A zip of all of an account's data: data.json and the images.")
class DataExport:
    url: str | None = strawberry.field(
        description="Null until the export is complete. The URL may expire before `expiresAt`; repeat the request then."
    )
    expires_at: datetime | None = strawberry.field(
        description="When the file is removed; null until the export is complete."
    )


@strawberry.type
class DataExportPayload(Payload):
    data_export: DataExport | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
