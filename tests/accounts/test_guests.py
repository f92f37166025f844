"""Guest accounts: what they get, how they are completed without a loss, and when they are deleted."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from models import CreditTransaction, Session, User
from models.database.connection import rows
from services.accounts.secret_token import hash_token
from services.core.chore import Lane
from setting_types import SignupVerification, Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import SIGN_UP, Api, photo
from tests.support.mail_server import Mailbox

CREATE = """
mutation($cookie: Boolean) {
  createGuest(cookie: $cookie) { token expiresAt user { id email isGuest credits version } errors { code message } }
}"""
VIEWER = "{ viewer { id email isGuest credits version generations { totalCount } } }"
CHANGE_EMAIL = "mutation($token: String!) { changeEmail(token: $token) { user { id email isGuest } errors { code } } }"
DELETE = "mutation($id: String!) { deleteAccount(input: {confirmEmail: $id}) { deletedIds errors { code } } }"
REFUSED = (
    "mutation { requestEmailVerification { errors { code } } }",
    'mutation { requestEmailChange(input: {email: "x@example.com"}) { errors { code } } }',
    'mutation { createApiKey(name: "script") { errors { code } } }',
    "mutation { requestDataExport { errors { code } } }",
    'mutation { createCheckout(input: {package: "credits-50"}) { errors { code } } }',
)


def requires_verification(settings: Settings, mailbox: Mailbox) -> Settings:
    mail = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    return settings.model_copy(update={**mail, "signup_verification": SignupVerification.REQUIRED})


async def guest_of(api: Api) -> Api:
    made = await api.one(CREATE)
    assert made["errors"] == []
    return replace(api, token=made["token"], user=made["user"])


async def sign_up(guest: Api, email: str = "ada@example.com") -> dict[str, Any]:
    made: dict[str, Any] = await guest.one(SIGN_UP, input={"email": email, "password": "correct horse", "name": "Ada"})
    return made


async def reasons(user_id: str) -> list[tuple[str, int]]:
    lines = await CreditTransaction.filter(user_id=user_id).order_by("sequence")
    return [(line.reference.partition(":")[0], line.amount) for line in lines]


async def test_guest_uses_its_bonus_and_keeps_everything_when_it_signs_up(server: Running) -> None:
    guest = await guest_of(server.api)
    assert guest.user == {"id": guest.user["id"], "email": None, "isGuest": True, "credits": 3, "version": 1}
    (made,) = (await guest.create(photo(64, 64), prompt="A fox"))["generations"]
    await guest.wait_for_end(made["id"])
    done = await sign_up(guest)
    assert done["errors"] == []
    assert (done["user"]["id"], done["user"]["email"], done["user"]["name"]) == (
        guest.user["id"], "ada@example.com", "Ada",
    )  # fmt: skip
    ada = replace(guest, token=done["token"])
    for client in (guest, ada):
        viewer = await client.one(VIEWER)
        assert (viewer["isGuest"], viewer["generations"]["totalCount"]) == (False, 1)
    assert await reasons(guest.user["id"]) == [("guest", 3), ("deduct", -1), ("signup", 27)], "one bonus in all"
    assert await ada.credits() == 29
    again = await sign_up(guest, "eve@example.com")
    assert again["user"]["id"] != guest.user["id"], "a complete account is not completed again"


async def test_guest_is_completed_once_and_never_with_an_address_in_use(api: Api) -> None:
    guest = await guest_of(api)
    await api.sign_up("eve@example.com")
    assert (await sign_up(guest, "eve@example.com"))["errors"][0]["code"] == "CONFLICT"
    assert (await guest.one(VIEWER))["isGuest"]
    both = await asyncio.gather(sign_up(guest, "ada@example.com"), sign_up(guest, "bob@example.com"))
    made = [each["user"]["id"] for each in both if not each["errors"]]
    assert made.count(guest.user["id"]) == 1, "the other is refused, or makes an account of its own if it comes later"
    assert {error["code"] for each in both for error in each["errors"]} <= {"CONFLICT"}
    assert await User.filter(is_guest=True).count() == 0


async def test_mailbox_that_had_its_bonus_gives_a_guest_no_second_one(api: Api) -> None:
    first = await api.sign_up("ada@example.com")
    await rows("UPDATE users SET email = 'left@example.com' WHERE id = $1 RETURNING id", first.user["id"])
    guest = await guest_of(api)
    assert (await sign_up(guest, "ada@example.com"))["errors"] == []
    assert await reasons(guest.user["id"]) == [("guest", 3)]


async def test_guests_are_refused_what_needs_an_address(api: Api) -> None:
    guest = await guest_of(api)
    for query in REFUSED:
        assert (await guest.refused(query))["code"] == "FORBIDDEN", query


@pytest.mark.any_database
async def test_guests_are_limited_per_client_and_so_is_their_bonus(settings: Settings) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        made = [await server.api.one(CREATE) for _ in range(21)]
        assert [each["user"]["credits"] for each in made[:20]] == [3] * 3 + [0] * 17
        assert made[20]["errors"][0]["code"] == "RATE_LIMITED"
        assert made[20]["token"] is None


@pytest.mark.any_database
async def test_product_without_guests_refuses_them(settings: Settings) -> None:
    async with running(settings.model_copy(update={"profile": "avenger"}), idle=True) as server:
        assert (await server.api.one(CREATE))["errors"][0]["code"] == "FORBIDDEN"


@pytest.mark.any_database
async def test_guest_whose_session_is_kept_after_its_end_is_deleted_in_time(settings: Settings) -> None:
    async with running(settings.model_copy(update={"expired_session_days": 30}), idle=True) as server:
        guest = await guest_of(server.api)
        await rows("UPDATE users SET created_at = LATER($1) RETURNING id", -120.0)
        past = datetime.now(UTC) - timedelta(seconds=1)
        await Session.all().update(expires_at=past)
        await server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
        assert (await User.get(id=guest.user["id"])).deleted_at is not None


async def test_guest_whose_session_has_ended_is_deleted_and_others_stay(server: Running) -> None:
    lost, kept = await guest_of(server.api), await guest_of(server.api)
    ada = await server.api.sign_up()
    (made,) = (await lost.create(photo(64, 64), prompt="A fox"))["generations"]
    await lost.wait_for_end(made["id"])
    await rows("UPDATE users SET created_at = LATER($1) RETURNING id", -120.0)
    past = datetime.now(UTC) - timedelta(seconds=1)
    for api in (lost, ada):
        await Session.filter(token_hash=hash_token(api.token or "")).update(expires_at=past)
    for _ in range(2):  # one removes the sessions, if not both
        await server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    found = {user.id: user for user in await User.all()}
    assert found[lost.user["id"]].deleted_at is not None
    assert found[lost.user["id"]].email.endswith("@deleted.invalid")
    assert found[kept.user["id"]].deleted_at is None
    assert found[ada.user["id"]].deleted_at is None
    assert await rows("SELECT id FROM generations WHERE deleted_at IS NULL") == []
    assert await kept.one(VIEWER) is not None


@pytest.mark.any_database
async def test_guest_deletes_itself_by_its_id(api: Api) -> None:
    guest = await guest_of(api)
    assert (await guest.one(DELETE, id="unknown@example.com"))["errors"][0]["code"] == "INVALID_INPUT"
    assert (await guest.one(DELETE, id=guest.user["id"]))["deletedIds"] == [guest.user["id"]]
    assert (await guest.refused(VIEWER))["code"] == "UNAUTHENTICATED"


async def test_guest_is_completed_by_the_link_where_verification_is_required(
    settings: Settings, mailbox: Mailbox
) -> None:
    async with running(requires_verification(settings, mailbox), idle=True) as server:
        guest = await guest_of(server.api)
        assert (await sign_up(guest))["token"] is None
        token = await mailbox.token(1)
        assert (await guest.one(VIEWER))["isGuest"]
        done = await guest.one(CHANGE_EMAIL, token=token)
        assert done == {
            "user": {"id": guest.user["id"], "email": "ada@example.com", "isGuest": False}, "errors": [],
        }  # fmt: skip
        assert await reasons(guest.user["id"]) == [("guest", 3), ("signup", 27)]
        sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { token } }"
        password = {"email": "ada@example.com", "password": "correct horse"}
        assert (await server.api.one(sign_in, input=password))["token"]
        assert len(mailbox.mails) == 1, "nothing is mailed to an address that does not exist"


async def test_mailbox_is_not_flooded_by_the_links_of_many_guests(settings: Settings, mailbox: Mailbox) -> None:
    limited = requires_verification(settings, mailbox).model_copy(update={"rate_limits": Switch.ON})
    async with running(limited, idle=True) as server:
        for number in range(9):
            guest = await guest_of(server.api)
            done = await sign_up(guest, f"victim+{number}@example.com")
            assert (done["token"], done["errors"]) == (None, []), "the response does not say so"
        await server.services.accounts.mail.aclose()
        assert len(mailbox.mails) == 6


async def test_refusals_after_the_response_are_not_logged_as_crashes(settings: Settings, mailbox: Mailbox) -> None:
    async with running(requires_verification(settings, mailbox), idle=True) as server:
        guest = await guest_of(server.api)
        with capture_logs() as logs:
            for number in range(4):
                await sign_up(guest, f"ada{number}@example.com")
                await server.services.accounts.mail.aclose()
        assert len(mailbox.mails) == 3
        refused = [
            (entry["log_level"], entry["code"]) for entry in logs if entry["event"] == "guest_completion.refused"
        ]
        assert refused == [("info", "QUOTA_EXCEEDED")]
        assert [entry["event"] for entry in logs if entry["log_level"] in ("error", "critical")] == []
