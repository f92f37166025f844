"""People who go on ordering while the server dies under them, ask again when no answer came, and forget nothing."""

import asyncio
import io
import random
import secrets
import zipfile
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.client import Api, photo

PHOTOS = (photo(96, 72), photo(64, 96, "PNG"))
AHEAD = 0.4  # the share of photos that are sent ahead
CANCELS = 0.3  # the share of orders that people call off
AGAINS, MARKS, DELETES, EXPORTS, LEAVES = 0.25, 0.3, 0.35, 0.3, 0.15  # of orders after which people do these
FINAL = ("COMPLETED", "FAILED", "CANCELED")
AGAIN = ("INTERNAL", "UNAVAILABLE", "UPLOAD_FAILED")  # answers after which a client asks once more, with the same key
ORDER = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } }
}"""
ANNOUNCE = """
mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id url fields } errors { code } }
}"""
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { generation { status } errors { code } } }"
REGENERATE = """
mutation($input: RegenerateInput!) { regenerate(input: $input) { generations { id } errors { code } } }"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { generation { id } errors { code } } }"
SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { id } errors { code } } }"
EXPORT = "mutation { requestDataExport { dataExport { url } errors { code } } }"
LEAVE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code } } }"
SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { token user { id } errors { code } } }"
PASSWORD = "correct horse"
LOOK = "query($id: ID!) { viewer { generation(id: $id) { status } } }"


@dataclass
class Sale:
    """One order under one idempotency key, and every answer that it got."""

    input: dict[str, Any]
    image: bytes | None = None
    query: str = ORDER
    ahead: bool = False  # the picture is sent ahead
    answers: list[list[str]] = field(default_factory=list)  # generation ids

    @property
    def key(self) -> str:
        return str(self.input["idempotencyKey"])


