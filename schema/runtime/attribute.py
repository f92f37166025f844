"""Which attributes of rows the fields of a selection read, so that a statement reads no others."""

import re
from functools import lru_cache

from schema.runtime.context import Info
from schema.runtime.selection import selected_below

_READS = {  # where the attributes that a field reads are not those of its name
    "message": {"stage"},
    "error_message": {"error_code"},
    "queue_position": {"status"},
    "estimated_seconds": {"status", "media", "quality", "started_at"},
    "preview_url": {"preview"},
    "share_url": {"share_slug"},
    "parent": {"parent_id"},
    "owner": {"user_id"},
    "original": {"created_at"},  # for the names of downloads
    "result": {"created_at", "style_slug"},  # ditto
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
            found |= {name, *_READS.get(name, ())}
        elif kind in ("Style", "Collection"):
            found.add(f"{kind.lower()}.{name}")
    return frozenset(found)
