"""Own styles, which only their owner sees and uses, and the catalogue's as admins make and change them."""

from collections.abc import Mapping
from typing import Any

from models import AuditEntry, Collection, Style, User, ids
from models.database.connection import rows, run_tx
from models.enum import AdminAction, ReferenceImage
from services.catalogue.style import FIRST_ADDED_POSITION, PROMPT_ONLY_STYLE
from services.catalogue.style_input import StyleDraft, apply_style_input, language
from services.core import idempotency
from services.core.error import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.text import slug_or_empty
from services.events import account_change, audit_log
from services.events.publisher import EventPublisher
from services.products.profile import Limits

OPERATION = "createStyle"
MOST = 100  # own styles of one account
_FOR_ADMINS = {"members_only": "membersOnly", "cost": "cost"}  # column -> as the API spells it


class CustomStyleService:
    """Makes, changes and removes styles.

    No account's version moves with them: an account shows no styles, and its generations keep the title, the words and
    the price that they were sold with. So nobody has to be told either, but admins of what one of them did.
    """

    def __init__(self, limits: Limits, events: EventPublisher) -> None:
        self._limits = limits
        self._events = events

    async def create(self, user: User, draft: StyleDraft, *, is_admin: bool = False) -> Style:
        """Make a style of one's own, priced like a bare prompt; with a collection, one of the catalogue.

        `is_admin`: an admin asks who signed in; an admin's API key does what anybody's does.

        The same idempotency key with the same input returns the style that it made the first time.

        Raises:
            ForbiddenError: something is asked for that only admins may give.
            InvalidInputError, NotFoundError: with the field that cannot be used.
            ConflictError: the account has as many as it may, or the key came with another input before.
        """
        fingerprint = idempotency.fingerprint(draft)
        if made := await self._replay(user, draft.idempotency_key, fingerprint):
            return made
        words = _allowed(draft.words, is_admin=is_admin, of_catalogue=draft.collection is not None)
        style = await self._blank(user, draft.collection, is_admin=is_admin)
        apply_style_input(style, words, language(draft.wanted_locale), prompt_max_length=self._limits.prompt_max_length)
        try:
            act = await run_tx(self._insert, user.id, style, draft.idempotency_key, fingerprint)
        except idempotency.UsedKeyError:
            if made := await self._replay(user, draft.idempotency_key, fingerprint):
                return made
            raise
        await self._tell(act)
        return style

    async def update(
        self, user: User, style_id: str, words: Mapping[str, Any], wanted_locale: str, *, is_admin: bool = False
    ) -> Style:
        """Change a style; generations made with it stay as they are. Of two changes at once, the later one counts.

        Raises:
            NotFoundError: there is none that this account may change.
            ForbiddenError, InvalidInputError: with the field that cannot be used.
        """
        style, act = await run_tx(self._change, user, style_id, words, language(wanted_locale), is_admin)
        await self._tell(act)
        return style

    async def delete(self, user: User, style_id: str, *, is_admin: bool = False) -> None:
        """Remove a style from every list at once; generations made with it keep its title and its words.

        Raises:
            NotFoundError: there is none that this account may remove.
        """
        await self._tell(await run_tx(self._remove, user, style_id, is_admin))

    async def _tell(self, act: AuditEntry | None) -> None:
        if act is not None:
            await self._events.admin_act(act)

    async def _blank(self, user: User, collection_slug: str | None, *, is_admin: bool) -> Style:
        style_id = ids.new_id(ids.STYLE)
        if collection_slug is not None and not is_admin:
            raise ForbiddenError(field=("collection",))
        slug = PROMPT_ONLY_STYLE[0] if collection_slug is None else slug_or_empty(collection_slug)
        collection = await Collection.get_or_none(slug=slug, is_active=True)
        if collection is None:
            if collection_slug is None:
                raise NotFoundError(text=message("Styles of one's own are not offered here."))
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
            position=0,  # own styles stand in the order of their ids
        )

    @staticmethod
    async def _insert(user_id: str, style: Style, key: str | None, fingerprint: str) -> AuditEntry | None:
        # The account's row first, as everywhere: twins wait here for each other, so that counting is sure.
        await account_change.lock_account(user_id)
        if key is not None:
            await idempotency.store_result(user_id, OPERATION, key, fingerprint, style.id)
        act = None
        if style.owner_id is None:
            style.position, style.edited = await next_position(), True
            act = await audit_log.record(user_id, AdminAction.CREATE_STYLE, style.id, collection=style.collection.slug)
        elif await Style.filter(owner_id=user_id, is_active=True).count() >= MOST:
            text = message("You have {limit} styles of your own, which is the most. Delete one first.", limit=MOST)
            raise ConflictError(text)
        await Style.bulk_create([style])  # which inserts again when the transaction is repeated; `save` would not
        return act

    async def _change(
        self, user: User, style_id: str, words: Mapping[str, Any], author: str, is_admin: bool
    ) -> tuple[Style, AuditEntry | None]:
        style = await _take(user, style_id, is_admin=is_admin)
        allowed = _allowed(words, is_admin=is_admin, of_catalogue=style.owner_id is None)
        apply_style_input(style, allowed, author, prompt_max_length=self._limits.prompt_max_length)
        act = None
        if style.owner_id is None:
            style.edited = True
            act = await audit_log.record(user.id, AdminAction.UPDATE_STYLE, style.id, changed=sorted(allowed))
        await style.save()
        return style, act

    @staticmethod
    async def _remove(user: User, style_id: str, is_admin: bool) -> AuditEntry | None:
        style, act = await _take(user, style_id, is_admin=is_admin), None
        style.is_active = False
        if style.owner_id is not None:
            # The row stays, for generations and orders under way refer to it; a person's words have no need to.
            style.title, style.description, style.category, style.search_text = {}, {}, None, ""
            style.prompt, style.variables = "", []
        else:
            style.edited = True
            act = await audit_log.record(user.id, AdminAction.DELETE_STYLE, style.id, slug=style.slug)
        await style.save()
        return act

    @staticmethod
    async def _replay(user: User, key: str | None, fingerprint: str) -> Style | None:
        style_id = await idempotency.find_result(user.id, OPERATION, key, fingerprint) if key is not None else None
        if style_id is None:
            return None
        style = await Style.get_or_none(id=style_id, is_active=True).select_related("collection")
        if style is None:
            raise NotFoundError(field=("idempotencyKey",), text=message("This style was deleted."))
        return style


