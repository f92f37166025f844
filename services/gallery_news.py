"""What a transaction did to an account's gallery, told with the account's new version: streams need not guess."""

from dataclasses import dataclass
from enum import StrEnum


class ChangeKind(StrEnum):
    """What happened to a generation, as a list of generations sees it."""

    SNAPSHOT = "SNAPSHOT"  # said by streams alone, never by a transaction: read the list again
    CREATED = "CREATED"
    UPDATED = "UPDATED"  # its status, favorite or share
    DELETED = "DELETED"


@dataclass(frozen=True)
class GalleryNews:
    """One generation that one transaction changed."""

    kind: ChangeKind
    generation_id: str
    favorite: bool = False  # the list of favorites changed, too: the mark was set or cleared, or a favorite was deleted
