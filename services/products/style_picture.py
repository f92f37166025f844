"""Pictures that are shipped with styles: profiles/pictures/<collection>/<style>.webp."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PICTURES = "pictures"  # folder beside the profiles
CONTENT_TYPE = "image/webp"
MAX_BYTES = 30_000  # of each picture; a list of styles shows all of them at once
SIDE = 512  # pixels, of the longer side


@dataclass(frozen=True)
class ShippedPicture:
    """A picture in the profiles' folder. `digest`: of its content, and part of its address."""

    path: Path
    digest: str

    @property
    def name(self) -> str:
        """The last part of its address, which is another one for other content."""
        return f"{self.path.stem}-{self.digest}.webp"


class ShippedPictures:
    """The pictures by collection and style."""

    def __init__(self, by_style: Mapping[tuple[str, str], ShippedPicture] | None = None) -> None:
        self._by_style = by_style or {}

    @classmethod
    def load(cls, profiles: Path) -> "ShippedPictures":
        """Find the pictures beside the profiles."""
        return cls(
            {
                (path.parent.name, path.stem): ShippedPicture(path, hashlib.sha256(path.read_bytes()).hexdigest()[:16])
                for path in sorted((profiles / PICTURES).glob("*/*.webp"))
            }
        )

    def find(self, collection: str, style: str) -> ShippedPicture | None:
        """Return the picture of a style; None if it has none."""
        return self._by_style.get((collection, style))

    def by_name(self, collection: str, name: str) -> ShippedPicture | None:
        """Return the picture at an address; None if there is none with this content."""
        found = self.find(collection, name.rpartition("-")[0])
        return found if found is not None and found.name == name else None
