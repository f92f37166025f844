"""The identity of a mailbox: a keyed hash, by which one mailbox counts once, whatever the spelling of its address."""

import hashlib
import hmac

_DOTLESS = ("gmail.com", "googlemail.com")  # one provider, which ignores dots before the @


def mailbox(email: str) -> str:
    """Return the mailbox of an address in one spelling: without a tag, and without dots that the provider ignores."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '')}@{_DOTLESS[0]}" if domain in _DOTLESS else f"{local}@{domain}"


def mailbox_identity(secret: bytes, email: str) -> str:
    """Return the hash of an address's mailbox, which does not reveal the address without the secret. 64 hex digits."""
    return hmac.new(secret, mailbox(email).encode(), hashlib.sha256).hexdigest()
