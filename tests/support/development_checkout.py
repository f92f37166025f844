"""Buying as users do: the address from createCheckout, and the button of the development checkout page."""

from typing import Any

from tests.support.client import Api

CHECKOUT = """
mutation($input: CreateCheckoutInput!) {
  createCheckout(input: $input) { checkout { id url } errors { code message field } }
}"""
BOUGHT = """
{ viewer { transactions(first: 1, filter: { type: [PURCHASE, SUBSCRIPTION] }) {
  nodes { type amount balance price currency description }
} } }"""


async def buy(client: Api, **what: Any) -> None:
    """Buy a `package` or a `plan`, by its slug."""
    opened = await client.one(CHECKOUT, input=what)
    assert opened["errors"] == [], opened
    answer = await client.http.post(opened["checkout"]["url"])
    assert answer.status_code == 200, answer.text


async def bought(client: Api) -> Any:
    """Return the newest ledger line of a purchase."""
    (line,) = (await client.one(BOUGHT))["transactions"]["nodes"]
    return line
