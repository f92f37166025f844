"""Builds the services of the catalogue group."""

from dataclasses import dataclass

from services.catalogue.custom_style import CustomStyleService
from services.catalogue.import_export import CatalogueService
from services.catalogue.model_choice import ModelChoice
from services.catalogue.picture_change import StylePictureChanges
from services.catalogue.style import StyleService
from services.catalogue.style_picture import StylePictureService
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.integrations.wiring import Integrations
from services.products.wiring import Products


@dataclass(frozen=True)
class Catalogue:
    """Services for styles and collections."""

    styles: StyleService
    models: ModelChoice
    custom_styles: CustomStyleService
    import_export: CatalogueService
    pictures: StylePictureService
    picture_changes: StylePictureChanges

    @property
    def chores(self) -> tuple[Chore, ...]:
        changes = self.picture_changes
        return (
            chore_for_each("style_picture", Lane.CLEAN_UP, changes.find_removable, changes.remove, until_empty=True),
        )


def build_catalogue(
    core: Core,
    events: Events,
    products: Products,
    integrations: Integrations,
    address: str,
    orphan_seconds: float,
) -> Catalogue:
    """Build the group. `address`: PUBLIC_URL, with which addresses of pictures start.

    `orphan_seconds`: how long a stored picture that no style has is kept.
    """
    storage, sanitizer = integrations.storage, integrations.sanitizers.uploads
    return Catalogue(
        styles=StyleService(products.profile),
        models=ModelChoice(products.profile),
        custom_styles=CustomStyleService(products.profile.limits, events.publisher, core.rates, products.content),
        import_export=CatalogueService(events.publisher),
        pictures=StylePictureService(storage, products.pictures, address),
        picture_changes=StylePictureChanges(storage, sanitizer, events.publisher, orphan_seconds),
    )
