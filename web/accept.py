"""What an Accept header wants (RFC 9110, 12.5.1)."""

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"  # GraphQL over HTTP: its status codes mean something
_LONGEST = 1000  # characters of a header worth reading


def negotiate(accept: str, offers: tuple[str, ...] = (JSON, RESPONSE_JSON)) -> str | None:
    """Of `offers`, the one that is wanted most; None where none is wanted at all.

    The header's order decides between equals, and the order of `offers` where it names none of them.
    """
    ranges = [_weighed(part) for part in accept[:_LONGEST].split(",") if part.strip()]
    best: tuple[float, int] | None = None
    chosen = None
    for offer in offers:
        for wanted in (offer, offer.split("/")[0] + "/*", "*/*"):
            found = next((index for index, (name, _) in enumerate(ranges) if name == wanted), None)
            if found is None:
                continue
            rank = (ranges[found][1], -found)
            if rank[0] > 0 and (best is None or rank > best):
                best, chosen = rank, offer
            break  # only the most specific range counts
    return chosen


def _weighed(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().casefold() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return name, 0.0
            return name, weight if 0 <= weight <= 1 else 0.0
    return name, 1.0
