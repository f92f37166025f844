"""The demo's API client: GraphQL over HTTP with an upload, and two subscriptions on one WebSocket."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import websockets

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
REQUEST_TIMEOUT = 30  # seconds
GENERATION_TIMEOUT = 180  # seconds; the server's own deadline is much shorter

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
    generation(id: $id) {
      provider model enhancedPrompt original { url contentType }
      result { url contentType width height durationSeconds posterUrl }
    }
  }
}"""


class DemoError(Exception):
    """The demo ends early; the message is for the user, the class sets the exit code."""

    exit_code = 1


class UnreachableError(DemoError):
    """The server cannot be reached, or is not a Darkroom server."""


class InsufficientCreditsError(DemoError):
    """The account has too few credits."""

    exit_code = 3


class RefusedError(DemoError):
    """The server refused the request, usually because of the photo."""

    exit_code = 4


class FailedError(DemoError):
    """The generation failed."""

    exit_code = 5


@dataclass(frozen=True)
class Event:
    """One message of a subscription."""

    stream: str  # "progress" or "credits"
    value: dict[str, Any]


class DemoApi:
    """A client of one server, authenticated after `sign_up`."""

    def __init__(self, address: str, language: str) -> None:
        self.address = address.rstrip("/")
        self._language = language
        self._token = ""
        # Without the environment's proxy: the server is usually local.
        self._http = httpx.AsyncClient(
            headers={"Accept-Language": language}, timeout=REQUEST_TIMEOUT, trust_env=False, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def sign_up(self) -> dict[str, Any]:
        """Create an account with a random address, and stay signed in."""
        account = {
            "email": f"demo-{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(12),
            "name": "Demo",
        }
        made = (await self.execute(SIGN_UP, input=account))["signUp"]
        if made["errors"]:
            raise RefusedError(made["errors"][0]["message"])
        self._token = made["token"]
        self._http.headers["Authorization"] = f"Bearer {self._token}"
        user: dict[str, Any] = made["user"]
        return user

    async def create(self, photo: tuple[str, bytes] | None, **input: Any) -> str:
        """Create a generation and return its id; `photo` is a file name and its bytes."""
        operation = {"query": CREATE, "variables": {"input": {**input, "image": None}}}
        if photo is None:
            payload = await self._post(json=operation)
        else:
            form = {"operations": json.dumps(operation), "map": json.dumps({"photo": ["variables.input.image"]})}
            name, data = photo
            payload = await self._post(data=form, files={"photo": (name, data, "application/octet-stream")})
        made = payload["createGeneration"]
        if made["errors"]:
            error = made["errors"][0]
            raise (InsufficientCreditsError if error["code"] == "INSUFFICIENT_CREDITS" else RefusedError)(
                error["message"]
            )
        generation_id: str = made["generations"][0]["id"]
        return generation_id

    async def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send one operation and return its `data`."""
        return await self._post(json={"query": query, "variables": variables})

    async def _post(self, **body: Any) -> dict[str, Any]:
        try:
            response = await self._http.post(f"{self.address}/graphql", **body)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self.address} is not a valid server address.") from error
        except httpx.TransportError as error:
            if "files" in body and not isinstance(error, httpx.ConnectError):
                raise RefusedError(
                    "The server closed the connection during the upload; the photo may be too large."
                ) from error
            raise UnreachableError(f"There is no server at {self.address}. Start it with: make run") from error
        try:
            answer = response.json()
            if answer.get("errors"):
                raise RefusedError(answer["errors"][0]["message"])
            data: dict[str, Any] = answer["data"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            text = f"The server at {self.address} is not a Darkroom server (HTTP {response.status_code})."
            raise UnreachableError(text) from error
        return data

    @contextlib.asynccontextmanager
    async def open_socket(self) -> AsyncIterator["EventSocket"]:
        """Open a socket that is subscribed to the credit balance."""
        url = self.address.replace("http", "ws", 1) + "/graphql"
        try:
            async with websockets.connect(url, subprotocols=[PROTOCOL], proxy=None, max_size=2**24) as connection:
                socket = EventSocket(connection)
                await socket.open({"Authorization": f"Bearer {self._token}", "locale": self._language})
                await socket.subscribe("credits", CREDITS)
                # The present balance: what is charged from now on comes as a line of its own.
                await socket.receive_first("credits")
                yield socket
        except (OSError, websockets.WebSocketException) as error:
            raise UnreachableError(f"The live connection to {self.address} broke: {error}") from error
        except TimeoutError as error:
            raise UnreachableError(f"The generation has not finished after {GENERATION_TIMEOUT} seconds.") from error

    async def save(self, url: str, path: Path) -> None:
        """Download a signed link."""
        try:
            response = await self._http.get(url, headers={"Authorization": ""})  # the link itself authorizes
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise UnreachableError(f"The image could not be downloaded: {error}") from error
        await asyncio.to_thread(path.write_bytes, response.content)


class EventSocket:
    """Subscriptions on one WebSocket."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self._connection = connection

    async def open(self, payload: dict[str, str]) -> None:
        await self._send(type="connection_init", payload=payload)
        await self._next()  # connection_ack; a refusal closes the socket instead

    async def subscribe(self, stream: str, query: str, **variables: Any) -> None:
        await self._send(id=stream, type="subscribe", payload={"query": query, "variables": variables})

    async def receive_first(self, stream: str) -> None:
        """Wait for the first event of the only subscription, `stream`."""
        async with asyncio.timeout(REQUEST_TIMEOUT), contextlib.aclosing(self.until_complete(stream)) as events:
            async for _ in events:
                return

    async def until_complete(self, stream: str) -> AsyncGenerator[Event]:
        """Yield events of all subscriptions until `stream` completes."""
        async with asyncio.timeout(GENERATION_TIMEOUT):
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