class Customer:
    """One person at one of their devices."""

    def __init__(self, api: Api, styles: list[str], dice: random.Random, cancels: float = CANCELS) -> None:
        self._api = api
        self._cancels = cancels
        self._styles = styles
        self._dice = dice
        self.sales: list[Sale] = []
        self.told: dict[str, str] = {}  # generation -> the final status that this person was shown
        self.reversals: list[str] = []  # generations that were shown with two different ends
        self.deleted: set[str] = set()  # what this person was told is gone
        self.left: list[str] = []  # accounts that this person was told are gone
        self.exports = 0  # fetched and found whole
        self.unanswered = 0
        self.refused = 0

    async def shop(self, closing: asyncio.Event) -> None:
        """Order until the shop closes; every order is brought to its answer first."""
        while not closing.is_set():
            style = self._dice.choice([None, *self._styles])
            sale = Sale(
                {
                    "styleId": style,
                    "prompt": "a quiet street" if style is None else None,
                    "count": self._dice.choice((1, 1, 2)),
                    "idempotencyKey": f"{self._dice.getrandbits(64):x}",
                },
                None if style is None else self._dice.choice(PHOTOS),
                ahead=style is not None and self._dice.random() < AHEAD,
            )
            self.sales.append(sale)
            await self._order(sale)
            if self._dice.random() < self._cancels:
                await asyncio.sleep(self._dice.uniform(0, 0.2))
                await self._cancel(sale.answers[0][0])
            if self._dice.random() < 0.15:
                await self._order(sale)
            await self._wait(sale.answers[0])
            await self._live_on(sale)

    async def _live_on(self, bought: Sale) -> None:
        """What people do with pictures when they are there, or are still being made."""
        ids, dice = bought.answers[0], self._dice
        first = ids[0]
        if dice.random() < AGAINS:
            varied = self.told.get(first) == "COMPLETED" and dice.random() < 0.5
            key = f"{dice.getrandbits(64):x}"
            sale = Sale({"id": first, "asVariation": varied, "count": 1, "idempotencyKey": key}, query=REGENERATE)
            self.sales.append(sale)
            await self._order(sale)
        if dice.random() < MARKS:
            await self._ask(FAVORITE, None, id=first)
            if self.told.get(first) == "COMPLETED":
                await self._ask(SHARE, None, id=first)
        if dice.random() < DELETES:
            await self._delete(ids)
            await self._order(bought)  # by its key, and what was made is gone
        if dice.random() < EXPORTS:
            await self._export()
        if dice.random() < LEAVES:
            await self._come_and_go()

    async def _delete(self, ids: list[str]) -> None:
        """Whatever is answered: what was wanted gone is gone, and is not shown any more."""
        value = await self._ask(DELETE, None, ids=ids)
        assert {error["code"] for error in value["errors"]} <= {"NOT_FOUND"}, value
        self.deleted.update(ids)
        for id in ids:
            if (await self._ask(LOOK, None, id=id))["generation"] is not None:
                self.reversals.append(id)

    async def _export(self) -> None:
        value = await self._ask(EXPORT, None)
        assert value["errors"] == [], value
        if (url := value["dataExport"]["url"]) is None:
            return
        try:
            answer = await self._api.http.get(url)
        except httpx.TransportError:
            self.unanswered += 1
            return
        if answer.status_code != 404:  # its time is over, or was in this moment
            assert answer.status_code == 200, answer.text
            assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
            self.exports += 1

    async def _come_and_go(self) -> None:
        """An account of a short life, deleted with what it has, a picture under way among that."""
        email = f"guest-{secrets.token_hex(8)}@example.com"
        made = await self._ask(SIGN_UP, None, input={"email": email, "password": PASSWORD})
        if made["errors"]:  # it was made, and nobody was told
            assert [error["code"] for error in made["errors"]] == ["CONFLICT"], made
            return
        guest = Customer(Api(self._api.http, self._api.address, made["token"]), self._styles, self._dice)
        for _ in range(2):
            await guest._ask(ORDER, None, input={"prompt": "a farewell", "idempotencyKey": secrets.token_hex(8)})
        leave = {"password": PASSWORD, "confirmEmail": email}
        await guest._ask(LEAVE, None, input=leave)  # UNAUTHENTICATED: it was done, and nobody was told
        self.left.append(made["user"]["id"])
        self.unanswered, self.refused = self.unanswered + guest.unanswered, self.refused + guest.refused

    async def _order(self, sale: Sale) -> None:
        files = {"input.image": sale.image} if sale.image and not sale.ahead else None
        if sale.ahead and "uploadId" not in sale.input:
            await self._send_ahead(sale)
        value = await self._ask(sale.query, files, input=sale.input)
        while sale.ahead and [error["code"] for error in value["errors"]] == ["NOT_FOUND"]:
            # The picture's time was over before a server lived long enough to sell.
            await self._send_ahead(sale)
            value = await self._ask(ORDER, files, input=sale.input)
        assert value["errors"] == [], value
        sale.answers.append([generation["id"] for generation in value["generations"]])

    async def _send_ahead(self, sale: Sale) -> None:
        """Have the picture there, whoever dies meanwhile; a target that takes nothing any more is asked for anew."""
        assert sale.image is not None
        input = {"contentType": "image/jpeg", "byteSize": len(sale.image), "idempotencyKey": sale.key}
        while True:
            value = await self._ask(ANNOUNCE, None, input=input)
            assert value["errors"] == [], value
            target = value["upload"]
            try:
                sent = await self._api.http.post(target["url"], data=target["fields"], files={"file": sale.image})
            except httpx.TransportError:
                self.unanswered += 1
                continue
            if sent.status_code == 204:
                sale.input["uploadId"] = target["id"]
                return
            assert sent.status_code == 404, sent.text

    async def _cancel(self, generation_id: str) -> None:
        value = await self._ask(CANCEL, None, id=generation_id)
        if value["errors"]:
            assert [error["code"] for error in value["errors"]] == ["CONFLICT"], value
        else:
            self._see(generation_id, value["generation"]["status"])

    async def _wait(self, generation_ids: list[str]) -> None:
        """Look from time to time, and not for ever: the next order shall not wait for a dead worker's lease."""
        for generation_id in generation_ids:
            for _ in range(8):
                value = await self._ask(LOOK, None, id=generation_id)
                self._see(generation_id, value["generation"]["status"])
                if generation_id in self.told:
                    break
                await asyncio.sleep(0.08)

    def _see(self, generation_id: str, status: str) -> None:
        if status in FINAL and self.told.setdefault(generation_id, status) != status:
            self.reversals.append(generation_id)

    async def _ask(self, query: str, files: dict[str, bytes] | None, **variables: Any) -> Any:
        """The value of the only root field, asked for until there is an answer."""
        while True:
            try:
                body = (await self._api.raw(query, files, **variables)).json()
            except httpx.TransportError:
                self.unanswered += 1
                continue
            value = next(iter(body["data"].values())) if body.get("data") else {}
            errors = body.get("errors") or value.get("errors") or []
            codes = [error.get("code") or error["extensions"]["code"] for error in errors]
            if not any(code in AGAIN for code in codes):
                assert "errors" not in body or codes == ["UNAUTHENTICATED"], body
                return value
            self.refused += 1
            await asyncio.sleep(0.02)
