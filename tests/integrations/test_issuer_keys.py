"""Keys of issuers: kept, rotated, fetched again within limits, and not replaced by trust when the issuer is away."""

import json
from typing import Any

import pytest

from services.integrations.identity import key_cache
from services.integrations.identity.issuer import InvalidTokenError, Issuer, IssuerUnavailableError
from services.integrations.identity.token_verifier import MAX_KEPT, TokenVerifier
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider


class Clocked:
    """A verifier with a scripted network and clock."""

    def __init__(self) -> None:
        self.provider = IdentityProvider("ES256")
        self.provider.address = self.provider.issuer = "https://issuer.example.com"
        self.seconds = 0.0
        self.verifier = TokenVerifier(
            [Issuer(self.provider.issuer, audiences=(AUDIENCE,), algorithm="ES256")],
            fetch=self.fetch,
            clock=lambda: self.seconds,
        )
        self.fetched: list[str] = []

    async def fetch(self, url: str, is_configured: bool) -> bytes:
        path = url.removeprefix(self.provider.address)
        self.fetched.append(path)
        if not self.provider.is_up:
            raise IssuerUnavailableError("down")
        assert is_configured
        return json.dumps(self.provider._documents()[path]).encode()

    async def outcome(self, **changes: Any) -> str:
        return await self.outcome_of(self.provider.token(**changes))

    async def outcome_of(self, token: str) -> str:
        try:
            await self.verifier.verify(token)
        except InvalidTokenError as error:
            return error.reason
        except IssuerUnavailableError:
            return "unavailable"
        return "accepted"


@pytest.fixture
def clocked() -> Clocked:
    return Clocked()


async def test_key_that_was_rotated_in_is_found_and_the_one_rotated_out_is_refused(clocked: Clocked) -> None:
    old = clocked.provider.token()
    assert await clocked.outcome_of(old) == "accepted"
    clocked.provider.rotate()
    assert await clocked.outcome() == "unknown key", "the keys were fetched a moment ago"
    clocked.seconds += key_cache.UNKNOWN_SECONDS
    assert await clocked.outcome() == "accepted"
    assert await clocked.outcome_of(old) == "unknown key", "although it was verified before"
    clocked.provider.rotate(keeps=True)
    clocked.seconds += 2 * key_cache.REFRESH_SECONDS + 1
    assert await clocked.outcome() == "accepted"


async def test_withdrawn_key_is_refused_when_keys_are_old(clocked: Clocked) -> None:
    token = clocked.provider.token()
    assert await clocked.outcome_of(token) == "accepted"
    clocked.provider.rotate()
    clocked.seconds += key_cache.REFRESH_SECONDS + 1
    assert await clocked.outcome_of(token) == "accepted", "the keys are fetched meanwhile"
    await clocked.verifier.check(clocked.provider.issuer)
    assert await clocked.outcome_of(token) == "unknown key"


async def test_unknown_keys_cause_few_fetches(clocked: Clocked) -> None:
    for number in range(100):
        clocked.seconds += 1
        assert await clocked.outcome(header={"kid": f"forged-{number}"}) == "unknown key"
    assert clocked.fetched.count("/jwks") <= 1 + 100 / key_cache.UNKNOWN_SECONDS


async def test_unreachable_issuer_keeps_its_keys_for_a_while_and_then_nothing_is_accepted(clocked: Clocked) -> None:
    token = clocked.provider.token(exp=10**10)
    clocked.provider.is_up = False
    assert await clocked.outcome_of(token) == "unavailable", "nothing is known yet"
    clocked.provider.is_up = True
    clocked.seconds += key_cache.RETRY_SECONDS
    assert await clocked.outcome_of(token) == "accepted"
    clocked.provider.is_up = False
    for _ in range(3):
        clocked.seconds += key_cache.KEEP_SECONDS / 4
        assert await clocked.outcome_of(token) == "accepted"
    assert await clocked.outcome(header={"kid": "new"}) == "unavailable", "the issuer may have this key by now"
    clocked.seconds += key_cache.KEEP_SECONDS / 3
    before = len(clocked.fetched)
    assert [await clocked.outcome_of(token) for _ in range(20)] == ["unavailable"] * 20
    assert len(clocked.fetched) - before <= 2, "it is not asked by every request"
    clocked.provider.is_up = True
    clocked.seconds += key_cache.RETRY_SECONDS
    assert await clocked.outcome_of(token) == "accepted"


async def test_verified_tokens_are_kept_within_a_bound_and_until_they_expire(clocked: Clocked) -> None:
    token = clocked.provider.token(exp=1_000_000_100, iat=1_000_000_000)
    clocked.verifier._now = lambda: 1_000_000_000.0
    assert await clocked.outcome_of(token) == "accepted"
    assert len(clocked.verifier._kept) == 1 < MAX_KEPT
    clocked.verifier._now = lambda: 1_000_000_161.0
    assert await clocked.outcome_of(token) == "expired"
