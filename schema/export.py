"""Exports of one's own data."""

from datetime import datetime

import strawberry

from schema.error import UserError


@strawberry.type(description="A zip of everything in an account: data.json, and the pictures.")
class DataExport:
    url: str | None = strawberry.field(
        description="Null while it is being made. It may end before `expiresAt`; ask again."
    )
    expires_at: datetime | None = strawberry.field(description="When the file is removed.")


@strawberry.type
class DataExportPayload:
    data_export: DataExport | None
    errors: list[UserError]
