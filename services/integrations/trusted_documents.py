"""Manifests of trusted documents, as the code generators of clients write them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_APOLLO = "apollo-persisted-query-manifest"
_HASH_PREFIX = "sha256:"  # graphql-codegen writes it before hashes; requests may leave it out
_MAX_BYTES = 64 * 2**20  # of a manifest; those of large apps have a few megabytes


class ManifestError(Exception):
    """A manifest cannot be used; the text names the file and says why."""


def load_manifests(files: Iterable[Path]) -> dict[str, str]:
    """Return the documents of all manifests by their ids.

    Known formats: Apollo's (`operations`, each with `id` and `body`); a JSON object of documents by their ids, as the
    client preset of graphql-codegen and relay-compiler write it.

    Raises:
        ManifestError: a file is no manifest, or two documents have the same id.
    """
    found: dict[str, str] = {}
    for file in files:
        for name, text in _documents(file).items():
            id = name.removeprefix(_HASH_PREFIX)
            if found.setdefault(id, text) != text:
                raise ManifestError(f"{file}: another document has the id {id!r}, too")
    return found


def _documents(file: Path) -> Mapping[str, str]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ManifestError(f"{file}: larger than {_MAX_BYTES // 2**20} MiB")
        content: Any = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"{file}: {error}") from None
    documents = content
    if isinstance(content, dict) and content.get("format") == _APOLLO:
        operations: Any = content.get("operations")
        is_list = isinstance(operations, list) and all(isinstance(one, dict) for one in operations)
        documents = {one.get("id"): one.get("body") for one in operations} if is_list else None
    if not isinstance(documents, dict):
        raise ManifestError(f"{file}: neither Apollo's manifest nor an object of documents by their ids")
    if not all(id and isinstance(id, str) and text and isinstance(text, str) for id, text in documents.items()):
        raise ManifestError(f"{file}: ids and documents must be texts that are not empty")
    return documents
