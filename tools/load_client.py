"""The load's client: the operations of an app, each timed and counted by its outcome."""

import asyncio
import io
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets
from PIL import Image, ImageDraw

REQUEST_SECONDS = 30.0  # for one answer
PICTURE_SECONDS = 180.0  # for one generation; the server's own deadline is shorter
_PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
_REFUSALS = {"INSUFFICIENT_CREDITS", "MEMBERSHIP_REQUIRED", "QUOTA_EXCEEDED", "NOT_FOUND", "CONFLICT"}

_SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { token errors { code } } }"
_SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
_STYLES = "{ collections { styles { id media locked referenceImage variables { required default } } } }"
_PAGE = """
{ viewer { credits generations(first: 20) {
  nodes { id status message isFavorite result { url thumbnailUrl } } pageInfo { hasNextPage endCursor }
} } }"""
_QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost } }"
_CREATE = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } }
}"""
_PROGRESS = "subscription($id: ID!) { generationProgress(id: $id) { status progress message } }"
_FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
_DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }"
_DELETE_ACCOUNT = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"


class LimitedError(Exception):
    """The server asked to come back later: HTTP 429 or RATE_LIMITED."""


class RefusedError(Exception):
    """The server declined for a reason of the account: too few credits, a quota."""


class OperationFailedError(Exception):
    """No answer, or one that says that the server could not do it; its text is counted."""


@dataclass
class Timings:
    """What became of one kind of operation: seconds of those that succeeded, and the numbers of the others."""

    seconds: list[float] = field(default_factory=list)
    limited: int = 0
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)  # by code

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time and count the body, whose errors of this module end here."""
        started = time.perf_counter()
        try:
            yield
        except LimitedError:
            self.limited += 1
        except RefusedError:
            self.refused += 1
        except OperationFailedError as error:
            self.failures[str(error)] += 1
        else:
            self.seconds.append(time.perf_counter() - started)


