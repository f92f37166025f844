"""A server that sells through a fake Polar, and deliveries of Polar's webhooks."""

from datetime import datetime

from models import ExternalEvent
from settings import Settings
from tests.support.client import Api
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import Json, event, sign

SECRET = "whsec_0123456789abcdef0123456789abcdef"
PRODUCTS = {"credits-50": "11111111-1111", "credits-500": "22222222-2222", "basic": "33333333-3333", "flash": "4444-4"}
PRODUCTS |= {"pro": "55555555-5555"}
FIFTY, FIVE_HUNDRED, BASIC, FLASH, PRO = PRODUCTS.values()
LEDGER = "{ viewer { transactions(last: 100) { nodes { type amount balance price currency } } } }"


def paid_by(polar: PolarServer, settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "polar_access_token": polar.token,
            "polar_base_url": polar.url,
            "polar_webhook_secret": (SECRET,),
            "polar_products": tuple(f"{slug}={product}" for slug, product in PRODUCTS.items()),
            "signup_credits": 10,
        }
    )


async def deliver(api: Api, kind: str, data: Json, at: datetime | None = None) -> ExternalEvent:
    """Deliver an event to the webhook, and return its row."""
    body = event(kind, data, at)
    headers = sign(SECRET, body)
    answer = await api.http.post("/webhooks/polar", content=body, headers=headers)
    assert answer.status_code == 202
    return await ExternalEvent.get(event_id=headers["webhook-id"])


async def lines(api: Api) -> list[tuple[str, int]]:
    """Return the ledger lines without the sign-up bonus, oldest first."""
    found = (await api.one(LEDGER))["transactions"]["nodes"]
    return [(line["type"], line["amount"]) for line in reversed(found) if line["type"] != "BONUS"]


def user_of(api: Api) -> str:
    return str(api.user["id"])
