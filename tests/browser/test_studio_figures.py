"""The figures and the audit log of the admin desk in a real browser: they agree with each other, and use words."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_studio import ADJUST
from tests.support.admin_desk import Desk, new_admin, open_desk, park_payment, signed_in
from tests.support.client import Api
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.order_history import Ordered, write_orders
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

PEOPLE = ("ada", "ben", "chen", "dora", "emil", "fay")
GRANT_PASS = """mutation($id: ID!) {
  adminGrantPass(userId: $id, plan: "flash", hours: 6, reason: "For the outage of Monday") { errors { message } }
}"""
SET_ROLE = """mutation($id: ID!) {
  adminSetRole(userId: $id, role: ADMIN, reason: "Helps with questions") { errors { message } }
}"""
REFUND = """mutation($id: ID!) {
  adminRefundGeneration(id: $id, reason: "Not what was ordered") { errors { message } }
}"""
MAINTENANCE = """mutation($input: MaintenanceInput!) {
  adminSetMaintenance(input: $input, reason: "The budget of the month") { errors { message } }
}"""
UPDATE_STYLE = """mutation($id: ID!) {
  updateStyle(id: $id, input: {title: "Night", membersOnly: true, cost: 7, reason: "The new name"}) {
    errors { message }
  }
}"""
RAW = re.compile(r"(usr|gen|sty|evt)_|[A-Z]{3,}_[A-Z]|\{|isMember|sessionsEnded|daily_spend|read_only")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with run_server(tmp_path, DEMO_SECONDS="0", RATE_LIMITS="off") as found:
        yield found


async def done(api: Api, document: str, **variables: Any) -> None:
    """Run a mutation of an admin, and assert that it was not refused."""
    assert (await api.one(document, **variables))["errors"] == []


async def act_as_admin(admin: Api, people: list[Api], folder: Path) -> None:
    ada, ben, chen, *_ = people
    await park_payment(folder, ada.user["id"])
    (picture,) = (await ben.create(prompt="A lighthouse at dusk"))["generations"]
    await ben.wait_for_end(picture["id"])
    await done(admin, SET_ROLE, id=chen.user["id"])
    await done(admin, MAINTENANCE, input={"dailySpendCap": 250})
    await done(admin, GRANT_PASS, id=ada.user["id"])
    await done(admin, REFUND, id=picture["id"])
    await done(admin, UPDATE_STYLE, id=await admin.style("noir", "avenger"))
    await done(admin, ADJUST, input={"userId": ada.user["id"], "amount": 20, "reason": "The queue was stuck"})


async def tiles(desk: Desk) -> dict[str, tuple[str, str]]:
    """Return the value and the note of each figure, by its name."""
    read = """(all) => all.map((one) => {
      const [name, note] = one.querySelector("dt").childNodes;
      return [name.textContent, [one.querySelector("dd").textContent, note?.textContent ?? ""]];
    })"""
    found = await desk.page.locator("dl > div:has(dt):has(dd)").evaluate_all(read)
    return {name: (value, note) for name, (value, note) in found}


async def total(desk: Desk, chart: str) -> int:
    """Return the sum that a chart says in words."""
    label = await desk.page.get_by_role("img", name=re.compile(rf"^{chart}\. ")).get_attribute("aria-label")
    found = re.search(r"\. ([\d,]+) in total", label or "")
    assert found, label
    return int(found[1].replace(",", ""))


def number(text: str) -> int:
    return int(text.replace(",", ""))


def ended(orders: list[Ordered], status: str) -> int:
    return sum(one.status == status for one in orders)


async def test_figures_agree_and_the_audit_log_is_in_words(chromium: "Browser", server: Server, tmp_path: Path) -> None:
    await new_admin(server, "root@example.com", "--super")
    # West of UTC, where a day by UTC begins on the day before.
    async with server.api() as api, open_studio(chromium, server, timezone_id="Pacific/Honolulu") as studio:
        people = [await api.sign_up(f"{name}@example.com", PASSWORD, name=name.title()) for name in PEOPLE]
        orders = await write_orders(tmp_path, [one.user["id"] for one in people])
        admin = await signed_in(api, "root@example.com")
        await act_as_admin(admin, people, tmp_path)  # one more picture, which was refunded
        await open_desk(studio, "root@example.com")
        desk = Desk(studio)
        await studio.page.get_by_text("Credits adjusted").wait_for()
        day = [one for one in orders if one.at > datetime.now(UTC) - timedelta(hours=24)]
        await _check_overview(desk, day, people={one.user_id for one in day} | {people[1].user["id"]})
        await studio.check("admin-overview")
        await _check_figures(desk, orders)
        await _check_audit_log(desk)


async def _check_overview(desk: Desk, orders: list[Ordered], people: set[str]) -> None:
    found = await tiles(desk)
    ready, failed, canceled = (ended(orders, status) for status in ("COMPLETED", "FAILED", "CANCELED"))
    parts = {"ready": ready + 1, "failed": failed, "canceled": canceled}
    note = ", ".join(f"{count} {name}" for name, count in parts.items() if count)
    assert found["Ordered"] == (str(len(orders) + 1), note)
    assert await total(desk, "Pictures by hour") == len(orders) + 1
    assert found["Succeeded"][1] == f"of {ready + 1 + failed} ready or failed"
    charged = sum(one.charged for one in orders)
    assert found["Credits charged"] == (f"{charged:,}", "refunds taken off")
    assert found["Active people"][0] == str(len(people))


async def _check_figures(desk: Desk, orders: list[Ordered]) -> None:
    page = desk.page
    await desk.section("Figures")
    await page.get_by_role("radio", name="30 days").click()
    await page.get_by_role("img", name=re.compile(rf"^Pictures\. {len(orders) + 1} in total")).wait_for()
    found = await tiles(desk)
    assert number(found["Ordered"][0]) == len(orders) + 1
    charged = sum(one.charged for one in orders)
    assert await total(desk, "Credits charged") == charged
    assert number(found["Credits spent"][0]) - number(found["Credits refunded"][0]) == charged
    people = await page.get_by_role("img", name=re.compile("^Active people")).get_attribute("aria-label")
    assert "in total" not in (people or ""), "the same people on several days"
    days = desk.page.locator("table[aria-label=Pictures]")
    assert await days.locator("th[scope=col]").first.text_content() == "Day (UTC)"
    today = datetime.now(UTC).date()
    shown = await days.locator("th[scope=row]").all_text_contents()
    assert shown == [f"{today - timedelta(days=past):%b %-d}" for past in range(29, -1, -1)]
    await desk.studio.check("admin-figures")


async def _check_audit_log(desk: Desk) -> None:
    page = desk.page
    await desk.section("Audit log")
    for act, about, words in (
        ("Credits adjusted", "ada@example.com", ("The queue was stuck", "+20 credits")),
        ("Picture refunded", "A lighthouse at dusk", ("Not what was ordered", "+1 credit")),
        ("Style changed", "Style: Night", ("The new name", "title: Noir / 黑色电影 → Night / 黑色电影")),
        ("Style changed", "members only: no → yes", ("The new name", "price: – → 7")),
        ("Pass granted", "ada@example.com", ("For the outage of Monday", "Flash, 6 hours")),
        ("Maintenance changed", "The deployment", ("The budget of the month", "Spending cap: $250.00 a day")),
        ("Role changed", "chen@example.com", ("Helps with questions", "User → Admin")),
    ):
        row = desk.row(act).filter(has_text=about).filter(has_text=words[0])
        await row.get_by_text(words[1]).wait_for()
        await row.get_by_role("link", name="root@example.com").wait_for()
    shown = await page.get_by_role("table", name="Audit log").inner_text()
    assert not RAW.search(shown), shown
    await desk.studio.check()
    await desk.row("Picture refunded").get_by_role("link", name="ben@example.com").click()
    await page.get_by_role("heading", name="ben@example.com").wait_for()
