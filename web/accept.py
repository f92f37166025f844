"""Content negotiation by the Accept header (RFC 9110, 12.5.1)."""

from functools import lru_cache

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"  # of GraphQL over HTTP, which defines status codes for it
VARY_ORIGIN = (b"vary", b"Origin")  # a cached response without CORS headers must not be used for another origin
_MAX_LENGTH = 1000  # characters of a header that are parsed


def content_type(media_type: str | None) -> str:
    """Return the Content-Type of a response; `media_type`: the negotiated one, None if none is acceptable."""
    return f"{media_type or JSON}; charset=utf-8"


_CONTENT_TYPES = {
    media_type: (b"content-type", content_type(media_type).encode()) for media_type in (None, JSON, RESPONSE_JSON)
}


def content_type_header(media_type: str | None) -> tuple[bytes, bytes]:
    """Return the Content-Type of a response as a header."""
    return _CONTENT_TYPES[media_type]


def negotiate(accept: str, offers: tuple[str, ...] = (JSON, RESPONSE_JSON)) -> str | None:
    """Return the offer with the highest weight, or None if none is acceptable.

    Ties are broken by the order in the header, then by the order of `offers`.
    """
    return _negotiate(accept[:_MAX_LENGTH], offers)


@lru_cache(512)
def _negotiate(accept: str, offers: tuple[str, ...]) -> str | None:
    ranges = [_parse_range(part) for part in accept.split(",") if part.strip()]
    best: tuple[float, int] | None = None
    chosen = None
    for offer in offers:
        for wanted in (offer, offer.split("/")[0] + "/*", "*/*"):
            position = next((index for index, (name, _) in enumerate(ranges) if name == wanted), None)
            if position is None:
                continue
            rank = (ranges[position][1], -position)
            if rank[0] > 0 and (best is None or rank > best):
                best, chosen = rank, offer
            break  # only the most specific range counts
    return chosen


def _parse_range(part: str) -> tuple[str, float]:
    """Return a media range and its weight; an invalid weight counts as 0."""
    name, *parameters = (piece.strip().casefold() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return name, 0.0
            return name, weight if 0 <= weight <= 1 else 0.0
    return name, 1.0
