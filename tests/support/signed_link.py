"""The tokens of signed links to local files."""

from urllib.parse import urlsplit


def token_of(url: str) -> str:
    """Return the token of a link to a local file."""
    return urlsplit(url).path.removeprefix("/files/")


def forged(token: str) -> str:
    """Return the token with another signature. The last letter stays: two of its bits are ignored."""
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
