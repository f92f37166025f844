"""The webhook endpoint: forged, stale and malformed deliveries are refused and not stored."""

import asyncio
import base64
import gzip
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from polar.v2026_10.webhooks import validate_event

from models import ExternalEvent, Purchase
from services.core.chore import Lane
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.fakes.polar_wire import (
    NOW,
    event,
    line_item,
    order,
    plan_change,
    sign,
    subscription,
    trial_order,
)

SECRET, NEXT = "whsec_0123456789abcdef0123456789abcdef", "whsec_fedcba9876543210fedcba9876543210"
FORMER = "whsec_ffffffffffffffffffffffffffffffff"
PRODUCT = "5f0f1b5e-41f0-4a9e-8a0b-1c1e1f8a7a01"
MONTHLY = "5f0f1b5e-41f0-4a9e-8a0b-1c1e1f8a7a02"
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")

Forgery = tuple[str, bytes, dict[str, str]]


@pytest.fixture
def polar_settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"polar_webhook_secret": (SECRET, NEXT), "polar_products": (f"credits-50={PRODUCT}", f"basic={MONTHLY}")}
        | {"polar_access_token": "polar_oat_1", "polar_base_url": "http://127.0.0.1:9"}
    )


@pytest.fixture
async def polar_store(polar_settings: Settings) -> AsyncIterator[Running]:
    async with running(polar_settings, idle=True) as found:
        yield found


