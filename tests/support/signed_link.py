"""Signed links to local files: the parts that a test changes."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

from services.integrations.storage.local import LocalFile, LocalStorage


def path_of(url: str) -> str:
    """Return the storage key in a link to a local file."""
    return urlsplit(url).path.removeprefix("/files/")


def parameters_of(url: str) -> dict[str, str]:
    """Return the parameters of a link to a local file."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def resolved(storage: LocalStorage, url: str) -> LocalFile | None:
    """Return the file of a link."""
    return storage.resolve(path_of(url), parameters_of(url))


def link_to(address: str, path: str, parameters: Mapping[str, str]) -> str:
    """Return a link of these parts."""
    return f"{address}/files/{path}?{urlencode(parameters)}"


def forged(token: str) -> str:
    """Return the token with another signature. The last letter stays: two of its bits are ignored."""
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