def _allowed(words: Mapping[str, Any], *, is_admin: bool, of_catalogue: bool) -> dict[str, Any]:
    """`words` without what does not matter to this style.

    Raises:
        ForbiddenError: a price or a lock, which only admins may set.
        InvalidInputError: an own style has neither.
    """
    if of_catalogue and is_admin:
        return dict(words)
    for name, field in _FOR_ADMINS.items():
        if words.get(name) is not None:
            if not is_admin:
                raise ForbiddenError(field=(field,))
            raise InvalidInputError(message("Only styles of the catalogue have this."), field=(field,))
    return {name: value for name, value in words.items() if name not in _FOR_ADMINS}


async def _take(user: User, style_id: str, *, is_admin: bool) -> Style:
    """A style that this account may change, held until the transaction ends. Raises NotFoundError."""
    style = await Style.filter(id=style_id, is_active=True).select_for_update().first()
    is_theirs = style is not None and (style.owner_id == user.id or (style.owner_id is None and is_admin))
    if style is None or not is_theirs:
        raise NotFoundError(field=("id",))
    await style.fetch_related("collection")
    return style


async def next_position() -> int:
    """The end of the catalogue; nobody else adds anything until the transaction ends."""
    await rows("UPDATE collections SET position = position WHERE id = (SELECT MIN(id) FROM collections) RETURNING id")
    last = await Style.filter(owner_id__isnull=True, position__gte=FIRST_ADDED_POSITION).order_by("-position").first()
    return last.position + 1 if last else FIRST_ADDED_POSITION
