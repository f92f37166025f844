"""Custom styles, which only their owner sees and uses, and the catalogue's styles that admins create and change."""

import dataclasses
from functools import partial

from models import AuditEntry, Collection, Style, User, ids
from models.database.connection import rows, run_tx
from models.enum import AdminAction, ReferenceImage
from services.catalogue.style import FIRST_ADDED_POSITION, PROMPT_ONLY_STYLE
from services.catalogue.style_change import columns_of, differences
from services.catalogue.style_input import StyleDraft, StyleFields, apply_style_input, language, written_texts
from services.catalogue.style_picture import discard_pictures
from services.core import idempotency
from services.core.error import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.core.text import clean_optional_reason, slug_or_empty
from services.core.unset import UNSET
from services.events import account_change, audit_log
from services.events.publisher import EventPublisher
from services.products.content_check import ContentCheck
from services.products.profile import Limits, Profile

OPERATION = "createStyle"
MAX_PER_ACCOUNT = 100  # custom styles
_ADMIN_FIELDS = {"members_only": "membersOnly", "cost": "cost"}  # column -> the API's name


class CustomStyleService:
    """Creates, updates and deletes styles.

    Changes of styles increase no account's version: an account shows no styles, and its generations keep the title, the
    prompt and the price of their submission. So only admin actions are published.
    """

    def __init__(self, limits: Limits, events: EventPublisher, rates: RateLimits, content: ContentCheck) -> None:
        self._limits = limits
        self._events = events
        self._rates = rates
        self._content = content

    async def create(
        self, user: User, draft: StyleDraft, reason: str | None = None, *, is_admin: bool = False
    ) -> Style:
        """Create a custom style, priced like a plain prompt; with a collection, a style of the catalogue.

        `is_admin`: the user is an admin and signed in with a session; an admin's API key has no admin rights.
        `reason`: an admin's, for the audit log, which has the changes of the catalogue alone; likewise below.

        The same idempotency key with the same input returns the style of the first request.

        Raises:
            ForbiddenError: a field is set that only admins may set.
            InvalidInputError, NotFoundError: with the invalid field.
            ContentRejectedError, RateLimitedError, UnavailableError: as ContentCheck; not for the catalogue's styles.
            ConflictError: the account has MAX_PER_ACCOUNT custom styles, or the key was used with another input.
        """
        ticket = IdempotencyTicket.of(OPERATION, draft)
        clean = clean_optional_reason(reason)
        return await idempotency.run_once(
            user.id, ticket, _replay, partial(self._create, user, draft, ticket, clean, is_admin=is_admin)
        )

    async def _create(
        self, user: User, draft: StyleDraft, ticket: IdempotencyTicket, reason: str | None, *, is_admin: bool
    ) -> Style:
        allowed = _allowed(draft.fields, is_admin=is_admin, in_catalogue=draft.collection is not None)
        style = await self._new_row(user, draft.collection, is_admin=is_admin)
        apply_style_input(
            style, allowed, language(draft.wanted_locale), prompt_max_length=self._limits.prompt_max_length
        )
        if style.owner_id is not None:
            # Whether texts are checked or not: the row of a style stays when it is deleted.
            await self._rates.hit_style_texts(user.id)
            await self._check_texts(user.id, style)
        await self._publish(await run_tx(self._insert, user.id, style, ticket, reason))
        return style

    async def update(
        self,
        user: User,
        style_id: str,
        fields: StyleFields,
        wanted_locale: str,
        reason: str | None = None,
        *,
        is_admin: bool = False,
    ) -> Style:
        """Update a style; generations made with it stay unchanged. Of two concurrent updates the later one wins.

        An update to the present values has no effect, and is not written to the audit log.

        Raises:
            NotFoundError: there is no such style that this account may change.
            ForbiddenError, InvalidInputError: with the invalid field.
            ContentRejectedError, RateLimitedError, UnavailableError: as `create`.
        """
        clean = clean_optional_reason(reason)
        # Before the transaction, on a copy of the row: a moderation model is asked over the network.
        copy = await _own_style(user, style_id) if self._content.is_on else None
        if copy is not None:
            allowed = _allowed(fields, is_admin=is_admin, in_catalogue=False)
            apply_style_input(copy, allowed, language(wanted_locale), prompt_max_length=self._limits.prompt_max_length)
            await self._rates.hit_style_texts(user.id)
            await self._check_texts(user.id, copy)
        style, action = await run_tx(self._change, user, style_id, fields, language(wanted_locale), clean, is_admin)
        await self._publish(action)
        return style

    async def delete(self, user: User, style_id: str, reason: str | None = None, *, is_admin: bool = False) -> None:
        """Remove a style from every list at once; generations made with it keep its title and prompt.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: there is no such style that this account may delete.
        """
        await self._publish(await run_tx(self._remove, user, style_id, clean_optional_reason(reason), is_admin))

    async def _check_texts(self, user_id: str, style: Style) -> None:
        if self._content.is_on:
            await self._content.check(user_id, written_texts(style))

    async def _publish(self, action: AuditEntry | None) -> None:
        if action is not None:
            await self._events.admin_action(None, action)

    async def _new_row(self, user: User, collection_slug: str | None, *, is_admin: bool) -> Style:
        style_id = ids.new_id(ids.STYLE)
        if collection_slug is not None and not is_admin:
            raise ForbiddenError(field=("collection",))
        slug = PROMPT_ONLY_STYLE[0] if collection_slug is None else slug_or_empty(collection_slug)
        collection = await Collection.get_or_none(slug=slug, is_active=True)
        if collection is None:
            if collection_slug is None:
                raise NotFoundError(text=message("Custom styles are not offered here."))
            raise NotFoundError(field=("collection",))
        return Style(
            id=style_id,
            collection=collection,
            owner_id=user.id if collection_slug is None else None,
            slug=f"{'own' if collection_slug is None else 'added'}-{style_id.partition('_')[2]}",
            title={},
            description={},
            prompt="",
            variables=[],
            reference_image=ReferenceImage.OPTIONAL,
            position=0,  # custom styles are ordered by id
        )

    @staticmethod
    async def _insert(user_id: str, style: Style, ticket: IdempotencyTicket, reason: str | None) -> AuditEntry | None:
        # The account's row first, as everywhere; concurrent requests wait here, so that the count is exact.
        await account_change.lock_account(user_id)
        await idempotency.store_result(user_id, ticket, style.id)
        action = None
        if style.owner_id is None:
            style.position, style.edited = await next_position(), True
            action = await audit_log.record(
                user_id, AdminAction.CREATE_STYLE, style.id, collection=style.collection.slug, reason=reason
            )
        elif await Style.filter(owner_id=user_id, is_active=True).count() >= MAX_PER_ACCOUNT:
            text = message("You have {limit} custom styles, the maximum. Delete one first.", limit=MAX_PER_ACCOUNT)
            raise ConflictError(text)
        await Style.bulk_create([style])  # unlike `save`, inserts again when the transaction is retried
        return action

    async def _change(
        self,
        user: User,
        style_id: str,
        fields: StyleFields,
        author_language: str,
        reason: str | None,
        is_admin: bool,
    ) -> tuple[Style, AuditEntry | None]:
        style = await changeable_style(user, style_id, is_admin=is_admin, lock=True)
        allowed = _allowed(fields, is_admin=is_admin, in_catalogue=style.owner_id is None)
        before, action = columns_of(style), None
        apply_style_input(style, allowed, author_language, prompt_max_length=self._limits.prompt_max_length)
        difference = differences(before, columns_of(style))
        if not difference:  # marked as edited, it would miss what a new version of the profile says
            return style, None
        if style.owner_id is None:
            style.edited = True
            action = await audit_log.record(user.id, AdminAction.UPDATE_STYLE, style.id, **difference, reason=reason)
        await style.save()
        return style, action

    @staticmethod
    async def _remove(user: User, style_id: str, reason: str | None, is_admin: bool) -> AuditEntry | None:
        style, action = await changeable_style(user, style_id, is_admin=is_admin, lock=True), None
        style.is_active = False
        if style.owner_id is not None:
            # The row stays, because generations and submissions under way refer to it; the user's texts are removed.
            style.title, style.description, style.category, style.search_text = {}, {}, None, ""
            style.prompt, style.variables = "", []
            if style.picture_id is not None:
                await discard_pictures([style.picture_id])
                style.picture_id = style.picture_folder_id = None
        else:
            style.edited = True
            action = await audit_log.record(
                user.id, AdminAction.DELETE_STYLE, style.id, slug=style.slug, before=columns_of(style), reason=reason
            )
        await style.save()
        return action


