"""A client of the API for tests: GraphQL over HTTP and over a real WebSocket."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import websockets
from PIL import Image, ImageDraw

from models.database.connection import rows

PATIENCE = 20.0  # seconds; far longer than anything takes


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    """Poll until `condition` returns a true value; for state that publishes no event."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - database rows set no event
            await asyncio.sleep(0.01)


async def tasks_ended(name: str) -> None:
    """Wait until the servers of this process have ended their tasks of this name, whether or not they did anything."""
    async with asyncio.timeout(PATIENCE):
        while running := [task for task in asyncio.all_tasks() if task.get_name() == name]:
            await asyncio.wait(running)


def photo(width: int = 320, height: int = 240, format: str = "JPEG", colour: str = "#d08050") -> bytes:
    """Return a small drawing of a face."""
    image = Image.new("RGB", (width, height), "#6080a0")
    pen = ImageDraw.Draw(image)
    pen.ellipse([width * 0.3, height * 0.15, width * 0.7, height * 0.85], fill=colour)
    pen.ellipse([width * 0.42, height * 0.38, width * 0.47, height * 0.45], fill="black")
    pen.ellipse([width * 0.53, height * 0.38, width * 0.58, height * 0.45], fill="black")
    data = io.BytesIO()
    image.save(data, format)
    return data.getvalue()


@dataclass
class Socket:
    """One graphql-transport-ws connection, already acknowledged."""

    connection: websockets.ClientConnection
    ids: int = 0
    inbox: dict[str, asyncio.Queue[dict[str, Any]]] = field(default_factory=dict)
    pongs: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    async def ping(self, **payload: Any) -> Any:
        """Return the payload of the pong."""
        await self.connection.send(json.dumps({"type": "ping", "payload": payload}))
        return await asyncio.wait_for(self.pongs.get(), PATIENCE)

    async def subscribe(self, query: str, **variables: Any) -> "Stream":
        self.ids += 1
        stream = Stream(self, str(self.ids))
        self.inbox[stream.id] = asyncio.Queue()
        payload = {"query": query, "variables": variables}
        await self.connection.send(json.dumps({"id": stream.id, "type": "subscribe", "payload": payload}))
        return stream

    async def read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.connection:
                message = json.loads(text)
                if "id" in message:
                    self.inbox[message["id"]].put_nowait(message)
                elif message["type"] == "pong":
                    self.pongs.put_nowait(message.get("payload"))


@dataclass
class Stream:
    """The messages of one subscription."""

    socket: Socket
    id: str

    async def message(self) -> dict[str, Any]:
        """Return the next raw message: next, error or complete."""
        return await asyncio.wait_for(self.socket.inbox[self.id].get(), PATIENCE)

    async def next(self) -> Any:
        """Return the root field's value in the next event."""
        message = await self.message()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def rest(self) -> list[Any]:
        """Return all values until the server completes the stream."""
        values = []
        while (message := await self.message())["type"] == "next":
            assert "errors" not in message["payload"], message
            values += message["payload"]["data"].values()
        assert message["type"] == "complete", message
        return values

    async def until(self, **wanted: Any) -> Any:
        """Return the first value whose fields equal these."""
        while True:
            value = await self.next()
            if all(value.get(name) == expected for name, expected in wanted.items()):
                return value

    async def stop(self) -> None:
        await self.socket.connection.send(json.dumps({"id": self.id, "type": "complete"}))


