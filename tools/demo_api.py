"""The demo's side of the API: GraphQL over HTTP with an upload, and two subscriptions on one WebSocket."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import websockets

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
ANSWER_SECONDS = 30  # for one request
WATCH_SECONDS = 180  # for one picture; the server gives up long before

SIGN_UP = """
mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { token user { email credits } errors { message } }
}"""

STYLE = """
query Style($slug: String!, $collection: String!) {
  style(slug: $slug, collection: $collection) { id title cost referenceImage collection { title } }
  collections { slug styles { slug } }
}"""

CREATE = """
mutation Create($input: CreateGenerationInput!) {
  createGeneration(input: $input) {
    generations { id }
    errors { code message field }
  }
}"""

PROGRESS = """
subscription Progress($id: ID!) {
  generationProgress(id: $id) { status stage progress message previewUrl errorMessage refunded }
}"""

CREDITS = "subscription Credits { creditsChanged { credits transaction { amount description } } }"

PICTURES = """
query Pictures($id: ID!) {
  viewer {
    credits
    generation(id: $id) { provider model original { url contentType } result { url contentType width height } }
  }
}"""


class DemoError(Exception):
    """Why the demo ends early, in words for a person; the class says with which exit code."""

    exit_code = 1


class ServerAwayError(DemoError):
    """Nobody answers, or somebody else does."""


class CreditsShortError(DemoError):
    """The account cannot pay."""

    exit_code = 3


class RefusedError(DemoError):
    """The server does not take the request, mostly because of the photo."""

    exit_code = 4


class FailedError(DemoError):
    """The picture was begun and did not come."""

    exit_code = 5


@dataclass(frozen=True)
class Event:
    """One message of a subscription."""

    stream: str  # "progress" or "credits"
    value: dict[str, Any]


class DemoApi:
    """One person's connection to a server, signed in after `sign_up`."""

    def __init__(self, address: str, language: str) -> None:
        self.address = address.rstrip("/")
        self._language = language
        self._token = ""
        # Straight to the server that was named: a proxy of the environment is for other places.
        self._http = httpx.AsyncClient(
            headers={"Accept-Language": language}, timeout=ANSWER_SECONDS, trust_env=False, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def sign_up(self) -> dict[str, Any]:
        """Make a new account with an address that nobody has, and stay signed in as it."""
        account = {
            "email": f"demo-{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(12),
            "name": "Demo",
        }
        made = (await self.ask(SIGN_UP, input=account))["signUp"]
        if made["errors"]:
            raise RefusedError(made["errors"][0]["message"])
        self._token = made["token"]
        self._http.headers["Authorization"] = f"Bearer {self._token}"
        user: dict[str, Any] = made["user"]
        return user

    async def create(self, photo: tuple[str, bytes] | None, **wanted: Any) -> str:
        """Order one picture and return its id; `photo` is a file name and its bytes."""
        operation = {"query": CREATE, "variables": {"input": {**wanted, "image": None}}}
        if photo is None:
            payload = await self._post(json=operation)
        else:
            form = {"operations": json.dumps(operation), "map": json.dumps({"photo": ["variables.input.image"]})}
            name, data = photo
            payload = await self._post(data=form, files={"photo": (name, data, "application/octet-stream")})
        made = payload["createGeneration"]
        if made["errors"]:
            error = made["errors"][0]
            raise (CreditsShortError if error["code"] == "INSUFFICIENT_CREDITS" else RefusedError)(error["message"])
        generation_id: str = made["generations"][0]["id"]
        return generation_id

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The `data` of one operation."""
        return await self._post(json={"query": query, "variables": variables})

    async def _post(self, **body: Any) -> dict[str, Any]:
        try:
            response = await self._http.post(f"{self.address}/graphql", **body)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ServerAwayError(f"{self.address} is no address of a server.") from error
        except httpx.TransportError as error:
            if "files" in body and not isinstance(error, httpx.ConnectError):
                raise RefusedError("The server hung up before all was sent; the photo may be too large.") from error
            raise ServerAwayError(f"Nothing answers at {self.address}. Start the server with: make run") from error
        try:
            answer = response.json()
            if answer.get("errors"):
                raise RefusedError(answer["errors"][0]["message"])
            data: dict[str, Any] = answer["data"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            text = f"Something answers at {self.address}, but it is no Darkroom (HTTP {response.status_code})."
            raise ServerAwayError(text) from error
        return data

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator["Watch"]:
        """A socket on which the credits are already subscribed to."""
        url = self.address.replace("http", "ws", 1) + "/graphql"
        try:
            async with websockets.connect(url, subprotocols=[PROTOCOL], proxy=None, max_size=2**24) as connection:
                watch = Watch(connection)
                await watch.open({"Authorization": f"Bearer {self._token}", "locale": self._language})
                await watch.subscribe("credits", CREDITS)
                yield watch
        except (OSError, websockets.WebSocketException) as error:
            raise ServerAwayError(f"The live connection to {self.address} broke: {error}") from error
        except TimeoutError as error:
            raise ServerAwayError(f"The picture is not there after {WATCH_SECONDS} seconds.") from error

    async def save(self, url: str, path: Path) -> None:
        """Download a signed link."""
        try:
            response = await self._http.get(url, headers={"Authorization": ""})  # the link is its own key
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise ServerAwayError(f"The picture could not be fetched: {error}") from error
        await asyncio.to_thread(path.write_bytes, response.content)


class Watch:
    """Subscriptions on one WebSocket."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self._connection = connection

    async def open(self, payload: dict[str, str]) -> None:
        await self._send(type="connection_init", payload=payload)
        await self._next()  # connection_ack; a refusal closes the socket instead

    async def subscribe(self, stream: str, query: str, **variables: Any) -> None:
        await self._send(id=stream, type="subscribe", payload={"query": query, "variables": variables})

    async def until_complete(self, stream: str) -> AsyncIterator[Event]:
        """Messages of all subscriptions, until the server ends `stream`."""
        async with asyncio.timeout(WATCH_SECONDS):
            while True:
                message = await self._next()
                if message["type"] == "complete" and message["id"] == stream:
                    return
                errors = message["payload"] if message["type"] == "error" else None
                if message["type"] == "next":
                    errors = message["payload"].get("errors")
                if errors:
                    raise FailedError(errors[0]["message"])
                if message["type"] == "next":
                    (value,) = message["payload"]["data"].values()
                    yield Event(message["id"], value)

    async def _send(self, **message: Any) -> None:
        await self._connection.send(json.dumps(message))

    async def _next(self) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(await self._connection.recv())
            if message["type"] != "ping":
                return message
            await self._send(type="pong")
