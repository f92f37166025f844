"""Every service of the application, one field per group."""

from dataclasses import dataclass

from services.accounts.wiring import Accounts
from services.background.wiring import Background
from services.billing.wiring import Billing
from services.catalogue.wiring import Catalogue
from services.core.wiring import Core
from services.events.wiring import Events
from services.gallery.wiring import Gallery
from services.generations.wiring import Generations
from services.integrations.wiring import Integrations
from services.media.wiring import Media
from services.operations.wiring import Operations
from services.payments.wiring import Payments
from services.products.wiring import Products
from services.webhooks.wiring import Webhooks


@dataclass(frozen=True)
class Services:
    """The services of the application, independent of HTTP and GraphQL."""

    integrations: Integrations
    core: Core
    events: Events
    products: Products
    operations: Operations
    billing: Billing
    payments: Payments
    media: Media
    catalogue: Catalogue
    generations: Generations
    gallery: Gallery
    accounts: Accounts
    webhooks: Webhooks
    background: Background
