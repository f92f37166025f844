"""Routes: which models may make a request, in which order, and after which errors the next one is tried."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from models.enum import ErrorCode, Quality
from services.integrations.providers.call_slots import CallSlots
from services.integrations.providers.circuit_rules import CircuitRefusalError
from services.integrations.providers.protocol import (
    ImageRequest,
    KeyStatus,
    ProviderError,
    ProviderEvent,
    ReferencePhoto,
)
from services.integrations.providers.routing import ModelAbilities, Routes, may_try_next

PHOTO = ReferencePhoto(b"-", "image/jpeg", 4, 3)
ALL = frozenset(Quality)


class NamedProvider:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        return None

    def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        raise NotImplementedError

    async def check_key(self) -> KeyStatus | None:
        return None

    async def aclose(self) -> None:
        self.closed += 1


def order(
    model: str | None = None, reference: ReferencePhoto | None = None, quality: Quality = Quality.STANDARD
) -> ImageRequest:
    return ImageRequest("gen_1", "A fox", model=model, reference=reference, quality=quality)


def routes() -> Routes[NamedProvider]:
    return Routes(
        [NamedProvider("openrouter"), NamedProvider("huggingface")],
        default_model="big",
        owners={"big": "openrouter", "small": "openrouter", "drawing": "huggingface", "editor": "huggingface"},
        fallbacks=[
            ("openrouter", "small"),
            ("huggingface", "drawing"),
            ("huggingface", "editor"),
            ("openrouter", "big"),
        ],
        abilities={
            "big": ModelAbilities(ALL),
            "small": ModelAbilities(frozenset({Quality.STANDARD})),
            "drawing": ModelAbilities(ALL, max_references=0),
            "editor": ModelAbilities(ALL, needs_reference=True),
        },
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (order(), ["openrouter:big", "openrouter:small", "huggingface:drawing"]),
        (order("big"), ["openrouter:big", "openrouter:small", "huggingface:drawing"]),
        (order("drawing"), ["huggingface:drawing", "openrouter:small", "openrouter:big"]),
        (order(reference=PHOTO), ["openrouter:big", "openrouter:small", "huggingface:editor"]),
        (order(quality=Quality.HD), ["openrouter:big", "huggingface:drawing"]),
        (order("small", PHOTO, Quality.ULTRA), ["openrouter:small", "huggingface:editor", "openrouter:big"]),
        (order("unknown"), ["openrouter:unknown", "openrouter:small", "huggingface:drawing", "openrouter:big"]),
    ],
)
def test_ordered_model_comes_first_and_then_the_fallbacks_that_can_make_it(
    request_: ImageRequest, expected: list[str]
) -> None:
    assert [f"{route.provider.name}:{route.model}" for route in routes().of(request_)] == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (order("theirs"), ["openrouter:big"]),
        (order("theirs", quality=Quality.HD), ["huggingface:other"]),
        (order("theirs", quality=Quality.ULTRA), []),
        (order(quality=Quality.ULTRA), ["openrouter:big"]),
    ],
)
def test_default_model_makes_what_names_a_model_of_a_provider_that_is_not_called(
    request_: ImageRequest, expected: list[str]
) -> None:
    abilities = {name: frozenset({quality}) for name, quality in (("big", Quality.STANDARD), ("other", Quality.HD))}
    found = Routes(
        [NamedProvider("openrouter"), NamedProvider("huggingface")],
        default_model="big",
        owners={"big": "openrouter", "other": "huggingface"},
        unserved={"theirs"},
        fallbacks=[("huggingface", "other")],
        abilities={name: ModelAbilities(qualities) for name, qualities in abilities.items()},
    )
    assert [f"{route.provider.name}:{route.model}" for route in found.of(request_)] == expected


def test_routes_of_one_model_share_its_circuit_and_its_provider_s_slots() -> None:
    found = routes()
    first, again = found.of(order()), found.of(order())
    assert [route.circuit for route in first] == [route.circuit for route in again]
    assert len({route.circuit for route in first}) == 3
    assert len({route.slots for route in first}) == 2


async def test_closing_closes_every_provider_once() -> None:
    one = NamedProvider("demo")
    await Routes([one]).aclose()
    assert one.closed == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "429", may_retry=True), True),
        (ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "no connection", request_left=False), True),
        (ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "404", was_refused=True), True),
        (CircuitRefusalError("openrouter:big"), True),
        (ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "500"), False),
        (ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "402 in a 200"), False),
        (ProviderError(ErrorCode.GENERATION_TIMEOUT, "silence"), False),
        (ProviderError(ErrorCode.GENERATION_FAILED, "no image"), False),
        (ProviderError(ErrorCode.CONTENT_REJECTED, "declined", may_retry=True), False),
    ],
)
def test_next_model_is_tried_only_where_no_work_was_begun(error: ProviderError, expected: bool) -> None:
    assert may_try_next(error) is expected


async def test_calls_beyond_the_limit_wait_and_accounts_take_turns() -> None:
    slots, served = CallSlots("openrouter", 1), []

    async def one(account: str) -> None:
        await slots.acquire(account)
        served.append(account)
        await asyncio.sleep(0)
        slots.release(account)

    await asyncio.gather(*(one(account) for account in ("ada", "ada", "ada", "bob")))
    assert served == ["ada", "bob", "ada", "ada"]
