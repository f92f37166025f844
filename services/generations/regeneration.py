"""Regenerations: the same once more, another one like it, or the same picture with a change."""

from dataclasses import dataclass
from functools import partial

from models import Generation, Style, User
from models.enum import FileState, GenerationStatus, MediaKind
from services.billing.entitlement import Entitlements
from services.catalogue.style import StyleService, is_locked, price
from services.core.error import ConflictError, InvalidInputError, MembershipRequiredError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import Message, message
from services.core.rate_limit import RateLimits
from services.core.text import clean_text
from services.generations.generation import GenerationService
from services.generations.revision_prompt import conversation, refinement_prompt, variation_prompt
from services.generations.specification import GenerationSpec
from services.generations.submission import SubmissionService
from services.products.profile import Limits

_REGENERATE, _REFINE = "regenerate", "refineGeneration"  # idempotency keys of each are their own


@dataclass(frozen=True)
class RegenerationRequest:
    """The same input again; `as_variation`: the result as the reference, asking for something similar."""

    id: str
    as_variation: bool = False
    count: int = 1
    idempotency_key: str | None = None


@dataclass(frozen=True)
class RefinementRequest:
    """The result once more, with one change."""

    id: str
    instruction: str
    idempotency_key: str | None = None


class RegenerationService:
    """Makes orders out of generations. Words and pictures are those of then; price, rights and refunds are today's."""

    def __init__(
        self,
        generations: GenerationService,
        styles: StyleService,
        entitlements: Entitlements,
        sales: SubmissionService,
        limits: Limits,
        rates: RateLimits,
    ) -> None:
        self._generations = generations
        self._styles = styles
        self._entitlements = entitlements
        self._limits = limits
        self._rates = rates
        self._sales = sales

    async def regenerate(self, user: User, request: RegenerationRequest) -> list[Generation]:
        """Order the same again, whatever became of it, or variations of its picture.

        Raises:
            InvalidInputError: of `count`, or of the key.
            NotFoundError: not there, not this account's, or deleted before it was sold.
            ConflictError: there is no picture to vary, or its style, model or quality is not offered any more.
            MembershipRequiredError, InsufficientCreditsError, QuotaExceededError, RateLimitedError: nothing is spent.
        """
        ticket = IdempotencyTicket.of(_REGENERATE, request)
        return await self._sales.once(user.id, ticket, partial(self._regenerate, user, request, ticket))

    async def _regenerate(
        self, user: User, request: RegenerationRequest, ticket: IdempotencyTicket
    ) -> list[Generation]:
        self._styles.check_request(await self._entitlements.of(user), MediaKind.IMAGE, request.count, None)
        source = await self._generations.get(user.id, request.id)
        if not request.as_variation:
            earlier = tuple(source.earlier_prompts)
            original_id, full_prompt = source.original_id, source.full_prompt
        else:
            earlier = ()
            original_id = _result_of(source, message("Only a finished picture can be varied."))
            full_prompt = variation_prompt(source.earlier_prompts, source.full_prompt)
        order = await self._order(
            user,
            source,
            prompt=source.prompt,
            full_prompt=full_prompt,
            earlier_prompts=earlier,
            original_id=original_id,
            count=request.count,
        )
        return await self._sell(user, source, order, ticket)

    async def refine(self, user: User, request: RefinementRequest) -> list[Generation]:
        """Order a finished picture once more, with one change; what came of that can be refined again.

        Raises:
            InvalidInputError: the instruction is empty, too long or holds characters that cannot be used.
            NotFoundError, ConflictError, MembershipRequiredError, InsufficientCreditsError, QuotaExceededError,
            RateLimitedError: as of `regenerate`.
        """
        ticket = IdempotencyTicket.of(_REFINE, request)
        return await self._sales.once(user.id, ticket, partial(self._refine, user, request, ticket))

    async def _refine(self, user: User, request: RefinementRequest, ticket: IdempotencyTicket) -> list[Generation]:
        field = ("instruction",)
        instruction = clean_text(request.instruction, self._limits.prompt_max_length, field=field, multiline=True)
        if instruction is None:
            raise InvalidInputError(message("Please say what shall be different."), field)
        source = await self._generations.get(user.id, request.id)
        original_id = _result_of(source, message("Only a finished picture can be refined."))
        order = await self._order(
            user,
            source,
            prompt=instruction,
            full_prompt=refinement_prompt(instruction),
            earlier_prompts=conversation(source.earlier_prompts, source.full_prompt),
            original_id=original_id,
            count=1,
        )
        return await self._sell(user, source, order, ticket)

    async def _order(
        self,
        user: User,
        source: Generation,
        *,
        prompt: str | None,
        full_prompt: str,
        earlier_prompts: tuple[str, ...],
        original_id: str | None,
        count: int,
    ) -> GenerationSpec:
        style = await self._style_of(user, source)
        entitlement = await self._entitlements.of(user)
        try:
            self._styles.check_request(entitlement, source.media, count, source.requested_model)
            cost = price(style, source.quality)
        except InvalidInputError as gone:  # it was offered once; nothing is wrong with what the person sent
            raise ConflictError(gone.message, field=("id",)) from None
        return GenerationSpec(
            style=style,
            prompt=prompt,
            full_prompt=full_prompt,
            variables=source.variables,
            size=source.size,
            quality=source.quality,
            aspect_ratio=source.aspect_ratio,
            media=source.media,
            model=source.requested_model,
            count=count,
            cost=cost,
            priority=int(entitlement.priority),
            original_id=original_id,
            parent_id=source.id,
            earlier_prompts=earlier_prompts,
        )

    async def _sell(
        self, user: User, source: Generation, order: GenerationSpec, ticket: IdempotencyTicket
    ) -> list[Generation]:
        payment = await self._sales.check(user, order)
        await self._rates.hit_generations(user.id, order.count)
        hold = partial(self._hold, user.id, source.id, order.original_id)
        return await self._sales.sell(user.id, order, payment, ticket, hold)

    async def _style_of(self, user: User, source: Generation) -> Style:
        try:
            if source.style_id is None:
                raise NotFoundError
            style = await self._styles.style(source.style_id, user)
        except NotFoundError:  # without it, nobody can say what the picture costs
            raise ConflictError(message("The style of this picture is no longer offered."), field=("id",)) from None
        if is_locked(style, user):
            raise MembershipRequiredError(field=("id",))
        return style

    async def _hold(self, user_id: str, source_id: str, original_id: str | None) -> None:
        """Whoever deletes takes the account's row as well: they were faster, and are seen here, or wait for this."""
        source = await self._generations.get(user_id, source_id)
        live = [file.id for file in (source.original, source.result) if file and file.state is FileState.LIVE]
        if original_id is not None and original_id not in live:
            raise NotFoundError(field=("id",))


def _result_of(source: Generation, refusal: Message) -> str:
    if source.status is not GenerationStatus.COMPLETED or source.result_id is None:
        raise ConflictError(refusal, field=("id",))
    return source.result_id
