"""Builds the services of the catalogue group."""

from dataclasses import dataclass

from services.catalogue.custom_style import CustomStyleService
from services.catalogue.import_export import CatalogueService
from services.catalogue.style import StyleService
from services.events.wiring import Events
from services.products.wiring import Products


@dataclass(frozen=True)
class Catalogue:
    """Services for styles and collections."""

    styles: StyleService
    custom_styles: CustomStyleService
    import_export: CatalogueService


def build_catalogue(events: Events, products: Products) -> Catalogue:
    return Catalogue(
        styles=StyleService(products.profile),
        custom_styles=CustomStyleService(products.profile.limits, events.publisher),
        import_export=CatalogueService(events.publisher),
    )
