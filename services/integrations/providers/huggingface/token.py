"""The access token of a Hugging Face account."""

_PREFIX = "hf_"


def is_usable(token: str) -> bool:
    """Return whether this has the form of a token; others are keys of other services, or placeholders."""
    return token.startswith(_PREFIX) and len(token) > len(_PREFIX) and token.isascii() and token.isprintable()
