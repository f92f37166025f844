"""The size of a reference that a model takes, by its own limit and by that of the whole request."""

import json

import pytest

from services.integrations.providers.openrouter.model import ModelLimits, limits_of, max_reference_bytes
from services.integrations.providers.openrouter.request import image_fields, messages
from services.integrations.providers.protocol import ImageRequest, ReferencePhoto


def order(prompt: str, reference: bytes = b"") -> ImageRequest:
    photo = ReferencePhoto(reference, "image/jpeg", 1, 1)
    return ImageRequest(generation_id="gen_1", prompt=prompt, earlier_prompts=(prompt,), reference=photo)


def test_limits_are_those_of_the_model_or_of_its_variant() -> None:
    known = {"a/model": ModelLimits(reference=1000)}
    assert limits_of("a/model", known) == limits_of("a/model:free", known) == ModelLimits(reference=1000)
    assert limits_of("another/model", known) == ModelLimits()
    assert max_reference_bytes(order("A fox"), ModelLimits()) == 7_000_000


@pytest.mark.parametrize("prompt", ["A fox", "\u0001" * 10_000, "狐" * 10_000, '"' * 10_000])
def test_request_with_the_largest_reference_is_within_the_limit_of_the_request(prompt: str) -> None:
    limits = ModelLimits(reference=None, request=300_000)
    largest = max_reference_bytes(order(prompt), limits)
    assert largest is not None
    request = order(prompt, bytes(largest))
    body = {"model": "m" * 100, "messages": messages(request), "stream": True, **image_fields(request)}
    assert 100_000 < len(json.dumps(body)) <= 300_000


def test_text_that_leaves_no_room_allows_no_reference() -> None:
    assert max_reference_bytes(order("x" * 10_000), ModelLimits(request=100_000)) == 0
    assert max_reference_bytes(order("x"), ModelLimits(reference=None, request=None)) is None
