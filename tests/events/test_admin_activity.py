"""adminActivity: a live feed of everything that happens, for admins only, translated and without secrets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from models import Purchase, User
from models.enum import AdminAction, Role, TransactionType
from services.core.message import message
from services.events.activity import ACTIVITIES, CHANNEL, Activity, ActivityKind
from services.events.activity_message import describe
from services.integrations.messaging.bus import Bus
from services.integrations.payments.polar.payload import Order, Refund
from settings import Settings
from tests.conftest import Running
from tests.support.bus_subscribers import begin_activity, wait_for_subscribers
from tests.support.client import CANCEL, Api, Stream
from tests.support.development_checkout import buy
from tests.support.fakes import polar_wire
from tests.support.integrity import make_admin

ACTIVITY = """
subscription { adminActivity {
  id at kind message user { id email } generation { id status providerCost } transaction { id type amount }
} }"""
ADJUST = """
mutation($input: AdjustCreditsInput!) { adminAdjustCredits(input: $input) { errors { code } } }"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Permissions are checked again soon."""
    return settings.model_copy(update={"subscription_reread_seconds": 0.3})


@asynccontextmanager
async def subscribed(server: Running, admin: Api) -> AsyncIterator[Stream]:
    """An admin's feed that is certainly subscribed, and past all that happened before."""
    async with admin.socket() as socket:
        stream = await socket.subscribe(ACTIVITY)
        await begin_activity(stream, server.services)
        yield stream


