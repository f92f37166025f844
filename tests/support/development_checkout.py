"""Buying as people do: an address from createCheckout, and the button on the page of the development till."""

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


async def buy(person: Api, **what: Any) -> None:
    """Buy a `package` or a `plan`, by its slug."""
    opened = await person.one(CHECKOUT, input=what)
    assert opened["errors"] == [], opened
    answer = await person.http.post(opened["checkout"]["url"])
    assert answer.status_code == 200, answer.text


async def bought(person: Api) -> Any:
    """The newest line of the ledger that was paid for."""
    (line,) = (await person.one(BOUGHT))["transactions"]["nodes"]
    return line
