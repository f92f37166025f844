"""Rate limits: guesses, floods and too many generations are refused with a time to wait, per account or client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from models.database.connection import rows
from services.core.error import RateLimitedError
from setting_types import Switch
from settings import PROFILES, Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, REFINE, REGENERATE, Api, photo
from tests.support.mail_server import Mailbox

RIGHT, WRONG, NEW = "correct horse", "incorrect horse", "battery staple"
ERRORS = "errors { __typename code message field ... on RateLimitedError { retryAfter } }"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ token {ERRORS} }} }}"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ token {ERRORS} }} }}"
VERIFY = f"mutation($token: String!) {{ verifyEmail(token: $token) {{ {ERRORS} }} }}"
REQUEST_VERIFICATION = f"mutation {{ requestEmailVerification {{ sent {ERRORS} }} }}"
FORGOT = f"mutation($email: String!) {{ requestPasswordReset(email: $email) {{ sent {ERRORS} }} }}"
RESET = f"""
mutation($token: String!, $password: String!) {{
  resetPassword(token: $token, password: $password) {{ token {ERRORS} }}
}}"""
CREATE_ONE, REGENERATE_ONE, REFINE_ONE = (
    query.replace("errors { code message field", "errors { __typename code ... on RateLimitedError { retryAfter }")
    for query in (CREATE, REGENERATE, REFINE)
)
CHANGE_PASSWORD = (
    f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ user {{ id }} {ERRORS} }} }}"
)
DELETE_ACCOUNT = f"mutation($input: DeleteAccountInput!) {{ deleteAccount(input: $input) {{ deletedIds {ERRORS} }} }}"
QUARTER, MINUTE = 15 * 60, 60  # seconds


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    limits = {"rate_limits": Switch.ON, "rate_limit_generations_per_minute": 5, "signup_credits": 1000}
    return settings.model_copy(update={**limits, "smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"})


@pytest.fixture
async def counted_here(settings: Settings) -> AsyncIterator[Api]:
    """A signed-out client of a server that counts in its own memory.

    One that counts in Redis counts anew once Redis takes a second to answer, which a busy machine may take for many
    requests at once. tests/integrations/test_rate_limiter.py sends the same to Redis.
    """
    async with running(settings.model_copy(update={"redis_url": None})) as server:
        yield server.api


def is_refused(error: dict[str, Any], within: int) -> bool:
    """Whether this is a RateLimitedError whose time to wait is within its window."""
    assert (error["__typename"], error["code"]) == ("RateLimitedError", "RATE_LIMITED"), error
    return 1 <= float(error["retryAfter"]) <= within + 2


async def sign_in(api: Api, password: str, email: str = "ada@example.com") -> str:
    """Return OK, or the code of the error."""
    made = await api.one(SIGN_IN, input={"email": email, "password": password})
    return str(made["errors"][0]["code"]) if made["errors"] else "OK"


async def test_orders_that_are_refused_for_their_photo_use_up_no_pictures_of_the_minute(
    counted_here: Api,
) -> None:
    ada = await counted_here.sign_up()
    for _ in range(6):
        error = await ada.refused(CREATE, {"input.image": b"no picture"}, input={"prompt": "A fox"})
        assert error["code"] == "INVALID_INPUT"
    made = await ada.create(prompt="A fox", count=4)
    assert (len(made["generations"]), made["errors"]) == (4, [])
    assert len((await ada.create(prompt="A fox"))["generations"]) == 1
    for image in (None, b"no picture"):
        files = {"input.image": image} if image else None
        assert (await ada.refused(CREATE, files, input={"prompt": "A fox"}))["code"] == "RATE_LIMITED"


async def test_sign_in_is_limited_after_ten_failures_for_one_address(api: Api, ada: Api) -> None:
    bob = await api.sign_up("bob@example.com")
    for email in ("ada@example.com", "unknown@example.com", "no address"):
        results = [await sign_in(api, WRONG, email) for _ in range(11)]
        assert results == ["INVALID_INPUT"] * 10 + ["RATE_LIMITED"], "the same whether the account exists or not"
    error = await api.refused(SIGN_IN, input={"email": "ADA@Example.com", "password": RIGHT})
    assert is_refused(error, QUARTER)
    assert str(round(error["retryAfter"])) in error["message"]
    assert await sign_in(api, RIGHT, "bob@example.com") == "OK"
    assert bob.token
    assert await ada.one("{ viewer { email } }") == {"email": "ada@example.com"}, "existing sessions stay"
    response = await api.raw(
        SIGN_IN, headers={"accept-language": "zh"}, input={"email": "ada@example.com", "password": RIGHT}
    )
    assert "秒后重试" in response.json()["data"]["signIn"]["errors"][0]["message"]


async def test_concurrent_guesses_do_not_exceed_the_limit(counted_here: Api) -> None:
    await counted_here.sign_up("ada@example.com")
    results = await asyncio.gather(*(sign_in(counted_here, f"{WRONG} {number}") for number in range(40)))
    assert (results.count("INVALID_INPUT"), results.count("RATE_LIMITED")) == (10, 30)


async def test_a_correct_password_is_refused_after_ten_concurrent_failures(server: Running) -> None:
    rates, ada, here = server.services.core.rates, "ada@example.com", "127.0.0.1"
    await rates.check_password(ada, here)  # before ten concurrent failures
    for _ in range(10):
        await rates.hit_wrong_password(ada, here)
    with pytest.raises(RateLimitedError):
        await rates.hit_correct_password(ada, here)


async def test_a_successful_sign_in_resets_the_failures(api: Api, ada: Api) -> None:
    for _ in range(3):
        assert [await sign_in(api, word) for word in [WRONG] * 9 + [RIGHT]] == ["INVALID_INPUT"] * 9 + ["OK"]
    assert await asyncio.gather(*(sign_in(api, RIGHT) for _ in range(15))) == ["OK"] * 15


async def change_password(api: Api, current: str) -> str:
    made = await api.one(CHANGE_PASSWORD, input={"current": current, "new": RIGHT})
    return str(made["errors"][0]["code"]) if made["errors"] else "OK"


async def delete_account(api: Api, password: str) -> str:
    made = await api.one(DELETE_ACCOUNT, input={"password": password, "confirmEmail": "ada@example.com"})
    return str(made["errors"][0]["code"]) if made["errors"] else "OK"


async def test_wrong_passwords_of_every_mutation_count_together(api: Api, ada: Api) -> None:
    codes = [await change_password(ada, WRONG) for _ in range(4)]
    codes += [await delete_account(ada, WRONG) for _ in range(3)]
    codes += [await sign_in(api, WRONG) for _ in range(3)]
    assert codes == ["INVALID_INPUT"] * 10
    for attempt in (change_password(ada, RIGHT), delete_account(ada, RIGHT), sign_in(api, RIGHT)):
        assert await attempt == "RATE_LIMITED"
    change = {"current": RIGHT, "new": NEW}
    assert is_refused(await ada.refused(CHANGE_PASSWORD, input=change), QUARTER)
    assert await ada.one("{ viewer { email } }") == {"email": "ada@example.com"}


async def test_concurrent_wrong_passwords_of_change_password_are_limited(counted_here: Api) -> None:
    ada = await counted_here.sign_up("ada@example.com")
    codes = await asyncio.gather(*(change_password(ada, f"{WRONG} {number}") for number in range(40)))
    assert (codes.count("INVALID_INPUT"), codes.count("RATE_LIMITED")) == (10, 30)


async def test_correct_password_of_change_password_resets_the_failures(ada: Api) -> None:
    for _ in range(2):
        assert [await change_password(ada, word) for word in [WRONG] * 9 + [RIGHT]] == ["INVALID_INPUT"] * 9 + ["OK"]


async def test_successful_sign_ins_of_an_account_are_limited(api: Api, ada: Api) -> None:
    assert {await sign_in(api, RIGHT) for _ in range(60)} == {"OK"}
    assert is_refused(await api.refused(SIGN_IN, input={"email": "ada@example.com", "password": RIGHT}), QUARTER)
    assert await change_password(ada, RIGHT) == "RATE_LIMITED"
    await api.sign_up("bob@example.com")
    assert await sign_in(api, RIGHT, "bob@example.com") == "OK"


async def test_passwords_in_flight_are_limited_per_account(server: Running, ada: Api) -> None:
    rates, api = server.services.core.rates, server.api
    await api.sign_up("bob@example.com")
    with contextlib.ExitStack() as stack:
        for number in range(16):
            stack.enter_context(rates.hashing(f"203.0.113.{number}", "ada@example.com"))
        error = await api.refused(SIGN_IN, input={"email": "Ada@example.com", "password": RIGHT})
        assert is_refused(error, 1)
        assert (await change_password(ada, RIGHT), await delete_account(ada, RIGHT)) == ("RATE_LIMITED",) * 2
        assert await sign_in(api, RIGHT, "bob@example.com") == "OK"
    assert await sign_in(api, RIGHT) == "OK"


async def test_passwords_in_flight_are_limited_per_client(server: Running, ada: Api, mailbox: Mailbox) -> None:
    rates, api = server.services.core.rates, server.api
    with contextlib.ExitStack() as stack:
        for number in range(32):
            stack.enter_context(rates.hashing("127.0.0.1", f"{number}@example.com"))
        assert await sign_in(api, RIGHT) == "RATE_LIMITED"
        error = await api.refused(SIGN_UP, input={"email": "bob@example.com", "password": RIGHT})
        assert is_refused(error, 1)
        assert (await api.one(FORGOT, email="ada@example.com"))["sent"]
        token = await mailbox.token(2, "reset-password")
        assert is_refused(await api.refused(RESET, token=token, password=NEW), 1)
    assert (await api.one(RESET, token=token, password=NEW))["token"], "the link was not used up"


async def test_a_password_reset_ends_the_lockout_of_its_account(api: Api, ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    assert [await sign_in(api, WRONG) for _ in range(10)] == ["INVALID_INPUT"] * 10
    assert await sign_in(api, RIGHT) == "RATE_LIMITED"
    assert (await api.one(FORGOT, email="ada@example.com"))["sent"]
    made = await api.one(RESET, token=await mailbox.token(2, "reset-password"), password=NEW)
    assert made["token"]
    assert await sign_in(api, NEW) == "OK"


async def test_one_client_may_fail_a_hundred_times_by_its_forwarded_address(settings: Settings) -> None:
    async with running(settings.model_copy(update={"trusted_proxies": ("127.0.0.1",)})) as server:
        api = server.api
        api.http.headers["x-forwarded-for"] = "9.9.9.9, 203.0.113.5"
        await api.sign_up()
        for start in range(0, 100, 20):
            guesses = (sign_in(api, WRONG, f"{start + number}@example.com") for number in range(20))
            assert set(await asyncio.gather(*guesses)) == {"INVALID_INPUT"}
        api.http.headers["x-forwarded-for"] = "8.8.8.8, 203.0.113.5"
        assert await sign_in(api, RIGHT) == "RATE_LIMITED"
        api.http.headers["x-forwarded-for"] = "203.0.113.5, 203.0.113.6"
        assert await sign_in(api, RIGHT) == "OK"


async def test_one_client_may_try_twenty_sign_ups(api: Api) -> None:
    ada = {"email": "ada@example.com", "password": RIGHT}
    api.http.headers["x-forwarded-for"] = "203.0.113.5"  # ignored: no proxy is trusted
    assert (await api.one(SIGN_UP, input={**ada, "password": "short"}))["errors"][0]["field"] == ["password"]
    results = [(await api.one(SIGN_UP, input=ada))["errors"] for _ in range(20)]
    assert [errors[0]["code"] if errors else "OK" for errors in results] == ["OK"] + ["CONFLICT"] * 19
    api.http.headers["x-forwarded-for"] = "203.0.113.6"
    assert is_refused(await api.refused(SIGN_UP, input={**ada, "email": "bob@example.com"}), 3600)
    assert await rows("SELECT email FROM users WHERE email LIKE 'bob%'") == []


async def test_one_client_may_try_sixty_mailed_links(api: Api, ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    tries = (api.refused(VERIFY, token="x" * 43) for _ in range(30))
    more = (api.refused(RESET, token="x" * 43, password=NEW) for _ in range(30))
    assert {error["code"] for error in await asyncio.gather(*tries, *more)} == {"INVALID_INPUT"}
    assert is_refused(await api.refused(VERIFY, token=token), QUARTER)
    assert is_refused(await api.refused(RESET, token=token, password=NEW), QUARTER)
    for path, form in (("/verify-email", {"token": token}), ("/reset-password", {"token": token, "password": NEW})):
        page = await api.http.post(path, data=form)
        assert page.status_code == 429
        assert 1 <= int(page.headers["retry-after"]) <= QUARTER + 2
    assert not (await ada.one("{ viewer { emailVerified } }"))["emailVerified"]


async def test_mails_that_verify_spellings_of_one_mailbox_are_limited_together(api: Api, mailbox: Mailbox) -> None:
    spellings = ["victim@gmail.com", "v.ictim@gmail.com", "victim+1@gmail.com", "vic.tim@googlemail.com"]
    users = [await api.sign_up(email) for email in spellings]
    await mailbox.wait_for(4)
    for user in users[:2]:
        assert (await user.one(REQUEST_VERIFICATION))["sent"]
    assert is_refused((await users[2].one(REQUEST_VERIFICATION))["errors"][0], 3600)
    assert (await api.sign_up("vi.ctim@gmail.com")).token, "without a mail"
    assert (await (await api.sign_up("other@gmail.com")).one(REQUEST_VERIFICATION))["sent"]
    assert (await api.one(FORGOT, email=spellings[0]))["sent"]
    await mailbox.wait_for(9)
    assert [mail["Subject"] for mail in mailbox.mails].count("Choose a new password") == 1
    assert sum("victim" in mail["To"].replace(".", "") for mail in mailbox.mails) == 7


async def test_one_client_may_request_twenty_reset_mails_without_seeing_the_limit(
    settings: Settings, mailbox: Mailbox
) -> None:
    async with running(settings) as server:
        for name in ("ada", "bob"):
            await server.api.sign_up(f"{name}@example.com")
        wanted = [f"unknown-{number}@example.com" for number in range(19)] + ["ada@example.com", "bob@example.com"]
        results = [await server.api.one(FORGOT, email=email) for email in wanted]
        assert results == [{"sent": True, "errors": []}] * 21
    resets = [mail["To"] for mail in mailbox.mails if mail["Subject"] == "Choose a new password"]
    assert resets == ["ada@example.com"], "the server has stopped, and queued mails have arrived"


async def test_generations_of_one_account_are_limited_per_minute(server: Running, ada: Api) -> None:
    for _ in range(6):
        assert (await ada.create())["errors"][0]["code"] == "INVALID_INPUT", "an invalid request does not count"
    first = {"prompt": "A red boat", "count": 4, "idempotencyKey": "one"}
    made = await ada.one(CREATE_ONE, input=first)
    assert made["errors"] == []
    ids = [generation["id"] for generation in made["generations"]]
    await ada.wait_for_all(ids)
    left = await ada.credits()

    flood = await ada.one(CREATE_ONE, {"input.image": photo()}, input={"prompt": "A blue boat", "count": 2})
    assert is_refused(flood["errors"][0], MINUTE)
    assert (flood["generations"], flood["viewer"]["credits"]) == ([], left)
    assert await rows("SELECT id FROM files WHERE kind = 'ORIGINAL'") == [], "the photo is not stored"

    again = await ada.one(CREATE_ONE, input=first)
    assert [generation["id"] for generation in again["generations"]] == ids, "an idempotent replay does not count"
    assert (await ada.one(CREATE_ONE, input={"prompt": "A blue boat"}))["errors"] == [], "one more is allowed"

    for query, input in (
        (CREATE_ONE, {"prompt": "A green boat"}),
        (REGENERATE_ONE, {"id": ids[0]}),
        (REFINE_ONE, {"id": ids[0], "instruction": "Make it blue"}),
    ):
        assert is_refused(await ada.refused(query, input=input), MINUTE)
    bob = await server.api.sign_up("bob@example.com")
    assert (await bob.one(CREATE_ONE, input={"prompt": "A red boat"}))["errors"] == []
    assert await ada.credits() == left - 1


@pytest.mark.any_database
@pytest.mark.parametrize(("setting", "allowed"), [(None, 2), (0, 4), (3, 3)])
async def test_the_operators_limit_overrides_the_profiles(
    settings: Settings, tmp_path: Path, setting: int | None, allowed: int
) -> None:
    studio = (PROFILES / "studio.toml").read_text(encoding="utf-8")
    (tmp_path / "shared").symlink_to(PROFILES / "shared")
    (tmp_path / "limited.toml").write_text(studio.replace("[limits]\n", "[limits]\ngenerations_per_minute = 2\n"))
    changes = {"profile": str(tmp_path / "limited"), "rate_limit_generations_per_minute": setting}
    async with running(settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        results = [(await ada.one(CREATE_ONE, input={"prompt": "A red boat"}))["errors"] for _ in range(4)]
    assert [not errors for errors in results] == [True] * allowed + [False] * (4 - allowed)


@pytest.mark.any_database
async def test_every_profile_limits_the_images_per_minute(settings: Settings) -> None:
    changes = {"rate_limit_generations_per_minute": None, "signup_credits": 100}
    async with running(settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        results = [await ada.create(prompt="A red boat", count=4) for _ in range(8)]
        refused = await ada.refused(CREATE_ONE, input={"prompt": "A red boat", "count": 4})
        assert is_refused(refused, MINUTE)
    assert [len(result["generations"]) for result in results] == [4] * 7 + [0], "30 a minute"
    assert [error["code"] for error in results[-1]["errors"]] == ["RATE_LIMITED"]


@pytest.mark.any_database
async def test_rate_limits_can_be_switched_off(settings: Settings) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.OFF}), idle=True) as server:
        ada = await server.api.sign_up()
        assert {await sign_in(server.api, WRONG) for _ in range(12)} == {"INVALID_INPUT"}
        for _ in range(2):
            assert (await ada.create(prompt="A red boat", count=4))["errors"] == []
