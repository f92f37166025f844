"""Load of the crash campaigns: customers that retry every request until it is answered, and record every response."""

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
UPLOAD_RATE = 0.4  # the share of photos that are uploaded before the request
VIDEO_RATE = 0.6  # the share of requests without a style that are for a video
CANCEL_RATE = 0.3  # the share of batches that are canceled
# The shares of batches after which a customer does this.
REGENERATE_RATE, FAVORITE_RATE, DELETE_RATE, EXPORT_RATE, DELETE_ACCOUNT_RATE = 0.25, 0.3, 0.35, 0.3, 0.15
MERGE_RATE = 0.2
REUSE_RATE, PICTURE_RATE = 0.3, 0.3  # of completed generations
FINAL = ("COMPLETED", "FAILED", "CANCELED")
RETRYABLE = ("INTERNAL", "UNAVAILABLE", "UPLOAD_FAILED")  # retried with the same idempotency key
CREATE = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } }
}"""
CREATE_UPLOAD = """
mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id url fields } errors { code } }
}"""
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { generation { status } errors { code } } }"
REGENERATE = """
mutation($input: RegenerateInput!) { regenerate(input: $input) { generations { id } errors { code } } }"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { generation { id } errors { code } } }"
SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { id } errors { code } } }"
CREATE_STYLE = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { code } } }"
SET_PICTURE = """
mutation($input: SetStylePictureInput!) { setStylePicture(input: $input) { style { previewUrl } errors { code } } }"""
EXPORT = "mutation { requestDataExport { dataExport { url } errors { code } } }"
DELETE_ACCOUNT = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code } } }"
SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { token user { id } errors { code } } }"
CREATE_GUEST = "mutation { createGuest { token user { id } errors { code } } }"
MERGE_TOKEN = "mutation { createMergeToken { token errors { code } } }"
MERGE_GUEST = "mutation($token: String!) { mergeGuest(token: $token) { movedGenerations errors { code } } }"
PASSWORD = "correct horse"
READ_STATUS = "query($id: ID!) { viewer { generation(id: $id) { status } } }"


@dataclass
class Submission:
    """One request under one idempotency key, and every response to it."""

    input: dict[str, Any]
    image: bytes | None = None
    query: str = CREATE
    upload_first: bool = False  # whether the picture is uploaded before the request
    responses: list[list[str]] = field(default_factory=list)  # generation ids

    @property
    def is_video(self) -> bool:
        return self.input.get("media") == "VIDEO"

    @property
    def key(self) -> str:
        return str(self.input["idempotencyKey"])


