"""Sign-up bonus: once per mailbox, also after deletion; at sign-up, or at verification if the profile says so."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from models import SignupBonus
from models.database.connection import rows
from services.core.chore import Lane
from settings import PROFILES, Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.integrity import assert_invariants
from tests.support.mail_server import Mailbox

PASSWORD = "correct horse"
BONUS = 30
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
VERIFY = "mutation($token: String!) { verifyEmail(token: $token) { user { credits version } errors { code } } }"
FORGOT = "mutation($email: String!) { requestPasswordReset(email: $email) { sent } }"
RESET = 'mutation($token: String!) { resetPassword(token: $token, password: "battery staple") { user { credits } } }'


async def bonus_of(api: Api, email: str) -> int:
    return await (await api.sign_up(email)).credits()


async def test_new_account_with_the_mailbox_of_a_deleted_one_gets_no_second_bonus(idle_server: Running) -> None:
    api = idle_server.api
    for expected in (idle_server.settings.signup_credits, 0, 0):
        ada = await api.sign_up()
        assert (await ada.credits(), (await ada.one("{ viewer { version } }"))["version"]) == (expected, 1)
        confirmation = {"password": PASSWORD, "confirmEmail": "ada@example.com"}
        assert (await ada.one(DELETE, input=confirmation))["errors"] == []
    stored = str(await rows("SELECT * FROM signup_bonuses"))
    assert "ada@" not in stored, "only a keyed hash is kept"  # three letters alone occur in hex
    assert "example.com" not in stored
    await assert_invariants(idle_server.services, all_ended=True)


async def test_spellings_of_one_mailbox_get_one_bonus(api: Api) -> None:
    gmail = [
        "ada.lovelace@gmail.com",
        "adalovelace@gmail.com",
        "Ada.Love.Lace+2@gmail.com",
        "adalovelace@googlemail.com",
    ]
    assert [await bonus_of(api, email) for email in gmail] == [BONUS, 0, 0, 0]
    others = ["ada@example.com", "ada+2@example.com", "a.da@example.com", "ada@example.org"]
    assert [await bonus_of(api, email) for email in others] == [BONUS, 0, BONUS, BONUS], "dots matter elsewhere"


async def test_concurrent_sign_ups_of_one_mailbox_get_one_bonus(api: Api) -> None:
    credits = await asyncio.gather(*(bonus_of(api, f"ada+{number}@gmail.com") for number in range(8)))
    assert sorted(credits) == [0] * 7 + [BONUS]


async def test_missing_bonus_is_not_granted_to_a_second_account_of_a_mailbox(server: Running) -> None:
    await server.api.sign_up("ada@gmail.com")
    again = await server.api.sign_up("a.da@gmail.com")
    assert await server.services.billing.signup_bonuses.grant_missing() == 0
    assert await again.one("{ viewer { credits version } }") == {"credits": 0, "version": 1}


async def test_bonus_of_an_earlier_release_counts_for_its_mailbox(idle_server: Running) -> None:
    api = idle_server.api
    await api.sign_up("ada@gmail.com")
    await rows("DELETE FROM signup_bonuses RETURNING user_id")
    await api.sign_up("a.da@gmail.com")
    # As the migration leaves the bonuses that were granted before it.
    await rows("UPDATE signup_bonuses SET identity = NULL RETURNING user_id")
    await rows(
        "INSERT INTO signup_bonuses (user_id) SELECT id FROM users WHERE email = 'ada@gmail.com' RETURNING user_id"
    )
    await idle_server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    assert await SignupBonus.filter(identity=None).count() == 0
    assert await SignupBonus.all().count() == 2, "both accounts keep what they got"
    assert await bonus_of(api, "ad.a@gmail.com") == 0


async def test_account_of_an_earlier_release_gets_no_second_bonus_at_verification(
    settings: Settings, mailbox: Mailbox
) -> None:
    mailed = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    async with running(settings.model_copy(update=mailed), idle=True) as server:
        ada = await server.api.sign_up()
        await rows("DELETE FROM signup_bonuses RETURNING user_id")
        made = await ada.one(VERIFY, token=await mailbox.token(1))
        assert made == {"user": {"credits": BONUS, "version": 2}, "errors": []}
        assert await bonus_of(server.api, "ada+2@example.com") == 0, "the verification recorded the mailbox"


async def ledger_of(ada: Api) -> list[Any]:
    return await rows("SELECT amount FROM credit_transactions WHERE user_id = $1", ada.user["id"])


@pytest.fixture
def verifying(settings: Settings, mailbox: Mailbox, tmp_path: Path) -> Settings:
    """Settings of a profile that grants the bonus at verification."""
    studio = (PROFILES / "studio.toml").read_text(encoding="utf-8")
    (tmp_path / "shared").symlink_to(PROFILES / "shared")
    changed = studio.replace(
        "signup_credits = 30\n", "signup_credits = 30\nsignup_credits_require_verification = true\n"
    )
    (tmp_path / "verifying.toml").write_text(changed, encoding="utf-8")
    mailed = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    return settings.model_copy(update={"profile": str(tmp_path / "verifying"), **mailed})


async def test_profile_grants_the_bonus_at_verification_exactly_once(verifying: Settings, mailbox: Mailbox) -> None:
    async with running(verifying, idle=True) as server:
        ada = await server.api.sign_up()
        assert await ada.credits() == 0
        assert await server.services.billing.signup_bonuses.grant_missing() == 0, "the address is not verified"
        token = await mailbox.token(1)
        async with ada.socket() as socket:
            stream = await socket.subscribe("subscription { creditsChanged { credits transaction { amount } } }")
            assert await stream.next() == {"credits": 0, "transaction": None}
            made = await asyncio.gather(*(ada.one(VERIFY, token=token) for _ in range(4)))
            assert [one["user"] for one in made if not one["errors"]] == [{"credits": BONUS, "version": 2}]
            assert await stream.next() == {"credits": BONUS, "transaction": {"amount": BONUS}}
        await server.api.execute(FORGOT, email="ada@example.com")
        assert await server.api.one(RESET, token=await mailbox.token(2, "reset-password")) == {
            "user": {"credits": BONUS}
        }
        assert [line["amount"] for line in await ledger_of(ada)] == [BONUS]

        await server.api.sign_up("ada+2@example.com")
        await mailbox.wait_for(3)
        await server.api.execute(FORGOT, email="ada+2@example.com")
        assert await server.api.one(RESET, token=await mailbox.token(4, "reset-password")) == {
            "user": {"credits": 0}
        }, "the same mailbox"
        await server.api.sign_up("bob@example.com")
        await mailbox.wait_for(5)
        await server.api.execute(FORGOT, email="bob@example.com")
        assert await server.api.one(RESET, token=await mailbox.token(6, "reset-password")) == {
            "user": {"credits": BONUS}
        }
        await assert_invariants(server.services, all_ended=True)
