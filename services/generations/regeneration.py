"""Regeneration: new generations from an earlier one, as the same request, a variation or a refinement."""

from dataclasses import dataclass
from functools import partial

from models import Generation, Style, User
from models.enum import FileState, GenerationStatus, MediaKind
from services.billing.entitlement import Entitlements
from services.catalogue.model_choice import Demand, ModelChoice, check_count
from services.catalogue.style import StyleService, is_locked, lower_prices, price
from services.core.error import ConflictError, InvalidInputError, MembershipRequiredError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import Message, message
from services.core.rate_limit import RateLimits
from services.core.text import clean_text
from services.generations.generation import GenerationService
from services.generations.prompts.revision import conversation, refinement_prompt, variation_prompt
from services.generations.prompts.written_before import source_texts
from services.generations.specification import GenerationSpec, included_seconds
from services.generations.submission import DeletedStyleError, SubmissionService
from services.products.content_check import ContentCheck, Texts
from services.products.profile import Limits

_REGENERATE, _REFINE = "regenerate", "refineGeneration"  # operations, each with idempotency keys of its own


@dataclass(frozen=True)
class RegenerationRequest:
    """The same input again. `as_variation`: its result is the reference image, for a similar one."""

    id: str
    as_variation: bool = False
    count: int = 1
    idempotency_key: str | None = None
    model: str | None = None  # None: that of the earlier generation


@dataclass(frozen=True)
class RefinementRequest:
    """The result again, with one change."""

    id: str
    instruction: str
    idempotency_key: str | None = None
    model: str | None = None  # None: that of the earlier generation


