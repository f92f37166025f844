"""Expiry and monthly cap of API keys."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from models import ApiKey, CreditTransaction
from models.database.connection import rows
from services.billing import key_budget
from services.core.month import month_of, next_month
from tests.conftest import Running
from tests.support.client import CREDITS, Api

CREATE_KEY = """
mutation($expiresAt: DateTime, $monthlyCredits: Int, $idempotencyKey: String) {
  createApiKey(
    name: "script", scope: GENERATE, expiresAt: $expiresAt, monthlyCredits: $monthlyCredits,
    idempotencyKey: $idempotencyKey
  ) { key apiKey { id scope expiresAt monthlyCredits spentThisMonth } errors { code field message } }
}"""
KEYS = "{ viewer { credits apiKeys { id monthlyCredits spentThisMonth } } }"
QUOTE = "query($count: Int) { quote(input: {count: $count}) { cost affordable } }"
CREATE = (
    'mutation($count: Int) { createGeneration(input: {prompt: "A fox", count: $count})'
    " { generations { id } errors { code message ... on QuotaExceededError { resetsAt } } } }"
)
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { generation { refunded } errors { code } } }"


async def key_of(owner: Api, **limits: Any) -> Api:
    await owner.verify_address()
    made = await owner.one(CREATE_KEY, **limits)
    assert made["errors"] == []
    return replace(owner, token=made["key"])


async def spent(owner: Api) -> int:
    (key,) = (await owner.one(KEYS))["apiKeys"]
    return int(key["spentThisMonth"])


async def test_monthly_cap_is_exact_under_concurrency(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    script = await key_of(ada, monthlyCredits=5)
    before = await ada.credits()
    answers = await asyncio.gather(*(script.one(CREATE, count=1) for _ in range(12)))
    codes = [error["code"] for answer in answers for error in answer["errors"]]
    assert codes == ["QUOTA_EXCEEDED"] * 7
    assert before - await ada.credits() == 5 == await spent(ada)
    assert len((await ada.one(CREATE, count=2))["generations"]) == 2, "sessions have no cap"
    assert await spent(ada) == 5


async def test_request_over_the_cap_is_refused_until_thenext_month_and_quoted_so(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    script = await key_of(ada, monthlyCredits=3)
    (error,) = (await script.one(CREATE, count=4))["errors"]
    assert (error["code"], error["message"]) == ("QUOTA_EXCEEDED", "This API key may spend 3 credits in a month.")
    resets_at = datetime.fromisoformat(error["resetsAt"])
    assert (resets_at.day, resets_at.hour) == (1, 0)
    assert timedelta(0) < resets_at - datetime.now(UTC) <= timedelta(days=31)
    assert [(await script.one(QUOTE, count=count))["affordable"] for count in (3, 4)] == [True, False]
    assert (await ada.one(QUOTE, count=4))["affordable"]
    assert len((await script.one(CREATE, count=3))["generations"]) == 3


async def test_refund_frees_the_cap_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    script = await key_of(ada, monthlyCredits=1)
    (made,) = (await script.one(CREATE, count=1))["generations"]
    assert (await script.one(CREATE, count=1))["errors"][0]["code"] == "QUOTA_EXCEEDED"
    assert (await script.one(CANCEL, id=made["id"]))["generation"]["refunded"]
    assert await spent(ada) == 0
    assert len((await script.one(CREATE, count=1))["generations"]) == 1


async def test_cap_counts_the_calendar_month_only(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    script = await key_of(ada, monthlyCredits=2)
    await script.one(CREATE, count=2)
    # The ledger cannot be changed, so that its lines become older by being those of another key.
    await ApiKey.filter(user_id=ada.user["id"]).update(monthly_credits=3)
    last_month = month_of(datetime.now(UTC)) - timedelta(seconds=1)
    (line, _) = await CreditTransaction.filter(type="DEDUCTION")
    values = {name: getattr(line, name) for name in ("user_id", "type", "status", "amount", "api_key_id")}
    await rows("UPDATE users SET ledger_sequence = ledger_sequence + 1, credits = credits - 1 RETURNING id")
    await CreditTransaction.create(
        **values, sequence=line.sequence + 5, balance=0, account_version=9, reference="deduct:old",
        generation_id="gen_old", created_at=last_month,
    )  # fmt: skip
    assert await spent(ada) == 2
    assert len((await script.one(CREATE, count=1))["generations"]) == 1


async def test_month_of_the_cap_is_that_of_the_database(idle_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    class NextMonth(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(days=31)

    ada = await idle_server.api.sign_up()
    script = await key_of(ada, monthlyCredits=2)
    await script.one(CREATE, count=2)
    monkeypatch.setattr(key_budget, "datetime", NextMonth, raising=False)  # it has no clock of this process
    assert await spent(ada) == 2
    (error,) = (await script.one(CREATE, count=1))["errors"]
    assert datetime.fromisoformat(error["resetsAt"]) == next_month(month_of(datetime.now(UTC)))


async def test_cap_is_not_passed_by_another_field_of_the_same_operation(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await ada.verify_address()
    made = await ada.one('mutation { createApiKey(name: "k", monthlyCredits: 1) { key } }')
    script = replace(ada, token=made["key"])
    answer = await script.execute(
        'mutation { updateProfile(input: {name: "Ada"}) { errors { code } }'
        ' createGeneration(input: {prompt: "A fox", count: 2}) { errors { code } } }'
    )
    assert answer["createGeneration"]["errors"] == [{"code": "QUOTA_EXCEEDED"}]


async def test_deductions_name_the_key_that_requested_them(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    script = await key_of(ada)
    await script.one(CREATE, count=2)
    await ada.one(CREATE, count=1)
    (key,) = (await ada.one(KEYS))["apiKeys"]
    lines = await CreditTransaction.filter(user_id=ada.user["id"], type="DEDUCTION").order_by("sequence")
    assert [line.api_key_id for line in lines] == [key["id"], key["id"], None]
    assert key["spentThisMonth"] == 2


async def test_expired_key_is_signed_out_and_its_sockets_end(ada: Api) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    script = await key_of(ada, expiresAt=soon.isoformat())
    async with script.socket() as socket:
        await (await socket.subscribe(CREDITS)).next()
        await ApiKey.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        await asyncio.wait_for(socket.connection.wait_closed(), 20)
    assert (await script.raw("{ viewer { id } }")).json().get("data") in (None, {"viewer": None})


@pytest.mark.any_database
async def test_invalid_limits_are_refused_and_a_replay_needs_the_same(ada: Api) -> None:
    await ada.verify_address()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    for limits, field in (
        ({"expiresAt": past}, "expiresAt"),
        ({"monthlyCredits": 0}, "monthlyCredits"),
        ({"monthlyCredits": -5}, "monthlyCredits"),
        ({"monthlyCredits": 2_000_000_000}, "monthlyCredits"),
    ):
        error = await ada.refused(CREATE_KEY, **limits)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", [field])
    first = await ada.one(CREATE_KEY, monthlyCredits=5, idempotencyKey="k")
    assert first["apiKey"] == {
        "id": first["apiKey"]["id"], "scope": "GENERATE", "expiresAt": None, "monthlyCredits": 5, "spentThisMonth": 0,
    }  # fmt: skip
    assert await ada.one(CREATE_KEY, monthlyCredits=5, idempotencyKey="k") == first
    assert (await ada.refused(CREATE_KEY, monthlyCredits=6, idempotencyKey="k"))["code"] == "CONFLICT"


UPDATE_KEY = """
mutation($input: UpdateApiKeyInput!) {
  updateApiKey(input: $input) {
    key apiKey { id name scope expiresAt monthlyCredits } errors { code field message }
  }
}"""


async def test_changed_limits_of_a_key_take_effect_at_once(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    script = await key_of(ada, monthlyCredits=3)
    (key,) = (await ada.one(KEYS))["apiKeys"]
    version = (await ada.one("{ viewer { version } }"))["version"]
    made = await ada.one(UPDATE_KEY, input={"id": key["id"], "monthlyCredits": 4})
    assert made["errors"] == []
    assert made["key"] is None
    assert (made["apiKey"]["name"], made["apiKey"]["scope"], made["apiKey"]["monthlyCredits"]) == (
        "script", "GENERATE", 4,
    ), "omitted fields are unchanged"  # fmt: skip
    assert (await ada.one("{ viewer { version } }"))["version"] == version + 1
    assert (await script.one(CREATE, count=4))["errors"] == []
    assert [error["code"] for error in (await script.one(CREATE, count=1))["errors"]] == ["QUOTA_EXCEEDED"]

    async with script.socket() as socket:
        assert (await (await socket.subscribe(CREATE, count=1)).next())["errors"][0]["code"] == "QUOTA_EXCEEDED"
        change = {"id": key["id"], "name": " Nightly ", "scope": "READ", "monthlyCredits": None}
        changed = (await ada.one(UPDATE_KEY, input=change))["apiKey"]
        assert (changed["name"], changed["scope"], changed["monthlyCredits"]) == ("Nightly", "READ", None)
        message = await (await socket.subscribe(CREATE, count=1)).message()
        assert "The scope of this API key does not allow this." in str(message), "on an open socket, too"
    wider = {"id": key["id"], "scope": "EVERYTHING", "expiresAt": "2036-01-01T00:00:00Z"}
    assert (await ada.one(UPDATE_KEY, input=wider))["apiKey"]["expiresAt"].startswith("2036-01-01T00:00:00")
    assert (await script.one(CREATE, count=1))["errors"] == []
    assert (await ada.one(UPDATE_KEY, input={"id": key["id"], "expiresAt": None}))["apiKey"]["expiresAt"] is None


@pytest.mark.any_database
async def test_keys_are_changed_by_sessions_of_their_account_only(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    script = await key_of(ada, monthlyCredits=3)
    (key,) = (await ada.one(KEYS))["apiKeys"]
    wider = {"id": key["id"], "scope": "EVERYTHING", "monthlyCredits": None}
    assert (await script.refused(UPDATE_KEY, input=wider))["code"] == "FORBIDDEN", "no key widens itself"
    assert (await eve.refused(UPDATE_KEY, input=wider))["code"] == "FORBIDDEN", "her address is not verified"
    await eve.verify_address()
    assert (await eve.refused(UPDATE_KEY, input=wider))["code"] == "NOT_FOUND"
    for change, field in (
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"monthlyCredits": 0}, "monthlyCredits"),
    ):
        refused = await ada.refused(UPDATE_KEY, input={"id": key["id"], **change})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [field])
    assert (await ada.one(UPDATE_KEY, input={"id": key["id"], "scope": None}))["apiKey"]["scope"] == "GENERATE"
    assert (await ada.one(KEYS))["apiKeys"] == [key | {"monthlyCredits": 3}]


def test_months_follow_each_other() -> None:
    november = month_of(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    assert november == datetime(2026, 11, 1, tzinfo=UTC)
    assert next_month(november) == datetime(2026, 12, 1, tzinfo=UTC)
    assert next_month(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
