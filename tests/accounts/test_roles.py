"""Roles: changes by super admins, the setting ADMIN_EMAILS, and their audit entries."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from main import prepare
from models import AuditEntry, Generation, MailToken, User
from models.database.connection import rows
from models.enum import ErrorCode, Role
from services.billing.admin_adjustment import AdjustmentRequest
from services.billing.admin_grant import PassRequest
from services.core.error import Refusal
from services.operations.maintenance import MaintenanceChange
from settings import Settings
from tests.accounts.test_guests import guest_of
from tests.conftest import Running, running
from tests.support.client import Api, until
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


async def sign_up_as(api: Api, role: Role, name: str) -> Api:
    client = await api.sign_up(f"{name}@example.com")
    await User.filter(id=client.user["id"]).update(role=role)
    return client


async def audit_entries() -> list[tuple[str | None, str | None, Any]]:
    """Return actor, target and detail of the audit log, oldest first."""
    return [(entry.actor_id, entry.target, entry.detail) for entry in await AuditEntry.all().order_by("id")]


async def unproven_key(api: Api) -> str:
    """Return an API key that an earlier release created for an account without a verified address."""
    await until(lambda: MailToken.exists(user_id=api.user["id"]))  # none is issued for a verified address
    await api.verify_address()
    key = (await api.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    unproven = "UPDATE users SET email_verified = FALSE, owner_proven = FALSE WHERE id = $1 RETURNING id"
    assert await rows(unproven, api.user["id"])
    return str(key)


async def test_guest_cannot_be_made_an_admin(idle_server: Running) -> None:
    root, guest = await sign_up_as(idle_server.api, Role.SUPER_ADMIN, "root"), await guest_of(idle_server.api)
    for role in (Role.ADMIN, Role.SUPER_ADMIN):
        refused = await root.one(SET, userId=guest.user["id"], role=role)
        assert refused["errors"] == [{"code": "CONFLICT", "field": ["userId"]}]
    assert (await root.one(SET, userId=guest.user["id"], role=Role.USER))["errors"] == []
    assert await AuditEntry.all().count() == 0
    await User.filter(id=guest.user["id"]).update(role=Role.ADMIN)  # by the release before
    assert (await root.one(SET, userId=guest.user["id"], role=Role.USER))["user"]["role"] == Role.USER


async def test_super_admin_sets_roles_and_each_change_is_audited(idle_server: Running) -> None:
    root, boss = [await sign_up_as(idle_server.api, Role.SUPER_ADMIN, name) for name in ("root", "boss")]
    ada = await idle_server.api.sign_up("ada@example.com")
    ada_id, root_id = str(ada.user["id"]), str(root.user["id"])
    async with ada.socket() as socket:
        for version, role in ((2, "ADMIN"), (2, "ADMIN"), (3, "USER"), (4, "SUPER_ADMIN")):
            made = await root.one(SET, userId=ada_id, role=role)
            assert made == {"user": {"id": ada_id, "role": role, "version": version}, "errors": []}
            assert await (await socket.subscribe(ROLE)).next() == {"role": role, "version": version}, "at once"
    audited = await audit_entries()
    assert audited == [
        (root_id, ada_id, {"role": "ADMIN", "before": "USER"}),
        (root_id, ada_id, {"role": "USER", "before": "ADMIN"}),
        (root_id, ada_id, {"role": "SUPER_ADMIN", "before": "USER"}),
    ], "a call without a change is not audited"

    await root.verify_address()
    key = (await root.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    plain, admin = (
        await idle_server.api.sign_up("eve@example.com"),
        await sign_up_as(idle_server.api, Role.ADMIN, "adam"),
    )
    for client, code in ((idle_server.api, "UNAUTHENTICATED"), (plain, "FORBIDDEN"), (admin, "FORBIDDEN")):
        assert (await client.refused(SET, userId=ada_id, role="USER"))["code"] == code
    assert (await Api(root.http, root.address, key).refused(SET, userId=ada_id, role="USER"))["code"] == "FORBIDDEN"
    deleted = str(plain.user["id"])
    await plain.one(
        "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }",
        input={"confirmEmail": "eve@example.com", "password": PASSWORD},
    )
    for user_id, code in ((root_id, "CONFLICT"), (deleted, "NOT_FOUND"), ("usr_unknown", "NOT_FOUND")):
        refused = await root.refused(SET, userId=user_id, role="ADMIN")
        assert (refused["code"], refused["field"]) == (code, ["userId"])
    assert await audit_entries() == audited

    assert (await boss.one(SET, userId=root_id, role="USER"))["errors"] == []
    assert (await root.refused(SET, userId=ada_id, role="USER"))["code"] == "FORBIDDEN", (
        "effective from the next operation on"
    )


async def test_of_two_super_admins_who_demote_each_other_one_remains(idle_server: Running) -> None:
    for number in range(5):
        one, other = [
            await sign_up_as(idle_server.api, Role.SUPER_ADMIN, f"{name}{number}") for name in ("one", "other")
        ]
        users = [await User.get(id=client.user["id"]) for client in (one, other)]
        results = await asyncio.gather(
            idle_server.services.accounts.roles.set(users[0], users[1].id, Role.USER),
            idle_server.services.accounts.roles.set(users[1], users[0].id, Role.USER),
            return_exceptions=True,
        )
        assert sorted(isinstance(each, Refusal) for each in results) == [False, True], results
        (remaining,) = await User.filter(role=Role.SUPER_ADMIN)
        await User.filter(id=remaining.id).update(role=Role.USER)


async def test_admin_actions_are_refused_after_the_role_or_account_was_revoked(
    idle_server: Running,
) -> None:
    ada, services = await idle_server.api.sign_up("ada@example.com"), idle_server.services
    ada_id = str(ada.user["id"])
    (waiting,), (failed,) = [(await ada.create(prompt="A fox"))["generations"] for _ in range(2)]
    ended = {"status": "FAILED", "stage": "FAILED", "error_code": "GENERATION_FAILED"}
    await Generation.filter(id=failed["id"]).update(**ended, completed_at=datetime.now(UTC))
    before = await User.get(id=ada_id).values()
    revocations: list[dict[str, Any]] = [{"role": Role.USER}, {"suspended_at": datetime.now(UTC)}]
    for number, change in enumerate(revocations):
        stale = await User.get(id=(await sign_up_as(idle_server.api, Role.ADMIN, f"admin{number}")).user["id"])
        await User.filter(id=stale.id).update(**change)
        for action in (
            services.billing.admin_adjustments.adjust(stale, AdjustmentRequest(ada_id, 5, "Sorry.")),
            services.generations.admin_refunds.refund(stale, failed["id"], "Sorry."),
            services.generations.admin_retries.retry(stale, failed["id"], "Sorry."),
            services.generations.requests.cancel_as_admin(stale, waiting["id"]),
            services.billing.admin_grants.set_membership(stale, ada_id, is_member=True),
            services.billing.admin_grants.grant_pass(stale, PassRequest(ada_id, "flash-lite")),
            services.accounts.suspensions.set(stale, ada_id, "Spam.", suspended=True),
            services.operations.maintenance.set(stale, MaintenanceChange(read_only=True)),
        ):
            with pytest.raises(Refusal) as refusal:
                await action
            assert refusal.value.code is ErrorCode.FORBIDDEN
    assert await User.get(id=ada_id).values() == before
    assert await audit_entries() == []


async def test_admin_emails_grant_the_role_once_when_owner_and_address_are_proven(
    settings: Settings, mailbox: Mailbox
) -> None:
    settings = settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@example.com"})
    named = settings.model_copy(update={"admin_emails": ("Boss@Example.com", "early@example.com", "never@example.com")})
    async with running(settings, idle=True) as before:
        early = await before.api.sign_up("early@example.com")
        assert (await early.one(VERIFY, token=await mailbox.token(1)))["user"] == {"role": "USER"}, (
            "ADMIN_EMAILS is still empty"
        )
        await before.api.sign_up("never@example.com")
        await mailbox.wait_for(2)
    await prepare(named)
    async with running(named, idle=True) as server:
        early = Api(server.api.http, server.api.address, early.token, early.user)
        assert (await early.one(ROLE))["role"] == "ADMIN", "proven before, applied at the start"
        never = await server.api.one(SIGN_IN, input={"email": "never@example.com", "password": PASSWORD})
        assert never["user"] == {"role": "USER"}, "the address is not verified"

        boss = await server.api.sign_up("BOSS@example.com")
        assert (await boss.one(ROLE))["role"] == "USER"
        assert (await boss.one(VERIFY, token=await mailbox.token(3)))["user"] == {"role": "ADMIN"}
        assert await audit_entries() == [
            (None, client.user["id"], {"role": "ADMIN", "before": "USER"}) for client in (early, boss)
        ]
        root = await sign_up_as(server.api, Role.SUPER_ADMIN, "root")
        assert (await root.one(SET, userId=boss.user["id"], role="USER"))["errors"] == []
        again = await server.api.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD})
        assert again["user"] == {"role": "USER"}, "a revoked role is not granted again"
    await prepare(named)
    async with running(named, idle=True) as server:
        assert (await User.get(email=BOSS)).role is Role.USER


@pytest.mark.any_database
async def test_admin_emails_apply_at_the_next_sign_in_or_password_reset(settings: Settings, mailbox: Mailbox) -> None:
    named = settings.model_copy(
        update={"smtp_url": mailbox.url, "mail_from": "hello@example.com", "admin_emails": (BOSS, "lost@example.com")}
    )
    async with running(named, idle=True) as server:
        boss = await server.api.sign_up(BOSS)
        await mailbox.wait_for(1)
        # As left by a server that was started before ADMIN_EMAILS contained the address.
        await rows(
            "UPDATE users SET email_verified = TRUE, owner_proven = TRUE WHERE id = $1 RETURNING id", boss.user["id"]
        )
        signed_in = await server.api.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD})
        assert signed_in["user"] == {"role": "ADMIN"}
        await server.api.sign_up("lost@example.com")
        await mailbox.wait_for(2)
        await server.api.one('mutation { requestPasswordReset(email: "lost@example.com") { sent } }')
        reset = await server.api.one(
            RESET, token=await mailbox.token(3, "reset-password"), password=secrets.token_hex(8)
        )
        assert reset == {"user": {"role": "ADMIN", "emailVerified": True}}


async def test_sign_up_with_the_address_of_a_future_admin_does_not_grant_the_role(
    settings: Settings, mailbox: Mailbox
) -> None:
    named = settings.model_copy(
        update={"smtp_url": mailbox.url, "mail_from": "hello@example.com", "admin_emails": (BOSS, "ada@example.com")}
    )
    async with running(named, idle=True) as server:
        attacker = await server.api.sign_up(BOSS)
        key = await unproven_key(attacker)
        # The owner of the address opens the link in the mail, without being signed in.
        assert (await server.api.one(VERIFY, token=await mailbox.token(1)))["errors"] == []
        assert not await attacker.is_signed_in(), "the first proof ends every session"
        again = await server.api.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD})
        assert again["user"] == {"role": "USER"}, "the one who knows the password has not read the mail"

        ada = await server.api.sign_up("ada@example.com")
        script = await unproven_key(ada)
        found = await Api(ada.http, ada.address, script).one(VERIFY, token=await mailbox.token(2))
        assert found["user"] == {"role": "USER"}, "an API key does not prove knowledge of the password"
    await prepare(named)
    async with running(named, idle=True) as server:
        assert await User.filter(role=Role.ADMIN).count() == 0
        await server.api.one("mutation($email: String!) { requestPasswordReset(email: $email) { sent } }", email=BOSS)
        owner = await server.api.one(
            RESET, token=await mailbox.token(3, "reset-password"), password=secrets.token_hex(8)
        )
        assert owner["user"]["role"] == "ADMIN", "the attacker does not know the new password"
        late = Api(server.api.http, server.api.address)
        assert (await late.one(SIGN_IN, input={"email": BOSS, "password": PASSWORD}))["token"] is None
        assert not await Api(late.http, late.address, attacker.token).is_signed_in()
        assert (await Api(late.http, late.address, key).refused(SET, userId=ada.user["id"], role="ADMIN"))[
            "code"
        ] == "UNAUTHENTICATED", "the key ended with the reset"
