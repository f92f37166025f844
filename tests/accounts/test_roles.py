"""Roles: super admins give and take them, the settings and the operator name the first ones, and all of it is written
down.
"""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from main import prepare
from models import AuditEntry, Generation, User
from models.database.connection import rows
from models.enum import ErrorCode, Role
from services.billing.admin_adjustment import AdjustmentRequest
from services.billing.admin_grant import PassRequest
from services.core.error import Refusal
from services.operations.maintenance import MaintenanceChange
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.mail_server import Mailbox

SET = (
    "mutation($userId: ID!, $role: Role!) { adminSetRole(userId: $userId, role: $role)"
    " { user { id role version } errors { code field } } }"
)
ROLE = "{ viewer { role version } }"
VERIFY = "mutation($token: String!) { verifyEmail(token: $token) { user { role } errors { code } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token user { role } errors { code } } }"
RESET = (
    "mutation($token: String!, $password: String!)"
    " { resetPassword(token: $token, password: $password) { user { role emailVerified } } }"
)
PASSWORD = "correct horse"
BOSS = "boss@example.com"


async def signed_up(api: Api, role: Role, name: str) -> Api:
    person = await api.sign_up(f"{name}@example.com")
    await User.filter(id=person.user["id"]).update(role=role)
    return person


async def acts() -> list[tuple[str | None, str | None, Any]]:
    """The audit log, oldest first: who, whom, and what."""
    return [(entry.actor_id, entry.target, entry.detail) for entry in await AuditEntry.all().order_by("id")]


async def test_a_super_admin_gives_and_takes_roles_and_each_change_is_written_down(idle_server: Running) -> None:
    root, boss = [await signed_up(idle_server.api, Role.SUPER_ADMIN, name) for name in ("root", "boss")]
    ada = await idle_server.api.sign_up("ada@example.com")
    ada_id, root_id = str(ada.user["id"]), str(root.user["id"])
    async with ada.socket() as socket:
        for version, role in ((2, "ADMIN"), (2, "ADMIN"), (3, "USER"), (4, "SUPER_ADMIN")):
            made = await root.one(SET, userId=ada_id, role=role)
            assert made == {"user": {"id": ada_id, "role": role, "version": version}, "errors": []}
            assert await (await socket.subscribe(ROLE)).next() == {"role": role, "version": version}, "at once"
    written = await acts()
    assert written == [
        (root_id, ada_id, {"role": "ADMIN", "before": "USER"}),
        (root_id, ada_id, {"role": "USER", "before": "ADMIN"}),
        (root_id, ada_id, {"role": "SUPER_ADMIN", "before": "USER"}),
    ], "what changes nothing leaves no line"

    key = (await root.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    plain, admin = (
        await idle_server.api.sign_up("eve@example.com"),
        await signed_up(idle_server.api, Role.ADMIN, "adam"),
    )
    for person, code in ((idle_server.api, "UNAUTHENTICATED"), (plain, "FORBIDDEN"), (admin, "FORBIDDEN")):
        assert (await person.refused(SET, userId=ada_id, role="USER"))["code"] == code
    assert (await Api(root.http, root.address, key).refused(SET, userId=ada_id, role="USER"))["code"] == "FORBIDDEN"
    gone = str(plain.user["id"])
    await plain.one(
        "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }",
        input={"confirmEmail": "eve@example.com", "password": PASSWORD},
    )
    for user_id, code in ((root_id, "CONFLICT"), (gone, "NOT_FOUND"), ("usr_nobody", "NOT_FOUND")):
        refused = await root.refused(SET, userId=user_id, role="ADMIN")
        assert (refused["code"], refused["field"]) == (code, ["userId"])
    assert await acts() == written

    assert (await boss.one(SET, userId=root_id, role="USER"))["errors"] == []
    assert (await root.refused(SET, userId=ada_id, role="USER"))["code"] == "FORBIDDEN", "from the next operation on"


async def test_super_admins_who_demote_each_other_leave_one(idle_server: Running) -> None:
    for number in range(5):
        one, other = [
            await signed_up(idle_server.api, Role.SUPER_ADMIN, f"{name}{number}") for name in ("one", "other")
        ]
        users = [await User.get(id=person.user["id"]) for person in (one, other)]
        found = await asyncio.gather(
            idle_server.services.accounts.roles.set(users[0], users[1].id, Role.USER),
            idle_server.services.accounts.roles.set(users[1], users[0].id, Role.USER),
            return_exceptions=True,
        )
        assert sorted(isinstance(each, Refusal) for each in found) == [False, True], found
        (left,) = await User.filter(role=Role.SUPER_ADMIN)
        await User.filter(id=left.id).update(role=Role.USER)


async def test_whoever_stops_being_an_admin_in_the_middle_of_a_request_does_nothing_more_in_it(
    idle_server: Running,
) -> None:
    ada, services = await idle_server.api.sign_up("ada@example.com"), idle_server.services
    ada_id = str(ada.user["id"])
    (waiting,), (failed,) = [(await ada.create(prompt="A fox"))["generations"] for _ in range(2)]
    ended = {"status": "FAILED", "stage": "FAILED", "error_code": "GENERATION_FAILED"}
    await Generation.filter(id=failed["id"]).update(**ended, completed_at=datetime.now(UTC))
    before = await User.get(id=ada_id).values()
    ends: list[dict[str, Any]] = [{"role": Role.USER}, {"suspended_at": datetime.now(UTC)}]
    for number, change in enumerate(ends):
        stale = await User.get(id=(await signed_up(idle_server.api, Role.ADMIN, f"admin{number}")).user["id"])
        await User.filter(id=stale.id).update(**change)
        for act in (
            services.billing.admin_adjustments.adjust(stale, AdjustmentRequest(ada_id, 5, "Sorry.")),
            services.generations.admin_refunds.refund(stale, failed["id"], "Sorry."),
            services.generations.admin_retries.retry(stale, failed["id"], "Sorry."),
            services.generations.requests.cancel_anybodys(stale, waiting["id"]),
            services.billing.admin_grants.set_membership(stale, ada_id, is_member=True),
            services.billing.admin_grants.grant_pass(stale, PassRequest(ada_id, "flash-lite")),
            services.accounts.suspensions.set(stale, ada_id, "Spam.", suspended=True),
            services.operations.maintenance.set(stale, MaintenanceChange(read_only=True)),
        ):
            with pytest.raises(Refusal) as refusal:
                await act
            assert refusal.value.code is ErrorCode.FORBIDDEN
    assert await User.get(id=ada_id).values() == before
    assert await acts() == []


async def test_an_address_of_the_settings_becomes_admin_when_it_is_proven_and_once(
    settings: Settings, mailbox: Mailbox
) -> None:
    settings = settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@example.com"})
    named = settings.model_copy(update={"admin_emails": ("Boss@Example.com", "early@example.com", "never@example.com")})
    async with running(settings, idle=True) as before:
        early = await before.api.sign_up("early@example.com")
        assert (await early.one(VERIFY, token=await mailbox.token(1)))["user"] == {"role": "USER"}, (
            "nobody is named yet"
        )
        await before.api.sign_up("never@example.com")
        await mailbox.wait_for(2)
    await prepare(named)
    async with running(named, idle=True) as server:
        early = Api(server.api.http, server.api.address, early.token, early.user)
        assert (await early.one(ROLE))["role"] == "ADMIN", "what was proven before, at the start"
        never = await server.api.one(SIGN_IN, input={"email": "never@example.com", "password": PASSWORD})
        assert never["user"] == {"role": "USER"}, "an address that nobody has proven is anybody's"

        boss = await server.api.sign_up("BOSS@example.com")
        assert (await boss.one(ROLE))["role"] == "USER"
        assert (await boss.one(VERIFY, token=await mailbox.token(3)))["user"] == {"role": "ADMIN"}
        assert await acts() == [
            (None, person.user["id"], {"role": "ADMIN", "before": "USER"}) for person in (early, boss)
        ]
        root = await signed_up(server.api, Role.SUPER_ADMIN, "root")
        assert (await root.one(SET, userId=boss.user["id"], role="USER"))["errors"] == []
        again = await server.api.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD})
        assert again["user"] == {"role": "USER"}, "who took the role away has the last word"
    await prepare(named)
    async with running(named, idle=True) as server:
        assert (await User.get(email=BOSS)).role is Role.USER


