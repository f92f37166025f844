"""Rate limits in the headers of HTTP responses, by both ways to answer a request."""

import re
from typing import Any

import pytest

from setting_types import Switch
from settings import Settings
from tests.conftest import running
from tests.support.client import Api

SIGN_IN = """mutation($input: SignInInput!) {
  signIn(input: $input) { token errors { code ... on RateLimitedError { retryAfter } } }
}"""
BATCH = """mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code ... on RateLimitedError { retryAfter } } }
}"""
ITEM = re.compile(r'"([a-z-]+)"((?:;[a-z]+=\d+)+)')


def parsed(header: str) -> dict[str, dict[str, int]]:
    """Return the items of a structured list by their names."""
    found = {}
    for item in header.split(", "):
        match = ITEM.fullmatch(item)
        assert match, header
        found[match[1]] = {name: int(value) for name, value in re.findall(r";([a-z]+)=(\d+)", match[2])}
    return found


async def send(api: Api, query: str, **input: Any) -> tuple[Any, Any]:
    response = await api.raw(query, input=input)
    (value,) = response.json()["data"].values()
    return response, value


@pytest.mark.parametrize("json_fast_path", [Switch.ON, Switch.OFF])
async def test_limits_and_times_to_wait_are_in_the_headers(settings: Settings, json_fast_path: Switch) -> None:
    changes = {
        "rate_limits": Switch.ON, "rate_limit_generations_per_minute": 3, "json_fast_path": json_fast_path,
    }  # fmt: skip
    async with running(settings.model_copy(update=changes)) as server:
        ada = await server.api.sign_up()
        plain = await ada.raw("{ viewer { email } }")
        assert {"ratelimit", "ratelimit-policy", "retry-after"}.isdisjoint(plain.headers)

        response, made = await send(ada, BATCH, prompt="A fox", count=2)
        assert made["errors"] == []
        assert parsed(response.headers["ratelimit-policy"]) == {"generations": {"q": 3, "w": 60}}
        left = parsed(response.headers["ratelimit"])["generations"]
        assert (left["r"], 58 <= left["t"] <= 61) == (1, True)
        assert "retry-after" not in response.headers

        response, made = await send(ada, BATCH, prompt="A fox", count=2)
        (error,) = made["errors"]
        assert error["code"] == "RATE_LIMITED"
        left = parsed(response.headers["ratelimit"])["generations"]
        assert left["r"] == 1, "a refused batch uses nothing"
        assert int(response.headers["retry-after"]) == error["retryAfter"] == left["t"]

        wrong = {"email": "ada@example.com", "password": "wrong"}
        for _ in range(10):
            response, made = await send(server.api, SIGN_IN, **wrong)
            assert "ratelimit" not in response.headers, "how often others have tried is not shown"
        response, made = await send(server.api, SIGN_IN, **wrong)
        assert parsed(response.headers["ratelimit-policy"]) == {"sign-in-account": {"q": 10, "w": 900}}
        assert parsed(response.headers["ratelimit"])["sign-in-account"]["r"] == 0
        assert int(response.headers["retry-after"]) == made["errors"][0]["retryAfter"]
