"""The size of a reference that a model takes, by its own limit and by that of the whole request."""

import json

import pytest

from models.enum import Quality
from services.integrations.providers.openrouter import chat_request, images_request
from services.integrations.providers.openrouter.model import (
    ModelCapabilities,
    ModelLimits,
    capabilities_of,
    max_reference_bytes,
)
from services.integrations.providers.protocol import ImageRequest, ReferencePhoto


def order(prompt: str, reference: bytes = b"") -> ImageRequest:
    photo = ReferencePhoto(reference, "image/jpeg", 1, 1)
    return ImageRequest(generation_id="gen_1", prompt=prompt, earlier_prompts=(prompt,), reference=photo)


def test_capabilities_are_those_of_the_model_or_of_its_variant() -> None:
    known = {"a/model": ModelCapabilities(ModelLimits(reference=1000))}
    assert capabilities_of("a/model", known) == capabilities_of("a/model:free", known) == known["a/model"]
    assert capabilities_of("another/model", known) == ModelCapabilities()
    assert max_reference_bytes(order("A fox"), ModelLimits()) == 7_000_000


@pytest.mark.parametrize("prompt", ["A fox", "\u0001" * 10_000, "狐" * 10_000, '"' * 10_000])
def test_request_with_the_largest_reference_is_within_the_limit_of_the_request(prompt: str) -> None:
    limits = ModelLimits(reference=None, request=300_000)
    largest = max_reference_bytes(order(prompt), limits)
    assert largest is not None
    request = order(prompt, bytes(largest))
    for api in (chat_request, images_request):
        assert 100_000 < len(json.dumps(api.body("m" * 100, request, ModelCapabilities()))) <= 300_000


def test_text_that_leaves_no_room_allows_no_reference() -> None:
    assert max_reference_bytes(order("x" * 10_000), ModelLimits(request=100_000)) == 0
    assert max_reference_bytes(order("x"), ModelLimits(reference=None, request=None)) is None


def test_only_what_the_model_knows_is_sent() -> None:
    request = ImageRequest(generation_id="gen_1", prompt="A fox", aspect_ratio="21:9", quality=Quality.HD)
    sent = chat_request.body("m", request, ModelCapabilities())
    assert sent["modalities"] == ["image", "text"]
    assert sent["image_config"] == {"aspect_ratio": "21:9", "image_size": "2K"}
    one_size = ModelCapabilities(qualities=(Quality.STANDARD,), aspect_ratios=("1:1", "16:9"), image_only=True)
    sent = chat_request.body("m", request, one_size)
    assert (sent["modalities"], sent["image_config"]) == (["image"], {"aspect_ratio": "16:9"})
    no_shape = ModelCapabilities(aspect_ratios=(), qualities=(Quality.HD,))
    assert chat_request.body("m", request, no_shape)["image_config"] == {}