async def deliver(api: Api, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await api.http.post("/webhooks/polar", content=body, headers=headers)


def forgeries(user_id: str) -> list[Forgery]:
    """Return more than sixty deliveries that must be refused; each differs in one respect from a valid one."""
    body = event("order.paid", order(user_id, PRODUCT))
    valid = sign(SECRET, body)
    forged: list[Forgery] = []

    def add(name: str, sent: bytes = body, **changed: Any) -> None:
        headers = {**sign(SECRET, body), **{key.replace("_", "-"): value for key, value in changed.items()}}
        forged.append((name, sent, {key: value for key, value in headers.items() if value is not None}))

    for name in HEADERS:
        add(f"no {name}", body, **{name: None})
        add(f"empty {name}", body, **{name: ""})
    signature = valid["webhook-signature"]
    raw = signature.removeprefix("v1,")
    for number, wrong in enumerate(
        [
            raw,
            f"v1{raw}",
            f"v2,{raw}",
            f"v1a,{raw}",
            f"V1,{raw}",
            f"v1,{raw[:-8]}",
            f"v1,{raw}A",
            f"v1,{raw[:20]}!{raw[21:]}",
            "v1,",
            "v1",
            ",",
            "nonsense",
            "v1," + base64.b64encode(bytes(32)).decode(),
            "v1," + base64.b64encode(bytes(20)).decode(),
            "v1,é".encode().decode("latin-1"),
            f"v1,{raw.swapcase()}",
            "v1,v1,v1 v1, ,v1",
            "v1," + "A" * 4000,
            f"v1;{raw}",
            f"v1,{base64.b64encode(base64.b64decode(raw)[::-1]).decode()}",
        ]
    ):
        add(f"signature {number}", webhook_signature=wrong.encode("latin-1").decode("latin-1"))
    for secret in (FORMER, SECRET.removeprefix("whsec_"), SECRET.upper(), "", SECRET + " ", "whsec_"):
        forged.append((f"signed with {secret!r}", body, sign(secret, body)))
    for seconds in (-361, -301, 302, 361, -86_400, 86_400, 10**9):
        forged.append((f"{seconds} seconds off", body, sign(SECRET, body, at=time.time() + seconds)))
    for stamp in (
        "NaN",
        "inf",
        "1e400",
        "-1",
        "0x10",
        "1_0",
        "9" * 400,
        f"{time.time()}",
        "١٢٣".encode().decode("latin-1"),
    ):
        add(f"timestamp {stamp[:9]}", webhook_timestamp=stamp)
    for id in ("a.b", "a" * 201, "a b", "..", "a/b", "a;b"):
        forged.append((f"id {id[:9]}", body, sign(SECRET, body, event_id=id)))
    add("another id", webhook_id="another")
    add("another body", body.replace(b"499", b"999"))
    add("re-serialized", json.dumps(json.loads(body), indent=1).encode())
    add("cut short", body[:-1])
    add("longer", body + b" ")
    add("empty", b"")
    add("zipped", gzip.compress(body), **{"content-encoding": "gzip"})
    forged.append(("five megabytes", b"{" + b" " * 5_000_000 + b"}", sign(SECRET, b"{}")))
    invalid_payloads = [
        b"",
        b"nothing",
        b"[]",
        b"{}",
        b'"order.paid"',
        b'{"type": 1, "data": {}}',
        b'{"type": "order.paid", "data": []}',
        b'{"type": "order.paid", "data": {"amount": NaN}}',
        b'{"type": "order.paid", "data": {"amount": 1e400}}',
        b'{"type": "order.paid", "data": {"amounts": [{"amount": -1e400}]}}',
        b'{"type": "order.paid", "type": "order.refunded", "data": {}}',
        b'{"type": "order.paid", "data": {"id": "\\u0000"}}',
        b'{"type": "order.paid", "data": {"id": "\\ud800"}}',
        b'{"type": "order.paid", "data": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'{"type": "order.paid", "data": {"id": ' + b"9" * 5000 + b"}}",
        b'{"type": "' + b"x" * 200 + b'", "data": {}}',
        b"\xff\xfe{}",
    ]
    forged += [
        (f"signed invalid payload {number}", payload, sign(SECRET, payload))
        for number, payload in enumerate(invalid_payloads)
    ]
    return forged


async def test_forged_deliveries_are_refused_and_not_stored(polar_store: Running) -> None:
    ada = await polar_store.api.sign_up()
    before = await ada.credits()
    attempts = forgeries(str(ada.user["id"]))
    assert len(attempts) >= 60
    for name, body, headers in attempts:
        sent = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
        answer = await polar_store.api.http.post("/webhooks/polar", content=body, headers=sent)
        assert answer.status_code in (400, 401, 413), (name, answer.status_code)
        if not name.startswith(("signed invalid payload", "five")):
            assert answer.status_code == 401, name
    assert await ExternalEvent.all().count() == await Purchase.all().count() == 0
    assert await ada.credits() == before
    assert (await polar_store.api.http.get("/webhooks/polar")).status_code == 405


async def test_concurrent_duplicate_deliveries_are_stored_and_handled_once(polar_store: Running) -> None:
    ada = await polar_store.api.sign_up()
    before = await ada.credits()
    body = event("order.paid", order(str(ada.user["id"]), PRODUCT))
    headers = sign(SECRET, body)
    answers = await asyncio.gather(*(deliver(polar_store.api, body, headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert await ExternalEvent.all().count() == 1
    assert await ada.credits() == before + 50
    # The same order under another event id is not granted again.
    assert (await deliver(polar_store.api, body, sign(SECRET, body))).status_code == 202
    assert await ada.credits() == before + 50
    assert {row.outcome for row in await ExternalEvent.all()} == {"HANDLED"}


@pytest.mark.any_database
async def test_signature_of_either_secret_is_accepted_among_invalid_ones(polar_store: Running) -> None:
    body = event("customer.created", {"id": "1"})
    valid = sign(SECRET, body)
    other = {**valid, "webhook-signature": f"v2,AAAA v1,AAAA nonsense {valid['webhook-signature']}"}
    late = sign(SECRET, body, at=time.time() - 290)
    for headers in (valid, sign(NEXT, body), {**other, "webhook-id": valid["webhook-id"]}, late):
        assert (await deliver(polar_store.api, body, headers)).status_code == 202, headers
    assert {(row.type, row.outcome) for row in await ExternalEvent.all()} == {("customer.created", "IGNORED")}


@pytest.mark.any_database
async def test_without_secrets_every_delivery_is_refused(settings: Settings) -> None:
    async with running(settings, idle=True) as found:
        body = event("order.paid", order(None, PRODUCT))
        for headers in (sign("", body), sign(SECRET, body)):
            assert (await deliver(found.api, body, headers)).status_code == 401


def wire_events(user_id: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return one event of each kind that grants or settles something."""
    plan = subscription(user_id, MONTHLY)
    prices = ((1500, "price-1"), (500, "price-2"))
    return {
        "package": ("order.paid", order(user_id, PRODUCT, items=[line_item(499, "price-3")])),
        "package in euros": ("order.paid", order(user_id, PRODUCT, 449, currency="eur")),
        "trial": ("order.paid", trial_order(user_id, MONTHLY)),
        "change by invoice": ("order.paid", plan_change(user_id, plan, NOW, *prices)),
        "change by reset": ("order.paid", plan_change(user_id, plan, NOW, prices[0], None)),
        "subscription": ("subscription.updated", plan),
    }


@pytest.mark.any_database
async def test_events_in_wire_format_of_polar_are_settled(polar_store: Running) -> None:
    """Polar's own SDK, which parses strictly, accepts what is delivered here."""
    ada = await polar_store.api.sign_up()
    for name, (kind, data) in wire_events(str(ada.user["id"])).items():
        body = event(kind, data)
        headers = sign(SECRET, body)
        assert validate_event(body, headers, SECRET).type == kind, name
        assert (await deliver(polar_store.api, body, headers)).status_code == 202
        stored = await ExternalEvent.get(event_id=headers["webhook-id"])
        assert (stored.outcome, stored.problem) == ("HANDLED", None), name
    assert await Purchase.filter(status="PAID").count() == 5


async def test_sweeper_handles_stored_events_that_were_not_handled(polar_store: Running) -> None:
    ada = await polar_store.api.sign_up()
    before = await ada.credits()
    body = event("order.paid", order(str(ada.user["id"]), PRODUCT))
    stored = await polar_store.services.payments.webhooks.receive("an-event", body)
    assert stored is not None
    assert (
        await polar_store.services.payments.webhooks.unhandled(10) == []
    )  # recent events are left to the request that stored them
    await ExternalEvent.filter(id=stored).update(received_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert await polar_store.services.payments.webhooks.unhandled(10) == [stored]
    await polar_store.services.background.sweeper.sweep_lane(Lane.SETTLEMENT)
    assert await ada.credits() == before + 50
    assert await polar_store.services.payments.webhooks.unhandled(10) == []
