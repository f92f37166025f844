"""Generations, from a person's side: asking for one, looking at it, calling it off."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from models import Generation, Style, User, ids
from models.database import run_tx
from models.enum import FileKind, GenerationStatus, MediaKind, Quality, ReferenceImage, Size
from services import credit, file, idempotency
from services.cancellation import call_off
from services.crashpoint import crashpoint
from services.credit import Account
from services.error import (
    ConflictError,
    InsufficientCreditsError,
    InvalidInputError,
    MembershipRequiredError,
    NotFoundError,
)
from services.event import Events
from services.file import FileService
from services.integrations.image_door import CleanImage
from services.integrations.queue import TaskQueue
from services.message import message
from services.profile import Limits
from services.prompt import check_prompt, check_variables, render_prompt
from services.style import StyleService, is_locked, price, prompt_of, variables_of
from services.upload import UploadService

OPERATION = "createGeneration"
_RATIO = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)")
_WIDEST = 4.0  # the longer side against the shorter


@dataclass(frozen=True)
class GenerationRequest:
    """What a person asks for, as it came; `image` is the raw picture."""

    style_id: str | None = None
    prompt: str | None = None
    image: bytes | None = None
    upload_id: str | None = None  # or sent ahead
    variables: object = None
    size: Size = Size.MEDIUM
    quality: Quality = Quality.STANDARD
    aspect_ratio: str | None = None
    media: MediaKind = MediaKind.IMAGE
    count: int = 1
    model: str | None = None
    idempotency_key: str | None = None

    @property
    def has_photo(self) -> bool:
        return self.image is not None or self.upload_id is not None


def search_text(generation_id: str, prompt: str | None, style_title: Mapping[str, str]) -> str:
    """What a search looks through, case-folded: each text on a line of its own."""
    return "\n".join([*([prompt] if prompt else []), *style_title.values(), generation_id]).casefold()


@dataclass(frozen=True)
class _Order:
    """A request that passed every check: the row that each of its pictures becomes, and what it costs."""

    style: Style
    request: GenerationRequest
    variables: dict[str, str]
    full_prompt: str
    cost: int  # credits for one picture
    priority: int


def _check_aspect_ratio(aspect_ratio: str | None) -> None:
    if aspect_ratio is None:
        return
    sides = _RATIO.fullmatch(aspect_ratio)
    if sides is None or not 1 / _WIDEST <= int(sides[1]) / int(sides[2]) <= _WIDEST:
        text = message("An aspect ratio looks like 3:2 and is at most 4:1.")
        raise InvalidInputError(text, field=("aspectRatio",))


class GenerationService:
    """Takes orders, and calls them off."""

    def __init__(
        self,
        styles: StyleService,
        files: FileService,
        queue: TaskQueue,
        events: Events,
        limits: Limits,
        uploads: UploadService,
    ) -> None:
        self._styles = styles
        self._files = files
        self._uploads = uploads
        self._queue = queue
        self._events = events
        self._limits = limits

    async def create(self, user: User, request: GenerationRequest) -> list[Generation]:
        """Check, store the photo, take the credits and write the rows in one transaction, then ring for a worker.

        The same idempotency key with the same input returns what it made the first time.

        Raises:
            InvalidInputError, NotFoundError, MembershipRequiredError, InsufficientCreditsError, ConflictError,
            UploadFailedError, UnavailableError: nothing is stored and nothing is spent.
        """
        fingerprint = idempotency.fingerprint(request)
        if (replayed := await self._replay(user.id, request.idempotency_key, fingerprint)) is not None:
            return replayed  # without those that were deleted since
        order = await self._check(user, request)
        original = await self._photo(user.id, request)
        batch_id = ids.new_id(ids.BATCH)
        try:
            generations, account = await self._sell(user.id, order, original, batch_id, fingerprint)
        except (InsufficientCreditsError, idempotency.UsedKeyError) as error:
            # A twin of this request may have been faster, and have taken the last credits.
            if (replayed := await self._replay(user.id, request.idempotency_key, fingerprint)) is not None:
                return replayed
            raise error
        crashpoint("generation.committed")
        await self._events.account_changed(account)
        await asyncio.gather(*(self._queue.ring(generation.id, generation.fence) for generation in generations))
        crashpoint("generation.rung")
        return generations

    async def _photo(self, user_id: str, request: GenerationRequest) -> CleanImage | None:
        if request.upload_id is not None:
            data = await self._uploads.read(user_id, request.upload_id)
            return await self._files.check_upload(data, field="uploadId")
        return await self._files.check_upload(request.image) if request.image is not None else None

    async def _check(self, user: User, request: GenerationRequest) -> _Order:
        self._styles.check_request(request.media, request.count, request.model)
        _check_aspect_ratio(request.aspect_ratio)
        if request.image is not None and request.upload_id is not None:
            raise InvalidInputError(message("Send a photo or name an upload, not both."), field=("uploadId",))
        prompt = check_prompt(request.prompt, self._limits.prompt_max_length)
        if request.style_id is None and prompt is None:
            raise InvalidInputError(message("Choose a style or describe the picture."), field=("styleId",))
        style = await self._styles.style(request.style_id) if request.style_id else await self._styles.free_style()
        if is_locked(style, user):
            raise MembershipRequiredError(field=("styleId",))
        if style.reference_image is ReferenceImage.REQUIRED and not request.has_photo:
            raise InvalidInputError(message("This style needs a photo."), field=("image",))
        if style.reference_image is ReferenceImage.UNUSED and request.has_photo:
            field = "image" if request.image is not None else "uploadId"
            raise InvalidInputError(message("This style takes no photo."), field=(field,))
        template = prompt_of(style)
        variables = check_variables(variables_of(style), request.variables)
        full_prompt = render_prompt(
            template,
            has_photo=request.has_photo,
            size=request.size,
            variables=variables,
            instruction=prompt,
        )
        cost = price(style, request.quality)
        if user.credits < cost * request.count:  # asked again, and finally, by the transaction
            raise InsufficientCreditsError(required=cost * request.count, balance=user.credits)
        priority = 1 if user.is_member and self._limits.members_first else 0
        return _Order(style, replace(request, prompt=prompt), variables, full_prompt, cost, priority)

    async def _sell(
        self, user_id: str, order: _Order, image: CleanImage | None, batch_id: str, fingerprint: str
    ) -> tuple[list[Generation], Account]:
        original = await self._files.store(user_id, FileKind.ORIGINAL, image) if image else None
        rows_to_write = [
            self._row(user_id, order, batch_id, original.id if original else None) for _ in range(order.request.count)
        ]
        try:
            account = await run_tx(self._write, user_id, order, rows_to_write, fingerprint)
        except BaseException:
            if original:
                await self._files.discard(original.id)
            raise
        return await self._batch(user_id, batch_id), account

    @staticmethod
    async def _write(user_id: str, order: _Order, generations: list[Generation], fingerprint: str) -> Account:
        lines = [line for row in generations for line in credit.deduction(row.id, row.cost)]
        account = await credit.post(user_id, lines)
        if order.request.idempotency_key is not None:
            await idempotency.remember(
                user_id, OPERATION, order.request.idempotency_key, fingerprint, generations[0].batch_id
            )
        original_id = generations[0].original_id
        if original_id is not None and not await file.use(original_id):
            raise RuntimeError(f"{original_id} was swept while it was being sold")
        await Generation.bulk_create(generations)
        crashpoint("generation.before_commit")
        return account

    @staticmethod
    def _row(user_id: str, order: _Order, batch_id: str, original_id: str | None) -> Generation:
        style, request = order.style, order.request
        generation_id = ids.new_id(ids.GENERATION)
        return Generation(
            id=generation_id,
            search_text=search_text(generation_id, request.prompt, style.title),
            user_id=user_id,
            batch_id=batch_id,
            media=request.media,
            style_id=style.id,
            collection_slug=style.collection.slug,
            style_slug=style.slug,
            style_title=style.title,
            prompt=request.prompt,
            full_prompt=order.full_prompt,
            variables=order.variables,
            size=request.size,
            quality=request.quality,
            aspect_ratio=request.aspect_ratio,
            requested_model=request.model,
            original_id=original_id,
            priority=order.priority,
            cost=order.cost,
            refund_policy=style.collection.refund_policy,
        )

    async def _replay(self, user_id: str, key: str | None, fingerprint: str) -> list[Generation] | None:
        if key is None:
            return None
        batch_id = await idempotency.recall(user_id, OPERATION, key, fingerprint)
        return await self._batch(user_id, batch_id) if batch_id else None

    @staticmethod
    async def _batch(user_id: str, batch_id: str) -> list[Generation]:
        return await Generation.present().filter(user_id=user_id, batch_id=batch_id).order_by("id")

    async def get(self, user_id: str, generation_id: str) -> Generation:
        """One of one's own. Raises NotFoundError."""
        found = await Generation.present().get_or_none(id=generation_id, user_id=user_id)
        if found is None:
            raise NotFoundError(field=("id",))
        return found

    async def cancel(self, user_id: str, generation_id: str) -> Generation:
        """Call a generation off; its credits come back only while no request has left for the provider.

        Canceling what is canceled already changes nothing.

        Raises:
            NotFoundError: not there, or not this account's.
            ConflictError: it has ended already.
        """
        generation = await self.get(user_id, generation_id)
        account = None if generation.status.is_final else await run_tx(self._cancel, user_id, generation_id)
        if account is not None:
            crashpoint("cancel.committed")
            generation = await self.get(user_id, generation_id)
            await self._events.generation_canceled(generation)
            await self._events.account_changed(account)
            return generation
        generation = await self.get(user_id, generation_id)
        if generation.status is not GenerationStatus.CANCELED:
            raise ConflictError(message("This generation has already ended."), field=("id",))
        return generation

    @staticmethod
    async def _cancel(user_id: str, generation_id: str) -> Account | None:
        canceled, account = await call_off(await credit.touch(user_id), [generation_id])
        if not canceled:
            return None
        crashpoint("cancel.before_commit")
        return account