@dataclass
class Api:
    """A client of one server; `token` signs it in."""

    http: httpx.AsyncClient
    address: str
    token: str | None = None
    user: dict[str, Any] = field(default_factory=dict)

    def headers(self, **more: str) -> dict[str, str]:
        return {**({"authorization": f"Bearer {self.token}"} if self.token else {}), **more}

    async def raw(self, query: str, files: dict[str, Any] | None = None, headers: dict[str, str] | None = None,
                  **variables: Any) -> httpx.Response:  # fmt: skip
        """POST one operation; `files`: path within the variables -> bytes, or (name, bytes, type)."""
        operation = {"query": query, "variables": variables}
        if not files:
            return await self.http.post("/graphql", json=operation, headers=self.headers(**(headers or {})))
        for path in files:
            target = variables
            *steps, last = path.split(".")
            for step in steps:
                target = target[step]
            target[last] = None
        form = {
            "operations": json.dumps(operation),
            "map": json.dumps({str(number): [f"variables.{path}"] for number, path in enumerate(files)}),
        }
        parts = {
            str(number): file if isinstance(file, tuple) else (f"photo-{number}.jpg", file, "image/jpeg")
            for number, file in enumerate(files.values())
        }
        return await self.http.post("/graphql", data=form, files=parts, headers=self.headers(**(headers or {})))

    async def execute(self, query: str, files: dict[str, Any] | None = None, **variables: Any) -> Any:
        """Execute an operation that must succeed, and return its `data`."""
        response = await self.raw(query, files, **variables)
        body = response.json()
        assert response.status_code == 200, body
        assert "errors" not in body, body
        return body["data"]

    async def is_signed_in(self) -> bool:
        """Whether the token works; if not, that is what the response says."""
        body = (await self.raw("{ viewer { id } }")).json()
        codes = [error["extensions"]["code"] for error in body.get("errors", [])]
        assert codes in ([], ["UNAUTHENTICATED"]), body
        return not codes and body["data"]["viewer"] is not None

    async def one(self, query: str, files: dict[str, Any] | None = None, **variables: Any) -> Any:
        """Execute an operation that must succeed, and return the value of its only root field."""
        (value,) = (await self.execute(query, files, **variables)).values()
        return value

    async def refused(self, query: str, files: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
        """Execute an operation that must fail, and return its only error: a GraphQL error, or one in the payload."""
        body = (await self.raw(query, files, **variables)).json()
        if "errors" in body:
            (error,) = body["errors"]
            return {"code": error["extensions"]["code"], "message": error["message"], **error["extensions"]}
        (value,) = body["data"].values()
        (error,) = value["errors"]
        return dict(error)

    async def sign_up(self, email: str = "ada@example.com", password: str = "correct horse", **more: Any) -> "Api":
        """Create an account and return a client signed in to it."""
        made = await self.one(SIGN_UP, input={"email": email, "password": password, **more})
        assert made["errors"] == [], made
        return Api(self.http, self.address, made["token"], made["user"])

    async def another_session(self, password: str = "correct horse") -> "Api":
        """Sign the account in once more; return a client with that session."""
        query = "mutation($input: SignInInput!) { signIn(input: $input) { token } }"
        made = await self.one(query, input={"email": self.user["email"], "password": password})
        return replace(self, token=made["token"])

    async def verify_address(self) -> None:
        """Mark the account's address as verified, as API keys and exports require, without a mail."""
        changed = "UPDATE users SET email_verified = TRUE, owner_proven = TRUE WHERE id = $1 RETURNING id"
        assert await rows(changed, self.user["id"])

    async def style(self, slug: str, collection: str) -> str:
        """Return a style's id."""
        found = await self.one(
            "query($slug: String!, $collection: String) { style(slug: $slug, collection: $collection) { id } }",
            slug=slug,
            collection=collection,
        )
        return str(found["id"])

    async def create(self, image: bytes | None = None, **input: Any) -> Any:
        """Call createGeneration and return its payload."""
        files = {"input.image": image} if image is not None else None
        return await self.one(CREATE, files, input=input)

    async def generation(self, id: str) -> Any:
        """Return one of the user's generations, with all fields."""
        found = await self.one("query($id: ID!) { viewer { generation(id: $id) {" + GENERATION + "} } }", id=id)
        return found["generation"]

    async def wait_for_end(self, id: str) -> Any:
        """Follow a generation until it has ended, by subscription, and return it."""
        async with self.socket() as socket:
            stream = await socket.subscribe(PROGRESS, id=id)
            await stream.rest()
        return await self.generation(id)

    async def wait_for_all(self, ids: list[str]) -> list[Any]:
        """Follow generations until all have ended and return them in this order; at most 20, as they share a socket."""
        async with self.socket() as socket:
            for stream in [await socket.subscribe(PROGRESS, id=id) for id in ids]:
                await stream.rest()
        return [await self.generation(id) for id in ids]

    async def credits(self) -> int:
        return int((await self.one("{ viewer { credits } }"))["credits"])

    async def ledger(self) -> list[dict[str, Any]]:
        """Return all ledger lines, oldest first."""
        query = "{ viewer { transactions(last: 100) { nodes { sequence type amount balance generation { id } } } } }"
        return list(reversed((await self.one(query))["transactions"]["nodes"]))

    @contextlib.asynccontextmanager
    async def socket(self, **payload: Any) -> AsyncIterator[Socket]:
        """Open an acknowledged socket, signed in as this client unless the payload says otherwise."""
        if self.token and not payload:
            payload = {"Authorization": f"Bearer {self.token}"}
        url = self.address.replace("http", "ws", 1) + "/graphql"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as connection:
            await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(await connection.recv())["type"] == "connection_ack"
            socket = Socket(connection)
            reader = asyncio.create_task(socket.read())
            try:
                yield socket
            finally:
                reader.cancel()


SIGN_UP = """
mutation($input: SignUpInput!) {
  signUp(input: $input) { token expiresAt user { id email credits version locale name } errors { code message field } }
}"""

GENERATION = """
id status stage progress message version attempts cost refunded paidBy errorCode errorMessage provider model prompt
styleTitle size quality aspectRatio variables batchId createdAt startedAt completedAt previewUrl
original { id url byteSize contentType width height placeholder thumbnailUrl downloadUrl }
result { id url byteSize contentType width height placeholder thumbnailUrl downloadUrl }
"""

CREATE = f"""
mutation($input: CreateGenerationInput!) {{
  createGeneration(input: $input) {{
    generations {{ {GENERATION} }}
    viewer {{ credits version }}
    errors {{ code message field ... on InsufficientCreditsError {{ required balance }} }}
  }}
}}"""

REGENERATE = f"""
mutation($input: RegenerateInput!) {{
  regenerate(input: $input) {{
    generations {{ {GENERATION} parent {{ id }} }}
    viewer {{ credits version }}
    errors {{ code message field ... on InsufficientCreditsError {{ required balance }} }}
  }}
}}"""

REFINE = f"""
mutation($input: RefineGenerationInput!) {{
  refineGeneration(input: $input) {{
    generations {{ {GENERATION} parent {{ id }} }}
    viewer {{ credits version }}
    errors {{ code message field ... on InsufficientCreditsError {{ required balance }} }}
  }}
}}"""

CANCEL = f"""
mutation($id: ID!) {{
  cancelGeneration(id: $id) {{ generation {{ {GENERATION} }} errors {{ code message field }} }}
}}"""

PROGRESS = f"subscription($id: ID!) {{ generationProgress(id: $id) {{ {GENERATION} }} }}"

CREDITS = """
subscription($after: ID) {
  creditsChanged(after: $after) { credits version transaction { id sequence type amount balance } }
}"""
