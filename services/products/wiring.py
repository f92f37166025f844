"""Builds the services of the products group."""

from dataclasses import dataclass

from services.products.profile import Profile


@dataclass(frozen=True)
class Products:
    """The configuration of one product."""

    profile: Profile
