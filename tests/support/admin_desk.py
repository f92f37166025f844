"""A page object for the admin desk in a real browser, and the accounts and the payment that its tests need."""

from pathlib import Path
from typing import TYPE_CHECKING

from models import ExternalEvent, ids
from models.database.connection import open_database
from tests.support.client import Api
from tests.support.fakes.polar_wire import order
from tests.support.graphiql_page import PASSWORD, Server
from tests.support.studio_page import StudioPage

if TYPE_CHECKING:
    from playwright.async_api import Locator

SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token user { id } errors { code } } }"


async def park_payment(folder: Path, account: str) -> str:
    """Write a report that could not be settled, as the payment provider's webhook does; return its order's id."""
    data = order(account, "no product", 1900)
    body = {"type": "order.paid", "timestamp": data["created_at"], "data": data}
    async with open_database(f"sqlite://{folder}/darkroom.sqlite3"):
        await ExternalEvent.create(
            source="polar", event_id=ids.new_id(ids.EXTERNAL_EVENT), type="order.paid", data=body, outcome="PARKED",
            problem="no product on sale has this product id",
        )  # fmt: skip
    return str(data["id"])


async def new_admin(server: Server, email: str, *words: str) -> None:
    async with server.api() as api:
        await api.sign_up(email, PASSWORD)
    assert await (await server.run("make-admin", email, *words)).wait() == 0


async def signed_in(api: Api, email: str) -> Api:
    made = await api.one(SIGN_IN, input={"email": email, "password": PASSWORD})
    return Api(api.http, api.address, made["token"], made["user"])


async def open_desk(studio: StudioPage, email: str) -> None:
    """Sign in, and open the desk by the link in the bar."""
    await studio.button("Sign in").click()
    await studio.sign_in(email)
    await studio.page.get_by_role("navigation", name="Main").get_by_role("link", name="Admin desk").click()
    await studio.page.get_by_role("heading", name="The last 24 hours").wait_for()


class Desk:
    """Actions of an admin on the page."""

    def __init__(self, studio: StudioPage) -> None:
        self.studio = studio
        self.page = studio.page

    async def section(self, name: str) -> None:
        await self.page.get_by_role("navigation", name="Admin desk").get_by_role("link", name=name).click()
        await self.page.get_by_role("heading", level=1, name=name).wait_for()

    @property
    def dialog(self) -> "Locator":
        return self.page.locator("section[role=dialog], section[role=alertdialog]")  # toasts are no sections

    async def give_reason(self, reason: str, button: str, said: str) -> None:
        """Complete the open dialog, and wait until the page says that it is done."""
        await self.dialog.get_by_label("Reason").fill(reason)
        await self.dialog.get_by_role("button", name=button, exact=True).click()
        await self.dialog.wait_for(state="detached")
        await self.page.get_by_text(said).first.wait_for()

    async def act(self, name: str, reason: str, button: str, said: str) -> None:
        await self.studio.button(name).click()
        await self.give_reason(reason, button, said)

    def row(self, text: str) -> "Locator":
        return self.page.get_by_role("row").filter(has_text=text)
