"""The generations of a user: requesting, reading and canceling them."""

import contextlib
from dataclasses import replace
from functools import partial

from models import AuditEntry, Generation, User
from models.database.connection import run_tx
from models.enum import AdminAction, FileKind, GenerationStatus
from services.billing.entitlement import Entitlements
from services.catalogue.style import StyleService
from services.core.crashpoint import crashpoint
from services.core.error import ConflictError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.events import account_change, audit_log
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.cancellation import cancel
from services.generations.quote import read_terms
from services.generations.specification import GenerationRequest, build_spec, check_request
from services.generations.submission import DeletedStyleError, SubmissionService
from services.integrations.images.sanitizer import CleanImage
from services.media import file
from services.media.file import FileService
from services.media.picture_check import PictureChecks
from services.products.profile import Limits

OPERATION = "createGeneration"


class _EndedAlreadyError(Exception):
    """Ends a transaction that would have changed nothing."""


class GenerationService:
    """Accepts requests for generations, and cancels them."""

    def __init__(
        self,
        styles: StyleService,
        entitlements: Entitlements,
        files: FileService,
        pictures: PictureChecks,
        submissions: SubmissionService,
        events: EventPublisher,
        limits: Limits,
        rates: RateLimits,
    ) -> None:
        self._styles = styles
        self._entitlements = entitlements
        self._files = files
        self._pictures = pictures
        self._events = events
        self._limits = limits
        self._rates = rates
        self._submissions = submissions

    async def create(self, user: User, request: GenerationRequest) -> list[Generation]:
        """Check the request, store the photo, charge and write the rows in one transaction, then wake a worker.

        The same idempotency key with the same input returns the first result, without what was deleted since.

        Raises:
            InvalidInputError, NotFoundError, MembershipRequiredError, InsufficientCreditsError, QuotaExceededError,
            StorageFullError, ConflictError, RateLimitedError, UploadFailedError, UnavailableError: nothing is stored or
            charged.
        """
        ticket = IdempotencyTicket.of(OPERATION, request)
        return await self._submissions.run_once(user.id, ticket, partial(self._create, user, request, ticket))

    async def _create(self, user: User, request: GenerationRequest, ticket: IdempotencyTicket) -> list[Generation]:
        entitlement = await self._entitlements.of(user)
        prompt = check_request(entitlement, request, self._styles, self._limits)
        terms = await read_terms(user, request.style_id, with_usage=self._submissions.quota.is_limited)
        spec = build_spec(user, entitlement, request, prompt, terms.style)
        funding = await self._submissions.check_terms(user, spec, terms)
        await self._rates.hit_generations(user.id, spec.count)
        image = await self._photo(user.id, request)
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

    async def _discard(self, original_id: str | None) -> None:
        if original_id is not None:
            await self._files.discard(original_id)  # does nothing if the generation was submitted

    async def _photo(self, user_id: str, request: GenerationRequest) -> CleanImage | None:
        if request.upload_id is not None:
            return await self._pictures.check_upload(user_id, request.upload_id)
        return await self._pictures.check(user_id, request.image) if request.image is not None else None

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

    async def cancel_as_admin(self, admin: User, generation_id: str) -> Generation:
        """Cancel any user's generation, as its owner could; only those of other users are audited.

        Raises:
            NotFoundError, ConflictError: as `cancel`.
        """
        user_id = await owner_of(generation_id)
        return await self._cancel(user_id, generation_id, admin.id if user_id != admin.id else None)

    async def _cancel(self, user_id: str, generation_id: str, admin_id: str | None = None) -> Generation:
        generation = await self.get(user_id, generation_id)
        done = None
        if not generation.status.is_final:
            with contextlib.suppress(_EndedAlreadyError):
                done = await run_tx(self._write_cancellation, user_id, generation_id, admin_id)
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

    @staticmethod
    async def _write_cancellation(
        user_id: str, generation_id: str, admin_id: str | None
    ) -> tuple[AccountChange, AuditEntry | None]:
        canceled, account = await cancel(await account_change.bump_version(user_id), [generation_id])
        if not canceled:
            raise _EndedAlreadyError  # without a change, the account's version must not increase
        entry = None
        if admin_id is not None:
            entry = await audit_log.record(admin_id, AdminAction.CANCEL_GENERATION, generation_id, user=user_id)
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
