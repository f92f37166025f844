"""The headers of rate limits: Retry-After, and those of draft-ietf-httpapi-ratelimit-headers-10.

RateLimit and RateLimit-Policy are lists of structured fields (RFC 9651): the names of limits, with parameters.
"""

import math

from services.core.rate_limit import LimitUsage


def limit_headers(used: LimitUsage) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response to a request that has used limits or was refused by one.

    Parameters: `q`, how often within `w` seconds; `r`, how often still within the next `t` seconds.
    """
    headers: list[tuple[bytes, bytes]] = []
    if used.limits:
        left = [
            f'"{limit.name}";r={usage.remaining};t={math.ceil(usage.reset)}' for limit, usage in used.limits.values()
        ]
        policies = [f'"{limit.name}";q={limit.times};w={limit.seconds}' for limit, _ in used.limits.values()]
        headers += [(b"ratelimit", ", ".join(left).encode()), (b"ratelimit-policy", ", ".join(policies).encode())]
    if used.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(math.ceil(used.retry_after), 1)))
    return headers
