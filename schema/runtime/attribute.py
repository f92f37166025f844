"""Which attributes of rows the fields of a selection read, so that a statement reads no others."""

import re
from functools import lru_cache

from schema.runtime.context import Info
from schema.runtime.selection import selected_below

_READS = {  # where the attributes that a field reads are not those of its name
    "Generation.message": {"stage", "media", "is_loading", "status", "requested_model"},
    "Generation.errorMessage": {"error_code", "media"},
    "Generation.queuePosition": {"status"},
    "Generation.estimatedSeconds": {"status", "media", "quality", "started_at", "requested_model"},
    "Generation.previewUrl": {"preview"},
    "Generation.shareUrl": {"share_slug"},
    "Generation.parent": {"parent_id"},
    "Generation.owner": {"user_id"},
    "Generation.children": {"user_id"},
    "Generation.chain": {"user_id"},
    "Generation.batch": {"batch_id"},
    "MediaFile.downloadUrl": {"created_at", "media", "style_slug"},  # of the generation, for the name of the file
    "Style.previewUrl": {
        "style.picture_id",
        "style.picture_folder_id",
        "style.owner_id",
        "style.slug",
        "collection.slug",
    },
    "Style.cost": {"collection.base_cost"},  # of a style without a price of its own
    "Style.media": {"collection.video"},
    "Style.collection": {"style.owner_id"},
    "Style.locked": {"style.members_only"},
    "Style.isOwn": {"style.owner_id"},
    "Style.prompt": {"style.owner_id"},
    "Style.usesSize": {"style.prompt", "style.prompt_without_photo"},
    "Collection.styles": {"collection.id"},
}


def attributes_of(info: Info) -> frozenset[str]:
    """Return the attributes of rows that the fields below the resolved one read.

    Of generations by their names, see models.generation_row; of styles and collections as `style.title`.
    """
    return _attributes(selected_below(info))


@lru_cache(maxsize=256)
def _attributes(fields: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for field in fields:
        kind, _, camel = field.partition(".")
        name = re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), camel)
        if kind == "Generation":
            found.add(name)
        elif kind in ("Style", "Collection"):
            found.add(f"{kind.lower()}.{name}")
        found |= _READS.get(field, set())
    return frozenset(found)
