"""A receiver of webhooks with scripted answers, which verifies signatures by the official library."""

import asyncio
from typing import Any

from standardwebhooks import Webhook

from tests.support.client import PATIENCE, Api
from tests.support.fakes.raw_server import Call, RawServer, Response, raw_response

OK = raw_response(200, "text/plain", b"thanks")
FAILED = raw_response(500, "text/plain", b"out of order\x00\n<b>")
GONE = raw_response(410, "text/plain", b"")

ENDPOINT = (
    "id url description events creditsLowBelow isEnabled disabledReason disabledAt failingSince previousSecretUntil"
)
DELIVERY = (
    "id messageId type payload state attempts { status failure response durationMs } nextAttemptAt deliveredAt "
    "createdAt"
)
ERRORS = "errors { code message field }"
CREATE_ENDPOINT = f"""
mutation($input: CreateWebhookEndpointInput!) {{
  createWebhookEndpoint(input: $input) {{ secret endpoint {{ {ENDPOINT} }} {ERRORS} }}
}}"""
UPDATE_ENDPOINT = f"""
mutation($id: ID!, $input: UpdateWebhookEndpointInput!) {{
  updateWebhookEndpoint(id: $id, input: $input) {{ endpoint {{ {ENDPOINT} }} {ERRORS} }}
}}"""
ROTATE = f"mutation($id: ID!) {{ rotateWebhookSecret(id: $id) {{ secret endpoint {{ {ENDPOINT} }} {ERRORS} }} }}"
DELETE = f"mutation($id: ID!) {{ deleteWebhookEndpoint(id: $id) {{ deletedIds {ERRORS} }} }}"
SEND_TEST = f"mutation($id: ID!) {{ sendTestWebhook(id: $id) {{ delivery {{ {DELIVERY} }} {ERRORS} }} }}"
REPLAY = f"mutation($id: ID!) {{ replayWebhookDelivery(id: $id) {{ delivery {{ {DELIVERY} }} {ERRORS} }} }}"
ENDPOINTS = f"{{ webhookEndpoints {{ {ENDPOINT} }} }}"
DELIVERIES = f"""
query($state: WebhookDeliveryState) {{
  webhookEndpoints {{ deliveries(first: 100, state: $state) {{ nodes {{ {DELIVERY} }} }} }}
}}"""


class WebhookReceiver(RawServer):
    """Answers by `script`, then by `otherwise`; `received` has the requests that were read completely."""

    def __init__(self) -> None:
        super().__init__()
        self.script: list[Response] = []
        self.otherwise = OK
        self.received: list[Call] = []
        self.opened = 0  # requests that are being answered
        self.most_open = 0
        self.hold = asyncio.Event()  # answers wait while it is not set
        self.hold.set()
        self._changed = asyncio.Event()

    async def answer(self, call: Call) -> Response:
        self.received.append(call)
        self._changed.set()
        self.opened += 1
        self.most_open = max(self.most_open, self.opened)
        try:
            await self.hold.wait()
        finally:
            self.opened -= 1
        return self.script.pop(0) if self.script else self.otherwise

    @property
    def url(self) -> str:
        return f"{self.origin}/hooks?a=b"

    @property
    def types(self) -> list[str]:
        return [str(call.body["type"]) for call in self.received]

    async def wait_for(self, number: int) -> list[Call]:
        """Return the requests when there are as many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.received


def verified(call: Call, secret: str) -> Any:
    """Return the event of a request; raises if its signature is not valid."""
    return Webhook(secret).verify(call.raw, call.headers)


async def create_endpoint(api: Api, url: str, **input: Any) -> Any:
    """Create an endpoint and return the payload."""
    await api.verify_address()
    made = await api.one(CREATE_ENDPOINT, input={"url": url, **input})
    assert made["errors"] == [], made
    return made


async def deliveries(api: Api, state: str | None = None) -> list[dict[str, Any]]:
    """Return the deliveries to the account's endpoints, newest first for each."""
    found = await api.one(DELIVERIES, state=state)
    return [node for endpoint in found for node in endpoint["deliveries"]["nodes"]]