async def received(stream: Stream, count: int) -> list[dict[str, Any]]:
    """Return the next activities, without alerts."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        activity = await stream.next()
        if activity["kind"] != "ALERT":
            found.append(activity)
    return found


def summary(activities: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(activity["kind"], activity["message"]) for activity in activities]


async def test_sign_up_and_a_generations_life_are_published(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    async with subscribed(idle_server, admin) as stream:
        ada = await idle_server.api.sign_up("ada@example.com")
        (made,) = (await ada.create(prompt="A secret fox"))["generations"]
        await idle_server.services.generations.worker.process(made["id"])
        activities = await received(stream, 5)
        assert summary(activities) == [
            ("SIGN_UP", "A new account."),
            ("TRANSACTION", "A bonus of 10000 credits; the balance is 10000."),
            ("GENERATION_CREATED", "A picture was requested."),
            ("TRANSACTION", "1 credits spent; the balance is 9999."),
            ("GENERATION_FINISHED", "A picture is ready."),
        ]
        assert {activity["user"]["email"] for activity in activities} == {"ada@example.com"}
        assert len({activity["id"] for activity in activities}) == 5
        assert [activity["at"] for activity in activities] == sorted(activity["at"] for activity in activities)
        assert activities[0]["generation"] is activities[0]["transaction"] is None
        assert activities[1]["transaction"]["amount"] == 10_000
        assert activities[2]["generation"]["id"] == activities[3]["generation"]["id"] == made["id"]
        assert activities[4]["generation"]["status"] == "COMPLETED"
        # A favorite mark on a final generation is not published.
        mark = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
        await ada.execute(mark, id=made["id"])
        (next_one,) = (await ada.create(prompt="A hare"))["generations"]
        assert (await received(stream, 1))[0]["generation"]["id"] == next_one["id"]


async def test_cancels_and_deletions_are_published_in_the_admins_language(idle_server: Running) -> None:
    admin, ada = await make_admin(idle_server.api), await idle_server.api.sign_up("ada@example.com")
    await admin.execute('mutation { updateProfile(input: { locale: "zh" }) { user { id } } }')
    first, second = [(await ada.create(prompt="A fox"))["generations"][0]["id"] for _ in range(2)]
    async with subscribed(idle_server, admin) as stream:
        await ada.one(CANCEL, id=first)
        await ada.one(DELETE, ids=[second])
        activities = await received(stream, 4)
    assert summary(activities) == [
        ("GENERATION_FINISHED", "一张图片已取消。"),
        ("TRANSACTION", "退还了 1 积分，余额 9999。"),
        ("GENERATION_FINISHED", "一张图片已取消。"),
        ("TRANSACTION", "退还了 1 积分，余额 10000。"),
    ]
    assert activities[0]["generation"]["status"] == "CANCELED"
    assert [activity["generation"] for activity in activities[2:]] == [None, None]


async def test_payments_refunds_and_orders_that_need_review_are_published(server: Running) -> None:
    admin, ada = await make_admin(server.api), await server.api.sign_up("ada@example.com")
    payments = server.services.payments.recorder
    async with subscribed(server, admin) as stream:
        await buy(ada, package="credits-50")
        bought, paid = await received(stream, 2)
        assert summary([paid]) == [("PAYMENT", "4.99 USD paid.")]
        assert bought["transaction"] == paid["transaction"]
        assert (paid["transaction"]["type"], paid["user"]["id"]) == ("PURCHASE", ada.user["id"])
        purchase = await Purchase.get(user_id=ada.user["id"])
        for part in (100, 399):
            await payments.record_refund(Refund.of(polar_wire.refund(purchase.order_id, part)))
        activities = await received(stream, 4)
        assert [activity["message"] for activity in activities[1::2]] == [
            "1.00 USD refunded.",
            "3.99 USD refunded.",
        ]
        assert [activity["transaction"]["type"] for activity in activities] == ["REVERSAL"] * 4
        await payments.record_order(Order.of(polar_wire.order(None, "unknown", id="order-1")), pays=True)
        assert await stream.until(message="An order needs review: order-1.")


async def test_an_admin_action_is_published_with_its_admin(idle_server: Running) -> None:
    admin, ada = await make_admin(idle_server.api), await idle_server.api.sign_up("ada@example.com")
    other = await make_admin(idle_server.api, "other@example.com")
    async with subscribed(idle_server, other) as stream:
        await admin.execute(ADJUST, input={"userId": ada.user["id"], "amount": -25, "reason": "A test"})
        by_kind = {activity["kind"]: activity for activity in await received(stream, 2)}
    assert by_kind["TRANSACTION"]["message"] == "Credits adjusted by -25; the balance is 9975."
    assert by_kind["TRANSACTION"]["user"]["id"] == ada.user["id"]
    assert by_kind["ADMIN_ACT"]["message"] == "An admin adjusted credits."
    assert by_kind["ADMIN_ACT"]["user"]["email"] == "admin@example.com"


@pytest.mark.any_database
async def test_catalogue_changes_are_published_and_custom_styles_are_not(
    idle_server: Running,
) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    make = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { code } } }"
    change = "mutation($id: ID!, $input: UpdateStyleInput!) { updateStyle(id: $id, input: $input) { errors { code } } }"
    async with subscribed(idle_server, admin) as stream:
        for client, more in ((ada, {}), (admin, {"collection": "scenes"})):
            made = await client.one(make, input={"title": "Rain", "prompt": "Rain.", **more})
            await client.one(change, id=made["style"]["id"], input={"title": "Snow"})
            await client.one("mutation($id: ID!) { deleteStyle(id: $id) { errors { code } } }", id=made["style"]["id"])
        assert summary(await received(stream, 3)) == [
            ("ADMIN_ACT", "An admin added a style to the catalogue."),
            ("ADMIN_ACT", "An admin changed a style of the catalogue."),
            ("ADMIN_ACT", "An admin removed a style from the catalogue."),
        ]


async def test_users_are_refused_and_former_admins_are_disconnected(server: Running) -> None:
    admin, suspended = await make_admin(server.api), await make_admin(server.api, "mallory@example.com")
    ada = await server.api.sign_up("ada@example.com")
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    for client, code in (
        (ada, "FORBIDDEN"),
        (Api(ada.http, ada.address, key), "FORBIDDEN"),
        (server.api, "UNAUTHENTICATED"),
    ):
        async with client.socket() as socket:
            refused = await (await socket.subscribe(ACTIVITY)).message()
            assert [error["extensions"]["code"] for error in refused["payload"]] == [code]
    async with subscribed(server, admin) as demoted, subscribed(server, suspended) as ended:
        await User.filter(id=admin.user["id"]).update(role=Role.USER)
        await User.filter(id=suspended.user["id"]).update(suspended_at=(await User.get(id=ada.user["id"])).created_at)
        for stream, code in ((demoted, "FORBIDDEN"), (ended, "UNAUTHENTICATED")):
            while (last := (await stream.message())["payload"])["data"] is not None:
                assert last["data"]["adminActivity"]["kind"] == "ALERT", "only what was sent before"
            assert [error["extensions"]["code"] for error in last["errors"]] == [code]
            assert (await stream.message())["type"] == "complete"
        await wait_for_subscribers(server.services, 0)


@pytest.mark.any_database
async def test_gaps_and_messages_of_another_release_do_not_end_the_feed(server: Running) -> None:
    admin, bus = await make_admin(server.api), server.services.integrations.bus
    alert = Activity.alert(message("Please sign in."))
    async with subscribed(server, admin) as stream:
        unknown: list[Any] = [{"kind": "ECLIPSE"}, {}, {"kind": "PAYMENT", "at": "2026-01-01", "values": {}}, None]
        await bus.publish(CHANNEL, {ACTIVITIES: [*unknown, {"kind": "SIGN_UP", "at": "2026-01-01", "new": 1}, alert]})
        assert (await stream.until(message="Please sign in."))["id"] == alert.id
        await bus.publish(CHANNEL, {ACTIVITIES: 7})
        await bus._backend.publish(CHANNEL, "[]")  # counts as a gap
        missed = await stream.next()
    assert (missed["kind"], missed["message"]) == (
        "ALERT",
        "Some activity may have been missed here; read the lists again.",
    )


async def test_a_channel_has_subscribers_while_one_is_subscribed() -> None:
    async with Bus.open(None) as bus:
        assert not bus.may_have_subscribers(CHANNEL)
        async with bus.subscribe(CHANNEL):
            assert bus.may_have_subscribers(CHANNEL)
            assert not bus.may_have_subscribers("another")
        assert not bus.may_have_subscribers(CHANNEL)


def text_of(kind: ActivityKind, **values: Any) -> str:
    """Return the English text of an activity."""
    activity = {"kind": kind, "at": "2026-01-01T00:00:00Z", "values": values}
    ((_, text),) = describe({ACTIVITIES: [activity]})
    return text.text.format_map(dict(text.values))


def test_every_activity_has_a_message() -> None:
    actions = {text_of(ActivityKind.ADMIN_ACT, action=action) for action in AdminAction}
    assert len(actions) == len(AdminAction)
    lines = {text_of(ActivityKind.TRANSACTION, type=type, amount=5, balance=7) for type in TransactionType}
    assert len(lines) == len(TransactionType)
    assert text_of(ActivityKind.TRANSACTION, type="DEDUCTION", amount=-5, balance=7).startswith("5 credits spent")
    assert text_of(ActivityKind.PAYMENT, minor=500, currency="jpy") == "500 JPY paid."
    assert text_of(ActivityKind.PAYMENT, minor=-1250, currency="eur") == "12.50 EUR refunded."
    failed = text_of(ActivityKind.GENERATION_FINISHED, status="FAILED", code="CONTENT_REJECTED")
    assert failed == "A picture failed: CONTENT_REJECTED."
