"""The generations of a user: requesting, reading and canceling them."""

import contextlib
from dataclasses import replace
from functools import partial

from models import AuditEntry, Generation, User
from models.database.connection import run_tx
from models.enum import AdminAction, FileKind, GenerationStatus
from services.billing.entitlement import Entitlements
from services.catalogue.model_choice import ModelChoice
from services.core.crashpoint import crashpoint
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.problems import Problems
from services.core.rate_limit import RateLimits
from services.core.text import clean_optional_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.calls.expected_cost import NOTHING_EXPECTED, ExpectedCosts
from services.generations.cancellation import cancel
from services.generations.quote import Terms, read_terms
from services.generations.reuse.earlier_result import ReuseService
from services.generations.specification import (
    GenerationRequest,
    GenerationSpec,
    build_spec,
    check_request,
    check_style,
    written_texts,
)
from services.generations.submission import DeletedStyleError, SubmissionService
from services.integrations.images.sanitizer import CleanImage
from services.media import file
from services.media.file import FileService
from services.media.picture_check import PictureChecks
from services.products.content_check import ContentCheck
from services.products.profile import Limits

OPERATION = "createGeneration"


class _EndedAlreadyError(Exception):
    """Ends a transaction that would have changed nothing."""


class GenerationService:
    """Accepts requests for generations, and cancels them."""

    def __init__(
        self,
        models: ModelChoice,
        entitlements: Entitlements,
        files: FileService,
        pictures: PictureChecks,
        submissions: SubmissionService,
        reuse: ReuseService,
        events: EventPublisher,
        limits: Limits,
        rates: RateLimits,
        *,
        content: ContentCheck,
        enhances_prompts: bool = False,
        expected_costs: ExpectedCosts = NOTHING_EXPECTED,
    ) -> None:
        self._expected_costs = expected_costs
        self._content = content
        self._enhances_prompts = enhances_prompts
        self._models = models
        self._entitlements = entitlements
        self._files = files
        self._pictures = pictures
        self._events = events
        self._limits = limits
        self._rates = rates
        self._submissions = submissions
        self._reuse = reuse

    async def create(self, user: User, request: GenerationRequest) -> list[Generation]:
        """Check the request, store the photo, charge and write the rows in one transaction, then wake a worker.

        The same idempotency key with the same input returns the first result, without what was deleted since.

        Raises:
            InvalidInputError, ContentRejectedError, NotFoundError, MembershipRequiredError, InsufficientCreditsError,
            QuotaExceededError, StorageFullError, ConflictError, RateLimitedError, UploadFailedError, UnavailableError:
            nothing is stored or charged.
        """
        if request.data_url is not None:
            image = await self._pictures.read_data_url(user.id, request.data_url, request.image_field)
            request = replace(request, image=image, data_url=None)
        ticket = IdempotencyTicket.of(OPERATION, request)
        return await self._submissions.run_once(user.id, ticket, partial(self._create, user, request, ticket))

    async def _create(self, user: User, request: GenerationRequest, ticket: IdempotencyTicket) -> list[Generation]:
        spec, terms = await self._checked(user, request)
        if request.reuse_result:
            return await self._create_by_reuse(user, request, spec, ticket)
        funding = await self._submissions.check_terms(user, spec, terms)
        image = await self._checked_photo(user.id, request, spec)
        original = await self._files.store(user.id, FileKind.ORIGINAL, image) if image else None
        original_id = original.id if original else None
        try:
            spec = replace(spec, original_id=original_id)
            mark_live = partial(_mark_live, original_id) if original_id is not None else None
            return await self._submissions.submit(user.id, spec, funding, ticket, mark_live)
        except DeletedStyleError:
            await self._discard(original_id)
            raise NotFoundError(field=("styleId",)) from None
        except BaseException:
            await self._discard(original_id)
            raise

    async def _checked(self, user: User, request: GenerationRequest) -> tuple[GenerationSpec, Terms]:
        """Return what is to be made, and its terms. Raises all that is wrong with the request at once."""
        problems = Problems()
        if request.enhance_prompt and not self._enhances_prompts:
            text = message("Prompts are not enhanced here.")
            problems.add([InvalidInputError(text, field=("enhancePrompt",))])
        entitlement = await self._entitlements.of(user)
        with problems:
            try:
                model, against = self._models.find(entitlement, request.model, request.demand)
            except InvalidInputError as refusal:
                if refusal.field == ("model",):  # there is no such model: what is wrong besides, of any other
                    problems.add(self._models.find(entitlement, None, request.demand)[1])
                raise
            problems.add(against)
        with problems:
            prompt = check_request(request, self._limits)
        with problems:
            terms = await read_terms(user, request.style_id, with_usage=self._submissions.quota.is_limited)
            if problems.found:
                check_style(user, request, terms.style)
        problems.check()
        return build_spec(user, entitlement, request, prompt, terms.style, model), terms

    async def _create_by_reuse(
        self, user: User, request: GenerationRequest, spec: GenerationSpec, ticket: IdempotencyTicket
    ) -> list[Generation]:
        """Give the request its earlier result. No provider is used, so what pauses those does not apply."""
        self._reuse.check(spec)
        image = await self._checked_photo(user.id, request, spec)
        return await self._reuse.submit(user.id, spec, image.sha256 if image else None, ticket, user.acting_key)

    async def _checked_photo(self, user_id: str, request: GenerationRequest, spec: GenerationSpec) -> CleanImage | None:
        """Return the photo of an order whose texts are accepted, and count it towards the limit of a minute.

        Each call of the moderator is counted, so it comes after all that refuses an order without being counted there.
        """
        texts = written_texts(spec)
        await self._rates.check_generations(user_id, spec.count)
        await self._content.check_account(user_id, texts)
        image = await self._pictures.photo(user_id, request.image, request.upload_id, request.image_field)
        await self._content.check_order(user_id, texts, spec.count)
        return image

    async def _discard(self, original_id: str | None) -> None:
        if original_id is not None:
            await self._files.discard(original_id)  # does nothing if the generation was submitted

    async def get(self, user_id: str, generation_id: str) -> Generation:
        """Return the user's generation. Raises NotFoundError if it does not exist or belongs to another user."""
        found = await Generation.present().get_or_none(id=generation_id, user_id=user_id)
        if found is None:
            raise NotFoundError(field=("id",))
        return found

    async def get_including_deleted(self, user_id: str, generation_id: str) -> Generation:
        """Return the user's generation, deleted or not, with its files, style and collection. Raises NotFoundError."""
        found = Generation.filter(id=generation_id, user_id=user_id)
        row = await found.select_related("original", "result", "style", "style__collection").first()
        if row is None:
            raise NotFoundError(field=("id",))
        return row

    async def cancel(self, user_id: str, generation_id: str) -> Generation:
        """Cancel a generation. It is refunded only if no request has left for the provider.

        Canceling it again changes nothing.

        Raises:
            NotFoundError: it does not exist or belongs to another user.
            ConflictError: it has already ended.
        """
        return await self._cancel(user_id, generation_id)

    async def cancel_as_admin(self, admin: User, generation_id: str, reason: str | None = None) -> Generation:
        """Cancel any user's generation, as its owner could; only those of other users are audited.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError, ConflictError: as `cancel`.
        """
        clean = clean_optional_reason(reason)
        user_id = await owner_of(generation_id)
        return await self._cancel(user_id, generation_id, admin.id if user_id != admin.id else None, clean)

    async def _cancel(
        self, user_id: str, generation_id: str, admin_id: str | None = None, reason: str | None = None
    ) -> Generation:
        generation = await self.get(user_id, generation_id)
        done = None
        if not generation.status.is_final:
            with contextlib.suppress(_EndedAlreadyError):
                done = await run_tx(self._write_cancellation, user_id, generation_id, admin_id, reason)
        if done is not None:
            account, entry = done
            crashpoint("cancel.committed")
            # Even if it was deleted meanwhile, its worker is notified and no version of the account is skipped.
            await self._events.generation_canceled(await self.get_including_deleted(user_id, generation_id))
            await self._events.account_changed(account)
            if entry is not None:
                await self._events.admin_action(None, entry)
            return await self.get(user_id, generation_id)
        generation = await self.get(user_id, generation_id)
        if generation.status is not GenerationStatus.CANCELED:
            raise ConflictError(message("This generation has already ended."), field=("id",))
        return generation

    async def _write_cancellation(
        self, user_id: str, generation_id: str, admin_id: str | None, reason: str | None
    ) -> tuple[AccountChange, AuditEntry | None]:
        account = await account_change.bump_version(user_id)
        canceled, account = await cancel(account, [generation_id], self._expected_costs)
        if not canceled:
            raise _EndedAlreadyError  # without a change, the account's version must not increase
        entry = None
        if admin_id is not None:
            entry = await audit_log.record(
                admin_id, AdminAction.CANCEL_GENERATION, generation_id, user=user_id, reason=reason
            )
        crashpoint("cancel.before_commit")
        return account.with_generations(ChangeKind.UPDATED, canceled), entry


async def _mark_live(original_id: str) -> None:
    if not await file.mark_live(original_id):
        raise RuntimeError(f"{original_id} was swept while its generation was submitted")


async def owner_of(generation_id: str) -> str:
    """Return the id of the user who requested the generation, deleted or not.

    Raises:
        NotFoundError: there is no such generation.
    """
    found = await Generation.get_or_none(id=generation_id).only("id", "user_id")
    if found is None:
        raise NotFoundError(field=("id",))
    return found.user_id