class LoadUser:
    """One account and its pictures. `can_be_deleted`: it was made for the load."""

    def __init__(self, http: httpx.AsyncClient, address: str, email: str, password: str) -> None:
        self._http = http
        self._address = address
        self._email = email
        self._password = password
        self._token = ""
        self.can_be_deleted = False
        self.pictures: list[str] = []  # ids of completed generations

    async def sign_up(self) -> None:
        """Create the account. Raises LimitedError, RefusedError, OperationFailedError."""
        made = await self._one(_SIGN_UP, input={"email": self._email, "password": self._password, "name": "Load"})
        self._token, self.can_be_deleted = made["token"], True

    async def sign_in(self) -> None:
        """Sign in; the session is used from now on. Raises as `sign_up`."""
        made = await self._one(_SIGN_IN, input={"email": self._email, "password": self._password})
        self._token = self._token or made["token"]

    async def styles(self) -> list[str]:
        """Return the ids of styles of images that take a photo and need nothing else. Raises as `sign_up`."""
        found = await self._one(_STYLES)
        styles = [each for one in found for each in one["styles"]]
        return [
            each["id"]
            for each in styles
            if "IMAGE" in each["media"]
            and not each["locked"]
            and each["referenceImage"] != "UNUSED"
            and not any(variable["required"] and not variable["default"] for variable in each["variables"])
        ]

    async def read_page(self) -> None:
        """Read the balance and a page of the gallery. Raises as `sign_up`."""
        await self._one(_PAGE)

    async def quote(self, style: str) -> None:
        """Ask for a price. Raises as `sign_up`."""
        await self._one(_QUOTE, input={"styleId": style})

    async def order(self, style: str, photo: bytes) -> str:
        """Order a picture and return its id. Raises as `sign_up`."""
        operation = {
            "query": _CREATE,
            "variables": {"input": {"styleId": style, "prompt": "A lighthouse at dusk", "image": None}},
        }
        form = {"operations": json.dumps(operation), "map": json.dumps({"photo": ["variables.input.image"]})}
        made = await self._answer(data=form, files={"photo": ("photo.jpg", photo, "image/jpeg")})
        return str(made["generations"][0]["id"])

    async def follow(self, id: str) -> None:
        """Follow a generation to its end on a WebSocket. Raises as `sign_up`; also where it was not completed."""
        try:
            async with asyncio.timeout(PICTURE_SECONDS), self._socket() as socket:
                operation = {"query": _PROGRESS, "variables": {"id": id}}
                await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
                status = await _last_status(socket)
        except websockets.ConnectionClosed as error:
            raise OperationFailedError(f"closed {error.code}") from error
        except (OSError, websockets.WebSocketException) as error:
            raise OperationFailedError(type(error).__name__) from error
        except TimeoutError as error:
            raise OperationFailedError("no end") from error
        if status != "COMPLETED":
            raise OperationFailedError(status)
        self.pictures.append(id)

    async def mark_favorite(self, id: str) -> None:
        """Mark a picture. Raises as `sign_up`."""
        await self._one(_FAVORITE, id=id)

    async def delete(self, id: str) -> None:
        """Delete a picture. Raises as `sign_up`."""
        await self._one(_DELETE, ids=[id])

    async def delete_account(self) -> None:
        """Delete the account with everything in it. Raises as `sign_up`."""
        await self._one(_DELETE_ACCOUNT, input={"password": self._password, "confirmEmail": self._email})

    async def _one(self, query: str, **variables: Any) -> Any:
        return await self._answer(json={"query": query, "variables": variables})

    async def _answer(self, **body: Any) -> Any:
        """Return the value of the only root field."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            response = await self._http.post(f"{self._address}/graphql", headers=headers, **body)
        except httpx.TransportError as error:
            raise OperationFailedError(type(error).__name__) from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise LimitedError
        try:
            answer = response.json()
        except ValueError as error:
            raise OperationFailedError(f"HTTP {response.status_code}") from error
        _raise_for([error.get("extensions", {}).get("code", "ERROR") for error in answer.get("errors") or []])
        if not answer.get("data"):
            raise OperationFailedError(f"HTTP {response.status_code}")
        (value,) = answer["data"].values()
        if isinstance(value, dict):
            _raise_for([error["code"] for error in value.get("errors") or []])
        return value

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[websockets.ClientConnection]:
        url = self._address.replace("http", "ws", 1) + "/graphql"
        async with websockets.connect(url, subprotocols=[_PROTOCOL], proxy=None, max_size=2**24) as socket:
            payload = {"Authorization": f"Bearer {self._token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            await socket.recv()
            yield socket


async def _last_status(socket: websockets.ClientConnection) -> str:
    status = "none"
    while True:
        message = json.loads(await socket.recv())
        if message["type"] == "ping":
            await socket.send(json.dumps({"type": "pong"}))
        elif message["type"] == "complete":
            return status
        else:
            payload = message["payload"]
            errors = payload if message["type"] == "error" else payload.get("errors") or []
            _raise_for([error.get("extensions", {}).get("code", "ERROR") for error in errors])
            (value,) = payload["data"].values()
            status = value["status"]


def _raise_for(codes: list[str]) -> None:
    if not codes:
        return
    if codes[0] == "RATE_LIMITED":
        raise LimitedError
    raise (RefusedError if codes[0] in _REFUSALS else OperationFailedError)(codes[0])


def new_user(http: httpx.AsyncClient, address: str) -> LoadUser:
    """Return a user with a random address, not signed up yet."""
    return LoadUser(http, address, f"load-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(12))


def draw_photo(rng: random.Random, side: int = 640) -> bytes:
    """Return a JPEG that no earlier order had, so that no result is reused."""
    image = Image.new("RGB", (side, side * 3 // 4), tuple(rng.choices(range(256), k=3)))
    pen = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, size = rng.randrange(side), rng.randrange(side), rng.randrange(20, 120)
        pen.ellipse([x, y, x + size, y + size], fill=tuple(rng.choices(range(256), k=3)))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=88)
    return data.getvalue()
