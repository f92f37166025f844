"""Maintenance: switched-off functions are refused before any effect, and accepted requests are completed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from graphql import GraphQLObjectType

from models import AuditEntry, File, Generation
from schema.root import schema
from services.operations import maintenance
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, CREDITS, REFINE, REGENERATE, Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import make_admin
from tests.support.second_process import create_in_another_process

FIELDS = "readOnly providersOff dailySpendCap spentToday"
SET = (
    "mutation($input: MaintenanceInput!) { adminSetMaintenance(input: $input)"
    f" {{ maintenance {{ {FIELDS} }} errors {{ code message field }} }} }}"
)
SHOWN = f"{{ admin {{ maintenance {{ {FIELDS} }} }} }}"
QUOTE = "{ quote(input: {}) { cost } }"
RETRY = 'mutation($id: ID!) { adminRetryGeneration(id: $id, reason: "Again.") { errors { code } } }'
FAILED = {"status": "FAILED", "stage": "FAILED", "error_code": "GENERATION_FAILED"}
OFF = {"readOnly": False, "providersOff": [], "dailySpendCap": None, "spentToday": 0.0}


# Mutations that also work while the deployment is read-only.
ALWAYS = {"startSecondFactor", "confirmSecondFactor", "verifySecondFactor"}
ALWAYS |= {"signIn", "signOut", "signInWithIdToken", "createSignInNonce", "renewConnection"}


async def switch(admin: Api, **input: Any) -> Any:
    made = await admin.one(SET, input=input)
    assert made["errors"] == [], made
    return made["maintenance"]


async def status(generation_id: str) -> str:
    return (await Generation.get(id=generation_id)).status.value


async def test_read_only_refuses_every_mutation_of_users_before_any_effect(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    (generation,) = (await ada.create(prompt="A fox"))["generations"]
    mutation = schema._schema.mutation_type
    assert isinstance(mutation, GraphQLObjectType)
    assert (await switch(admin, readOnly=True))["readOnly"] is True
    refused = 0
    for name, field in mutation.fields.items():
        if name.startswith("admin") or name in ALWAYS:
            continue
        # With arguments that are valid by the schema only: they are not used.
        arguments = ", ".join(
            f"{key}: {sample(item.type)}" for key, item in field.args.items() if is_required(item.type)
        )
        error = await ada.refused(f"mutation {{ {name}{f'({arguments})' if arguments else ''} {{ __typename }} }}")
        assert error["code"] == "UNAVAILABLE", name
        refused += 1
    assert refused >= 20
    sign_up = 'mutation { signUp(input: {email: "x@example.com", password: "correct horse"}) { token } }'
    response = await idle_server.api.raw(sign_up, headers={"accept-language": "zh"})
    assert "维护" in response.json()["errors"][0]["message"]
    assert 'darkroom_maintenance{switch="read_only"} 1.0' in (await idle_server.api.http.get("/metrics")).text
    sent = await idle_server.api.http.post("/uploads/anything", files={"file": photo()})
    forms = [
        await idle_server.api.http.post(path, data={"token": "x"}) for path in ("/verify-email", "/reset-password")
    ]
    assert [response.status_code for response in (sent, *forms)] == [503] * 3

    assert (await idle_server.api.http.get("/health/ready")).json()["status"] == "read-only"
    async with ada.socket() as socket:
        assert (await (await socket.subscribe(CREDITS)).next())["credits"] == await ada.credits()
    await idle_server.services.generations.worker.process(generation["id"])
    assert await status(generation["id"]) == "COMPLETED", "an accepted generation is completed"
    sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { token } }"
    token = (await idle_server.api.one(sign_in, input={"email": "ada@example.com", "password": "correct horse"}))[
        "token"
    ]
    assert await replace(ada, token=token).one("mutation { signOut { sessionsEnded } }") == {"sessionsEnded": 1}

    await switch(admin, readOnly=False)
    assert len((await ada.create(prompt="A fox"))["generations"]) == 1
    assert (await idle_server.api.http.get("/health/ready")).json()["status"] != "read-only"


def is_required(kind: Any) -> bool:
    return str(kind).endswith("!")


def sample(kind: Any) -> str:
    """Return a literal for a required argument."""
    bare = kind.of_type
    if str(bare).startswith("["):
        return "[]"
    fields = getattr(bare, "fields", None)
    if fields is not None:
        inner = ", ".join(f"{name}: {sample(item.type)}" for name, item in fields.items() if is_required(item.type))
        return f"{{{inner}}}"
    return {"Boolean": "true", "Int": "1"}.get(str(bare), '"sample"')


@pytest.mark.any_database
async def test_admins_see_which_providers_can_be_switched_off(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    found = (await admin.one("{ admin { maintenance { providers } } }"))["maintenance"]["providers"]
    assert found == sorted(found)
    assert {"demo", "openrouter"} <= set(found)
    for name in found:
        assert (await switch(admin, providersOff=[name]))["providersOff"] == [name]
    unknown = (await admin.one(SET, input={"providersOff": ["nothing"]}))["errors"]
    assert [error["code"] for error in unknown] == ["INVALID_INPUT"]


@pytest.mark.any_database
async def test_one_provider_is_switched_and_the_others_stay(idle_server: Running) -> None:
    admin, other = await make_admin(idle_server.api), await make_admin(idle_server.api, "other@example.com")
    assert (await switch(admin, provider={"name": "openrouter", "isOff": True}))["providersOff"] == ["openrouter"]
    assert (await switch(other, provider={"name": "demo", "isOff": True}))["providersOff"] == ["demo", "openrouter"]
    for _ in range(2):
        assert (await switch(admin, provider={"name": "openrouter", "isOff": False}))["providersOff"] == ["demo"]
    assert await AuditEntry.filter(action="SET_MAINTENANCE").count() == 3
    mixed = {"providersOff": ["huggingface"], "provider": {"name": "demo", "isOff": True}}
    assert (await switch(admin, **mixed))["providersOff"] == ["demo", "huggingface"]
    for wrong, field in (({"name": "dalle", "isOff": True}, ["provider", "name"]), (None, ["provider"])):
        refused = await admin.refused(SET, input={"provider": wrong})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)


async def test_a_disabled_provider_refuses_new_generations_and_keeps_pending_ones(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    (done,) = (await ada.create(prompt="A hen"))["generations"]
    await idle_server.services.generations.worker.process(done["id"])
    (waiting,) = (await ada.create(prompt="A fox", idempotencyKey="once"))["generations"]
    failed = await create_in_another_process(idle_server.services, ada)
    await Generation.filter(id=failed).update(**FAILED, completed_at=datetime.now(UTC))
    assert (await switch(admin, providersOff=["openrouter", "openrouter"]))["providersOff"] == ["openrouter"]
    credits, files = await ada.credits(), await File.all().count()
    refused = [
        await ada.refused(CREATE, {"input.image": photo()}, input={"prompt": "A crow"}),
        await ada.refused(REGENERATE, input={"id": done["id"]}),
        await ada.refused(REFINE, input={"id": done["id"], "instruction": "At night"}),
        await admin.refused(RETRY, id=failed),
    ]
    assert [error["code"] for error in refused] == ["UNAVAILABLE"] * 4
    assert (await ada.credits(), await File.all().count()) == (credits, files)
    assert (await ada.create(prompt="A fox", idempotencyKey="once"))["generations"][0]["id"] == waiting["id"]
    assert (await ada.one(QUOTE))["cost"] > 0

    await idle_server.services.generations.worker.process(waiting["id"])
    assert await idle_server.services.generations.worker.take_next() is None
    assert (await status(waiting["id"]), len(openrouter.calls)) == ("PENDING", 1)
    await switch(admin, providersOff=[])
    await idle_server.services.generations.worker.process(waiting["id"])
    assert await status(waiting["id"]) == "COMPLETED"


async def test_workers_resume_when_their_provider_is_enabled(settings: Settings) -> None:
    # Without polling of the table, so that workers depend on the message.
    async with running(settings.model_copy(update={"generation_sweep_seconds": 600.0})) as server:
        ada, admin = await server.api.sign_up("ada@example.com"), await make_admin(server.api)
        await switch(admin, providersOff=["demo"])
        waiting = await create_in_another_process(server.services, ada)
        await server.services.integrations.wake_ups.publish(waiting)
        await switch(admin, providersOff=[])
        assert (await ada.wait_for_end(waiting))["status"] == "COMPLETED"


async def test_day_of_the_cap_is_that_of_the_database(idle_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(days=1)

    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    made = await create_in_another_process(idle_server.services, ada)
    await Generation.filter(id=made).update(**FAILED, provider_cost=0.25, completed_at=datetime.now(UTC))
    monkeypatch.setattr(maintenance, "datetime", Tomorrow, raising=False)  # it has no clock of this process
    assert (await switch(admin, dailySpendCap=0.25))["spentToday"] == 0.25
    assert (await ada.refused(CREATE, input={"prompt": "A crow"}))["code"] == "UNAVAILABLE"


async def test_a_reached_daily_cap_refuses_new_generations(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    old, new = [await create_in_another_process(idle_server.services, ada) for _ in range(2)]
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await Generation.filter(id=old).update(**FAILED, provider_cost=5.0, completed_at=midnight - timedelta(seconds=1))
    await Generation.filter(id=new).update(**FAILED, provider_cost=0.25, completed_at=midnight)
    assert await switch(admin, dailySpendCap=0.26) == OFF | {"dailySpendCap": 0.26, "spentToday": 0.25}
    (waiting,) = (await ada.create(prompt="A fox"))["generations"]
    await Generation.filter(id=old).update(completed_at=midnight)

    async def is_refused() -> bool:
        return bool((await ada.create(prompt="A crow"))["errors"])

    await until(is_refused)
    credits = await ada.credits()
    error = await ada.refused(CREATE, input={"prompt": "A crow"})
    assert (error["code"], "tomorrow" in error["message"]) == ("UNAVAILABLE", True)
    assert await ada.credits() == credits
    await idle_server.services.generations.worker.process(waiting["id"])
    assert await status(waiting["id"]) == "COMPLETED", "an accepted generation is completed"
    await switch(admin, dailySpendCap=None)
    assert (await ada.create(prompt="A crow"))["errors"] == []


@pytest.mark.any_database
async def test_each_change_is_in_the_audit_log_with_the_earlier_state(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    assert (await admin.one(SHOWN))["maintenance"] == OFF
    for input in ({"providersOff": ["demo"], "dailySpendCap": 2.5}, {"dailySpendCap": 2.5}, {"dailySpendCap": None}):
        await switch(admin, **input)
    assert (await admin.one(SHOWN))["maintenance"] == OFF | {"providersOff": ["demo"]}
    first = {"read_only": False, "providers_off": [], "daily_spend_cap": None}
    second = first | {"providers_off": ["demo"], "daily_spend_cap": 2.5}
    third = second | {"daily_spend_cap": None}
    entries = await AuditEntry.all().order_by("id")
    assert [(entry.actor_id, entry.action.value, entry.target) for entry in entries] == [
        (admin.user["id"], "SET_MAINTENANCE", None)
    ] * 2
    assert [entry.detail for entry in entries] == [
        {"before": first, "after": second},
        {"before": second, "after": third},
    ]
    for wrong, field in (
        ({"providersOff": ["demo", "dalle"]}, ["providersOff", "1"]),
        ({"providersOff": None}, ["providersOff"]),
        ({"readOnly": None}, ["readOnly"]),
        ({"dailySpendCap": -0.01}, ["dailySpendCap"]),
        ({"dailySpendCap": 1e10}, ["dailySpendCap"]),
    ):
        refused = await admin.refused(SET, input=wrong)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)
    assert "demo, huggingface, openrouter" in (await admin.refused(SET, input={"providersOff": ["dalle"]}))["message"]
    for client, code in ((idle_server.api, "UNAUTHENTICATED"), (ada, "FORBIDDEN")):
        assert (await client.refused(SET, input={"readOnly": True}))["code"] == code
        assert (await client.refused(SHOWN))["code"] == code
    assert await AuditEntry.all().count() == 2