class Customer:
    """One account on one device."""

    def __init__(self, api: Api, styles: list[str], rng: random.Random, cancel_rate: float = CANCEL_RATE) -> None:
        self._api = api
        self._cancel_rate = cancel_rate
        self._styles = styles
        self._rng = rng
        self.submissions: list[Submission] = []
        self.final_statuses: dict[str, str] = {}  # generation -> the final status in a response
        self.reversals: list[str] = []  # generations with two different final statuses in responses
        self.deleted: set[str] = set()  # generations whose deletion was confirmed
        self.deleted_accounts: list[str] = []  # accounts whose deletion was confirmed
        self.merged_guests: list[str] = []  # guests whose merge was confirmed
        self.exports = 0  # downloaded and intact
        self.unanswered = 0
        self.refused = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Create batches until `stopping` is set; every request is retried until it is answered."""
        while not stopping.is_set():
            submission = self._new_submission()
            self.submissions.append(submission)
            await self._send(submission)
            if self._rng.random() < self._cancel_rate:
                await asyncio.sleep(self._rng.uniform(0, 0.2))
                await self._cancel(submission.responses[0][0])
            if self._rng.random() < 0.15:
                await self._send(submission)
            await self._wait(submission.responses[0])
            await self._use_results(submission)

    def _new_submission(self) -> Submission:
        rng = self._rng
        style, key = rng.choice([None, *self._styles]), f"{rng.getrandbits(64):x}"
        if style is None and rng.random() < VIDEO_RATE:
            # Of one generation only, so that the provider's jobs can be counted by prompt.
            input: dict[str, Any] = {"prompt": f"a quiet street, number {key}", "media": "VIDEO", "count": 1}
            return Submission({**input, "idempotencyKey": key})
        return Submission(
            {
                "styleId": style,
                "prompt": "a quiet street" if style is None else None,
                "count": rng.choice((1, 1, 2)),
                "idempotencyKey": key,
            },
            None if style is None else rng.choice(PHOTOS),
            upload_first=style is not None and rng.random() < UPLOAD_RATE,
        )

    async def _use_results(self, batch: Submission) -> None:
        """Reuse, regenerate, favorite, share, delete and export, whether the batch has ended or not."""
        ids, rng = batch.responses[0], self._rng
        first = ids[0]
        if rng.random() < REGENERATE_RATE and not batch.is_video:
            as_variation = self.final_statuses.get(first) == "COMPLETED" and rng.random() < 0.5
            key = f"{rng.getrandbits(64):x}"
            input = {"id": first, "asVariation": as_variation, "count": 1, "idempotencyKey": key}
            submission = Submission(input, query=REGENERATE)
            self.submissions.append(submission)
            await self._send(submission)
        if rng.random() < FAVORITE_RATE:
            await self._execute(FAVORITE, None, id=first)
            if self.final_statuses.get(first) == "COMPLETED":
                await self._execute(SHARE, None, id=first)
        if self.final_statuses.get(first) == "COMPLETED":
            if rng.random() < PICTURE_RATE:
                await self._set_picture(first)
            if rng.random() < REUSE_RATE:
                await self._reuse(batch)
        if rng.random() < DELETE_RATE:
            await self._delete(ids)
            await self._send(batch)  # an idempotent replay after the deletion
        if rng.random() < EXPORT_RATE:
            await self._export()
        if rng.random() < DELETE_ACCOUNT_RATE:
            await self._delete_temporary_account()
        if rng.random() < MERGE_RATE:
            await self._merge_guest()

    async def _reuse(self, batch: Submission) -> None:
        """Order the result of a batch again; the account's other device may have deleted it."""
        given = {name: value for name, value in batch.input.items() if name != "uploadId"}
        changes = {"count": 1, "reuseResult": True, "idempotencyKey": f"{self._rng.getrandbits(64):x}"}
        submission = Submission(given | changes, batch.image)
        files = {"input.image": batch.image} if batch.image else None
        value = await self._execute(CREATE, files, input=submission.input)
        if value["errors"]:
            assert [error["code"] for error in value["errors"]] == ["CONFLICT"], value
            return
        submission.responses.append([generation["id"] for generation in value["generations"]])
        self.submissions.append(submission)
        await self._send(submission)

    async def _set_picture(self, generation_id: str) -> None:
        """Give the account's custom style another picture, or none; the generation may have been deleted."""
        own = {"title": "Own", "prompt": "Rain.", "idempotencyKey": "own"}
        style = (await self._execute(CREATE_STYLE, None, input=own))["style"]
        wanted = generation_id if self._rng.random() < 0.8 else None
        value = await self._execute(SET_PICTURE, None, input={"styleId": style["id"], "generationId": wanted})
        assert {error["code"] for error in value["errors"]} <= {"NOT_FOUND"}, value

    async def _delete(self, ids: list[str]) -> None:
        """Delete generations; with any response, they must no longer be visible."""
        value = await self._execute(DELETE, None, ids=ids)
        assert {error["code"] for error in value["errors"]} <= {"NOT_FOUND"}, value
        self.deleted.update(ids)
        for id in ids:
            if (await self._execute(READ_STATUS, None, id=id))["generation"] is not None:
                self.reversals.append(id)

    async def _export(self) -> None:
        value = await self._execute(EXPORT, None)
        if [error["code"] for error in value["errors"]] == ["UNAVAILABLE"]:  # three workers were killed with it
            return
        assert value["errors"] == [], value
        if (url := value["dataExport"]["url"]) is None:
            return
        try:
            response = await self._api.http.get(url)
        except httpx.TransportError:
            self.unanswered += 1
            return
        if response.status_code != 404:  # the export has expired
            assert response.status_code == 200, response.text
            assert zipfile.ZipFile(io.BytesIO(response.content)).testzip() is None
            self.exports += 1

    async def _merge_guest(self) -> None:
        """Make a guest with a generation, and merge it into this account once the generation has ended."""
        made = await self._execute(CREATE_GUEST, None)
        assert made["errors"] == [], made
        guest = Customer(Api(self._api.http, self._api.address, made["token"]), self._styles, self._rng)
        order = {"prompt": "a sunset", "idempotencyKey": secrets.token_hex(8)}
        (generation,) = (await guest._execute(CREATE, None, input=order))["generations"]
        token = (await guest._execute(MERGE_TOKEN, None))["token"]
        await guest._wait([generation["id"]])
        if generation["id"] not in guest.final_statuses:
            await guest._cancel(generation["id"])
        merged = await self._execute(MERGE_GUEST, None, token=token)
        codes = [error["code"] for error in merged["errors"]]
        # INVALID_INPUT means that the guest was merged, but the response was lost.
        assert codes in ([], ["INVALID_INPUT"]), merged
        self.merged_guests.append(made["user"]["id"])
        self.unanswered, self.refused = self.unanswered + guest.unanswered, self.refused + guest.refused

    async def _delete_temporary_account(self) -> None:
        """Sign up a temporary account, create generations, and delete the account while they are in progress."""
        email = f"temporary-{secrets.token_hex(8)}@example.com"
        made = await self._execute(SIGN_UP, None, input={"email": email, "password": PASSWORD})
        if made["errors"]:  # the account was created, but the response was lost
            assert [error["code"] for error in made["errors"]] == ["CONFLICT"], made
            return
        temporary = Customer(Api(self._api.http, self._api.address, made["token"]), self._styles, self._rng)
        for _ in range(2):
            await temporary._execute(CREATE, None, input={"prompt": "a sunset", "idempotencyKey": secrets.token_hex(8)})
        confirmation = {"password": PASSWORD, "confirmEmail": email}
        # UNAUTHENTICATED means that the account was deleted, but the response was lost.
        await temporary._execute(DELETE_ACCOUNT, None, input=confirmation)
        self.deleted_accounts.append(made["user"]["id"])
        self.unanswered, self.refused = self.unanswered + temporary.unanswered, self.refused + temporary.refused

    async def _send(self, submission: Submission) -> None:
        files = {"input.image": submission.image} if submission.image and not submission.upload_first else None
        if submission.upload_first and "uploadId" not in submission.input:
            await self._upload(submission)
        value = await self._execute(submission.query, files, input=submission.input)
        while submission.upload_first and [error["code"] for error in value["errors"]] == ["NOT_FOUND"]:
            # The upload expired before a server lived long enough to accept the request.
            await self._upload(submission)
            value = await self._execute(CREATE, files, input=submission.input)
        assert value["errors"] == [], value
        submission.responses.append([generation["id"] for generation in value["generations"]])

    async def _upload(self, submission: Submission) -> None:
        """Upload the picture, however often a server is killed; request a new target when the old one has expired."""
        assert submission.image is not None
        input = {"contentType": "image/jpeg", "byteSize": len(submission.image), "idempotencyKey": submission.key}
        while True:
            value = await self._execute(CREATE_UPLOAD, None, input=input)
            assert value["errors"] == [], value
            target = value["upload"]
            try:
                sent = await self._api.http.post(target["url"], data=target["fields"], files={"file": submission.image})
            except httpx.TransportError:
                self.unanswered += 1
                continue
            if sent.status_code == 204:
                submission.input["uploadId"] = target["id"]
                return
            assert sent.status_code == 404, sent.text

    async def _cancel(self, generation_id: str) -> None:
        value = await self._execute(CANCEL, None, id=generation_id)
        if value["errors"]:
            assert [error["code"] for error in value["errors"]] == ["CONFLICT"], value
        else:
            self._record_status(generation_id, value["generation"]["status"])

    async def _wait(self, generation_ids: list[str]) -> None:
        """Poll the generations for a while; do not wait for the lease of a killed worker to expire."""
        for generation_id in generation_ids:
            for _ in range(8):
                value = await self._execute(READ_STATUS, None, id=generation_id)
                self._record_status(generation_id, value["generation"]["status"])
                if generation_id in self.final_statuses:
                    break
                await asyncio.sleep(0.08)

    def _record_status(self, generation_id: str, status: str) -> None:
        if status in FINAL and self.final_statuses.setdefault(generation_id, status) != status:
            self.reversals.append(generation_id)

    async def _execute(self, query: str, files: dict[str, bytes] | None, **variables: Any) -> Any:
        """Return the value of the only root field; retry until there is a response."""
        while True:
            try:
                body = (await self._api.raw(query, files, **variables)).json()
            except httpx.TransportError:
                self.unanswered += 1
                continue
            value = next(iter(body["data"].values())) if body.get("data") else {}
            errors = body.get("errors") or value.get("errors") or []
            codes = [error.get("code") or error["extensions"]["code"] for error in errors]
            # No export is begun for a while after one that was given up.
            is_final = query == EXPORT and "errors" not in body
            if is_final or not any(code in RETRYABLE for code in codes):
                assert "errors" not in body or codes == ["UNAUTHENTICATED"], body
                return value
            self.refused += 1
            await asyncio.sleep(0.02)