def offers_custom_styles(profile: Profile) -> bool:
    """Whether the product has the collection whose price and rules custom styles have."""
    return any(collection.slug == PROMPT_ONLY_STYLE[0] for collection in profile.collections)


async def _replay(style_id: str) -> Style:
    style = await Style.get_or_none(id=style_id, is_active=True).select_related("collection")
    if style is None:
        raise NotFoundError(field=("idempotencyKey",), text=message("This style was deleted."))
    return style


def _allowed(fields: StyleFields, *, is_admin: bool, in_catalogue: bool) -> StyleFields:
    """Return `fields` without those that this style does not have.

    Raises:
        ForbiddenError: the price or `members_only` is set, which only admins may set.
        InvalidInputError: a custom style has neither.
    """
    if in_catalogue and is_admin:
        return fields
    for name, field in _ADMIN_FIELDS.items():
        if getattr(fields, name) not in {None, UNSET}:
            if not is_admin:
                raise ForbiddenError(field=(field,))
            raise InvalidInputError(message("Only styles of the catalogue have this."), field=(field,))
    return dataclasses.replace(fields, members_only=UNSET, cost=UNSET)


async def _own_style(user: User, style_id: str) -> Style | None:
    return await Style.filter(id=style_id, owner_id=user.id, is_active=True).select_related("collection").first()


async def changeable_style(
    user: User, style_id: str, *, is_admin: bool, lock: bool = False, field: tuple[str, ...] = ("id",)
) -> Style:
    """Return a style that this account may change, with its collection. Raises NotFoundError.

    `lock`: lock its row for the transaction. `field`: of the input that names it.
    """
    query = Style.filter(id=style_id, is_active=True)
    style = await (query.select_for_update() if lock else query).first()
    may_change = style is not None and (style.owner_id == user.id or (style.owner_id is None and is_admin))
    if style is None or not may_change:
        raise NotFoundError(field=field)
    await style.fetch_related("collection")
    return style


async def next_position() -> int:
    """Return the next position at the end of the catalogue; locks it against other additions in this transaction."""
    await rows("UPDATE collections SET position = position WHERE id = (SELECT MIN(id) FROM collections) RETURNING id")
    last = await Style.filter(owner_id__isnull=True, position__gte=FIRST_ADDED_POSITION).order_by("-position").first()
    return last.position + 1 if last else FIRST_ADDED_POSITION
