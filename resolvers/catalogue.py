"""The catalogue as a whole, for admins."""

from strawberry.scalars import JSON

from schema.catalogue import CataloguePayload
from schema.context import Info
from schema.error import user_errors
from services.catalogue.import_document import CatalogueError


async def admin_import_catalogue(info: Info, catalogue: JSON, dry_run: bool | None = True) -> CataloguePayload:
    try:
        counts = await info.context.services.catalogue.take(
            info.context.require_viewer(), catalogue, dry_run=dry_run is not False
        )
    except CatalogueError as error:
        told = [one for refusal in error.refusals for one in user_errors(refusal, info.context)]
        return CataloguePayload(created=0, updated=0, unchanged=0, errors=told)
    return CataloguePayload(created=counts.created, updated=counts.updated, unchanged=counts.unchanged, errors=[])
