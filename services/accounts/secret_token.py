"""Secret tokens of sessions, mailed links and API keys: random, and stored only as hashes."""

import hashlib
import secrets

_TOKEN_BYTES = 32  # 256 bits
_MAX_LENGTH = 100  # characters; every token that we issue is shorter


def new_token() -> str:
    """Return a random URL-safe token of 43 characters."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Return the SHA-256 hex digest under which a token is stored."""
    # A fast hash without salt is enough: the token is 256 random bits, so there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()


def is_well_formed(token: str) -> bool:
    """Whether a token can have been issued here, so that it is worth hashing and a query."""
    return 0 < len(token) <= _MAX_LENGTH and token.isascii()
