"""OpenAI's `POST /moderations` in the scripted server: what it refuses, and its answers."""

from typing import Any

from tests.support.fakes.openrouter_response import json_200, status
from tests.support.fakes.raw_server import Response

PATH = "/api/v1/moderations"
_CATEGORIES = ("harassment", "hate", "illicit", "self-harm", "sexual", "sexual/minors", "violence", "violence/graphic")


def refusal_of(body: dict[str, Any]) -> Response | None:
    """Return the 400 for a body that the API does not take."""
    texts = body.get("input")
    if not isinstance(body.get("model"), str) or not isinstance(texts, list) or not texts:
        return status(400, "invalid_request", text="Invalid input")
    return None


def judged(*flags: bool) -> Response:
    """The answer about as many texts, each flagged or not."""
    results = [
        {
            "flagged": flag,
            "categories": {name: flag and name == "violence" for name in _CATEGORIES},
            "category_scores": {name: 0.91 if flag and name == "violence" else 0.0001 for name in _CATEGORIES},
            "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
        }
        for flag in flags
    ]
    return json_200({"id": "modr-0123", "model": "omni-moderation-2024-09-26", "results": results})
