"""Builds the services of the products group."""

from dataclasses import dataclass, field

from services.products.content_check import ContentCheck
from services.products.profile import Profile
from services.products.style_picture import ShippedPictures


@dataclass(frozen=True)
class Products:
    """The configuration of one product."""

    profile: Profile
    content: ContentCheck
    pictures: ShippedPictures = field(default_factory=ShippedPictures)
    enhances_prompts: bool = False  # whether the profile offers it, and the deployment has a text model