class RegenerationService:
    """Submits generations again: prompts and images as they were, price, benefits and refund policy as they are now."""

    def __init__(
        self,
        generations: GenerationService,
        styles: StyleService,
        models: ModelChoice,
        entitlements: Entitlements,
        submissions: SubmissionService,
        limits: Limits,
        rates: RateLimits,
        content: ContentCheck,
    ) -> None:
        self._content = content
        self._generations = generations
        self._styles = styles
        self._models = models
        self._entitlements = entitlements
        self._limits = limits
        self._rates = rates
        self._submissions = submissions

    async def regenerate(self, user: User, request: RegenerationRequest) -> list[Generation]:
        """Submit the same request again, with any outcome, or variations of its result.

        Raises:
            InvalidInputError: `count`, the model or the key is invalid.
            ContentRejectedError: what was accepted with the earlier request goes against the content rules of today.
            NotFoundError: it does not exist, belongs to another user, or was deleted meanwhile.
            ConflictError: it has no result to vary, or its style, model or quality is no longer offered.
            MembershipRequiredError, InsufficientCreditsError, QuotaExceededError, StorageFullError, RateLimitedError:
            nothing is charged.
        """
        ticket = IdempotencyTicket.of(_REGENERATE, request)
        return await self._submissions.run_once(user.id, ticket, partial(self._regenerate, user, request, ticket))

    async def _regenerate(
        self, user: User, request: RegenerationRequest, ticket: IdempotencyTicket
    ) -> list[Generation]:
        check_count(request.count, (await self._entitlements.of(user)).max_batch)
        source = await self._generations.get(user.id, request.id)
        if not request.as_variation:
            if source.original_removed_at is not None:
                text = message("The photo of this picture is no longer stored. Please request it again with the photo.")
                raise ConflictError(text, field=("id",))
            earlier = tuple(source.earlier_prompts)
            enhance_prompt = source.enhance_prompt
            original_id, full_prompt = source.original_id, source.full_prompt
        else:
            earlier, enhance_prompt = (), False
            original_id = _result_of(source, message("Only a completed generation can be varied."))
            full_prompt = variation_prompt(source.earlier_prompts, source.full_prompt)
        spec = await self._build_spec(
            user,
            source,
            prompt=source.prompt,
            full_prompt=full_prompt,
            earlier_prompts=earlier,
            original_id=original_id,
            count=request.count,
            enhance_prompt=enhance_prompt,
            enhanced_prompt=source.enhanced_prompt,
            model=request.model,
        )
        return await self._submit(user, source, spec, ticket, {})

    async def refine(self, user: User, request: RefinementRequest) -> list[Generation]:
        """Submit a completed generation again with one change; the result can be refined again.

        Raises:
            InvalidInputError: the instruction is empty, too long or contains characters that cannot be used.
            ContentRejectedError: it goes against the content rules, or what was written before does so today.
            NotFoundError, ConflictError, MembershipRequiredError, InsufficientCreditsError, QuotaExceededError,
            StorageFullError, RateLimitedError: as `regenerate`.
        """
        ticket = IdempotencyTicket.of(_REFINE, request)
        return await self._submissions.run_once(user.id, ticket, partial(self._refine, user, request, ticket))

    async def _refine(self, user: User, request: RefinementRequest, ticket: IdempotencyTicket) -> list[Generation]:
        field = ("instruction",)
        instruction = clean_text(request.instruction, self._limits.prompt_max_length, field=field, multiline=True)
        if instruction is None:
            raise InvalidInputError(message("Please describe what to change."), field)
        source = await self._generations.get(user.id, request.id)
        original_id = _result_of(source, message("Only a completed generation can be refined."))
        spec = await self._build_spec(
            user,
            source,
            prompt=instruction,
            full_prompt=refinement_prompt(instruction),
            earlier_prompts=conversation(source.earlier_prompts, source.full_prompt),
            original_id=original_id,
            count=1,
            model=request.model,
        )
        return await self._submit(user, source, spec, ticket, {field: instruction})

    async def _build_spec(
        self,
        user: User,
        source: Generation,
        *,
        prompt: str | None,
        full_prompt: str,
        earlier_prompts: tuple[str, ...],
        original_id: str | None,
        count: int,
        model: str | None,
        enhance_prompt: bool = False,
        enhanced_prompt: str | None = None,
    ) -> GenerationSpec:
        style = await self._style_of(user, source)
        entitlement = await self._entitlements.of(user)
        demand = Demand(
            source.media,
            source.quality,
            count,
            source.aspect_ratio,
            has_reference=original_id is not None,
            refines=bool(earlier_prompts),
            seconds=source.duration_seconds,
        )
        try:
            chosen = self._models.choose(entitlement, model or source.requested_model, demand)
            cost = price(style, source.quality, chosen, source.duration_seconds)
        except InvalidInputError as error:
            if model is not None:
                raise InvalidInputError(error.message, field=("model",)) from None
            raise ConflictError(error.message, field=("id",)) from None  # offered before: the request itself is valid
        return GenerationSpec(
            style=style,
            prompt=prompt,
            full_prompt=full_prompt,
            variables=source.variables,
            size=source.size,
            quality=source.quality,
            aspect_ratio=source.aspect_ratio,
            media=source.media,
            model=chosen.id,
            count=count,
            cost=cost,
            lower_costs=lower_prices(style, source.quality, chosen, source.duration_seconds),
            priority=int(entitlement.priority),
            original_id=original_id,
            parent_id=source.id,
            earlier_prompts=earlier_prompts,
            enhance_prompt=enhance_prompt,
            enhanced_prompt=enhanced_prompt,
            duration_seconds=source.duration_seconds,
            included_seconds=included_seconds(chosen, source.duration_seconds),
        )

    async def _submit(
        self, user: User, source: Generation, spec: GenerationSpec, ticket: IdempotencyTicket, written: Texts
    ) -> list[Generation]:
        funding = await self._submissions.check(user, spec)
        await self._rates.check_generations(user.id, spec.count)
        if self._content.is_on:
            written = {**written, ("id",): await source_texts(source, spec.style)}
        await self._content.check_order(user.id, written, spec.count)
        lock_references = partial(self._check_references, user.id, source.id, spec.original_id)
        try:
            return await self._submissions.submit(user.id, spec, funding, ticket, lock_references)
        except DeletedStyleError:
            raise self._without_style() from None

    async def _style_of(self, user: User, source: Generation) -> Style:
        try:
            if source.style_id is None:
                raise NotFoundError
            style = await self._styles.style(source.style_id, user)
        except NotFoundError:  # without it, there is no price
            raise self._without_style() from None
        if is_locked(style, user):
            raise MembershipRequiredError(field=("id",))
        return style

    @staticmethod
    def _without_style() -> ConflictError:
        return ConflictError(message("The style of this picture is no longer offered."), field=("id",))

    async def _check_references(self, user_id: str, source_id: str, original_id: str | None) -> None:
        # A deletion locks the account's row as well: it was committed before, and is found here, or waits.
        source = await self._generations.get(user_id, source_id)
        live = [file.id for file in (source.original, source.result) if file and file.state is FileState.LIVE]
        if original_id is not None and original_id not in live:
            raise NotFoundError(field=("id",))


def _result_of(source: Generation, refusal: Message) -> str:
    if source.media is not MediaKind.IMAGE:
        raise ConflictError(message("A video can be requested again, but not be varied or refined."), field=("id",))
    if source.status is not GenerationStatus.COMPLETED or source.result_id is None:
        raise ConflictError(refusal, field=("id",))
    return source.result_id
