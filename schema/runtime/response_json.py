"""The JSON of responses."""

import json

import orjson


def encode_json(data: object) -> bytes:
    """Return the JSON of a response."""
    try:
        return orjson.dumps(data)
    except TypeError:  # lone surrogates, which an error message may quote from the input
        return json.dumps(data).encode()
