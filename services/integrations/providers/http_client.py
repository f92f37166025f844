"""What the HTTP clients of providers share."""

import functools
import ssl

import httpx2

CONNECT_SECONDS = 5.0  # to establish a connection


@functools.cache
def trusted_certificates() -> ssl.SSLContext:
    """Return the trusted certificates; cached, because loading them takes longer than the rest of a client."""
    return httpx2.create_ssl_context(trust_env=False)