@pytest.mark.any_database
async def test_an_address_that_is_named_later_counts_from_the_next_sign_in(
    settings: Settings, mailbox: Mailbox
) -> None:
    named = settings.model_copy(
        update={"smtp_url": mailbox.url, "mail_from": "hello@example.com", "admin_emails": (BOSS, "lost@example.com")}
    )
    async with running(named, idle=True) as server:
        boss = await server.api.sign_up(BOSS)
        await mailbox.wait_for(1)
        # As a server leaves it that was started before the address was named.
        await rows(
            "UPDATE users SET email_verified = TRUE, owner_proven = TRUE WHERE id = $1 RETURNING id", boss.user["id"]
        )
        signed_in = await server.api.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD})
        assert signed_in["user"] == {"role": "ADMIN"}
        await server.api.sign_up("lost@example.com")
        await mailbox.wait_for(2)
        await server.api.one('mutation { requestPasswordReset(email: "lost@example.com") { sent } }')
        reset = await server.api.one(RESET, token=await mailbox.token(3), password=secrets.token_hex(8))
        assert reset == {"user": {"role": "ADMIN", "emailVerified": True}}


async def test_who_signs_up_with_the_address_of_an_admin_to_be_gets_no_admin(
    settings: Settings, mailbox: Mailbox
) -> None:
    named = settings.model_copy(
        update={"smtp_url": mailbox.url, "mail_from": "hello@example.com", "admin_emails": (BOSS, "ada@example.com")}
    )
    async with running(named, idle=True) as server:
        thief = await server.api.sign_up(BOSS)
        key = (await thief.one('mutation { createApiKey(name: "script") { key } }'))["key"]
        # The owner of the address takes the mail for a welcome, and opens it: signed out.
        assert (await server.api.one(VERIFY, token=await mailbox.token(1)))["errors"] == []
        assert await thief.one("{ viewer { role emailVerified } }") == {"role": "USER", "emailVerified": True}
        again = await server.api.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD})
        assert again["user"] == {"role": "USER"}, "who knows the password has not read the mail"

        ada = await server.api.sign_up("ada@example.com")
        script = (await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"]
        found = await Api(ada.http, ada.address, script).one(VERIFY, token=await mailbox.token(2))
        assert found["user"] == {"role": "USER"}, "who holds a key need not know the password"
    await prepare(named)
    async with running(named, idle=True) as server:
        assert await User.filter(role=Role.ADMIN).count() == 0
        await server.api.one("mutation($email: String!) { requestPasswordReset(email: $email) { sent } }", email=BOSS)
        owner = await server.api.one(RESET, token=await mailbox.token(3), password=secrets.token_hex(8))
        assert owner["user"]["role"] == "ADMIN", "a new password that the thief does not know"
        late = Api(server.api.http, server.api.address)
        assert (await late.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD}))["token"] is None
        assert await Api(late.http, late.address, thief.token).one(ROLE) is None
        assert (await Api(late.http, late.address, key).refused(SET, userId=ada.user["id"], role="ADMIN"))[
            "code"
        ] == "FORBIDDEN"
