"""The context of every resolver: the services, the viewer, the language and the data loaders."""

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from models import ApiKey, User
from models.catalogue_row import AnyStyle
from models.enum import Role
from schema.runtime.access import Audience
from services.accounts.api_key import is_api_key
from services.accounts.session import NewSession
from services.billing import passes
from services.billing.membership import CurrentMembership
from services.core import locale
from services.core.error import ForbiddenError, InvalidInputError, UnauthenticatedError
from services.core.message import Message, message
from services.gallery.user_stats import Stats
from services.media.quota import StorageUsage
from services.services import Services

T = TypeVar("T")
L = TypeVar("L")


class _Lazy(Generic[L]):
    """A data loader of a context, created when it is first used: most operations use none."""

    def __init__(self, create: Callable[["Context"], L]) -> None:
        self._create = create

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, context: "Context", owner: type) -> L:
        found: L | None = context.loaders.get(self._name)
        if found is None:
            found = context.loaders[self._name] = self._create(context)
        return found


def _batching(find: Callable[[list[str]], Awaitable[Mapping[str, T]]]) -> DataLoader[str, T | None]:
    """Return a loader of the objects that `find` returns by ID, else None; it batches and does not cache."""

    async def load(ids: list[str]) -> list[T | None]:
        found = await find(ids)
        return [found.get(id) for id in ids]

    return DataLoader(load, cache=False)


def _owned(
    context: "Context",
    by_ids: Callable[[str, list[str]], Awaitable[dict[str, T]]],
    all_by_ids: Callable[[list[str]], Awaitable[dict[str, T]]],
) -> DataLoader[str, T | None]:
    """Return a loader of the viewer's objects, for admins of every user's; of none when signed out."""

    async def find(ids: list[str]) -> dict[str, T]:
        if context.is_admin:
            return await all_by_ids(ids)
        return await by_ids(context.viewer.id, ids) if context.viewer else {}

    return _batching(find)


async def _owns_none(user_id: str, ids: list[str]) -> dict[str, Any]:
    """Return no objects: no user owns audit entries or payment reviews."""
    return {}


class Context:
    """The context of one HTTP request, or of one WebSocket for as long as it is open.

    A WebSocket is open for long, so its viewer is authenticated again for every operation, and the data loaders batch
    without caching.
    """

    __slots__ = (
        "_introspection", "_is_authenticated", "_is_socket", "_wanted_locale", "changes_cookie",
        "client", "compiles_operations", "connection_params", "cookie", "device_cookie", "has_files", "is_cookie",
        "loaders", "new_device_cookie", "services", "shows_unfinished", "takes_cookies", "token", "viewer",
    )  # fmt: skip

    def __init__(
        self,
        services: Services,
        *,
        token: str | None,
        is_cookie: bool,
        client: str,
        accept_language: str,
        is_socket: bool,
        introspection: Audience,
        device_cookie: str | None = None,
        compiles_operations: bool = True,
    ) -> None:
        self.services = services
        self.compiles_operations = compiles_operations
        self._introspection = introspection
        self.token = token
        self.is_cookie = is_cookie  # the token was sent in a cookie
        self.device_cookie = device_cookie  # the device token that was sent in a cookie
        self.client = client  # the IP address of the client
        self.takes_cookies = False  # whether the response can set a cookie; set by web/
        self.changes_cookie = False
        self.new_device_cookie: str | None = None  # to be set
        self.shows_unfinished = False  # whether it read a generation whose fields change without the account's version
        self.has_files = False  # whether files came with the operation
        self.cookie: NewSession | None = None  # to be set; None clears it, where `changes_cookie`
        self.connection_params: Mapping[str, Any] = {}  # of connection_init; Strawberry fills it in
        self._wanted_locale = locale.from_header(accept_language)
        self._is_socket = is_socket
        self.viewer: User | None = None  # the authenticated user; None when signed out
        self._is_authenticated = False
        self.loaders: dict[str, Any] = {}  # those that were used

    styles_by_collection = _Lazy(lambda context: DataLoader(context._load_styles, cache=False))
    queue_position = _Lazy(lambda context: _batching(context.services.generations.queue_estimates.positions))
    style_by_id = _Lazy(
        lambda context: _batching(lambda ids: context.services.catalogue.styles.by_ids(ids, context.viewer))
    )
    collection_by_id = _Lazy(lambda context: _batching(context.services.catalogue.styles.collections_by_ids))
    package_by_id = _Lazy(lambda context: _batching(context.services.billing.plans.packages_by_ids))
    plan_by_id = _Lazy(lambda context: _batching(context.services.billing.plans.plans_by_ids))
    user_by_id = _Lazy(lambda context: _owned(context, context._viewer_by_id, context.services.accounts.lookup.by_ids))
    generation_by_id = _Lazy(
        lambda context: _owned(
            context, context.services.gallery.lists.by_ids, context.services.gallery.lists.all_by_ids
        )
    )
    transaction_by_id = _Lazy(
        lambda context: _owned(
            context, context.services.billing.ledger.by_ids, context.services.billing.ledger.all_by_ids
        )
    )
    api_key_by_id = _Lazy(
        lambda context: _owned(
            context, context.services.accounts.api_keys.by_ids, context.services.accounts.api_keys.all_by_ids
        )
    )
    audit_entry_by_id = _Lazy(lambda context: _owned(context, _owns_none, context.services.events.audit_log.by_ids))
    payment_review_by_id = _Lazy(lambda context: _owned(context, _owns_none, context.services.payments.reviews.by_ids))
    api_keys_by_user = _Lazy(lambda context: DataLoader(context._load_api_keys, cache=False))
    pass_by_user = _Lazy(lambda context: _batching(passes.active_of))
    stats_by_user = _Lazy(lambda context: DataLoader(context._load_stats, cache=False))
    storage_by_user = _Lazy(lambda context: DataLoader(context._load_storage, cache=False))
    membership_by_user = _Lazy(lambda context: DataLoader(context._load_memberships, cache=False))

    def connect(self, token: str | None, wanted_locale: str | None) -> None:
        """Apply the payload of a WebSocket's connection_init."""
        if token:
            self.token, self.is_cookie = token, False
        self._wanted_locale = (locale.match(wanted_locale) if wanted_locale else None) or self._wanted_locale

    def of_events(self, viewer: User) -> "Context":
        """Return a context for the later events of a subscription, whose socket may sign in another user meanwhile."""
        context = copy.copy(self)
        context.loaders = {}
        context.connection_params = {}
        context.set_viewer(viewer)
        return context

    async def authenticate(self) -> User | None:
        """Load the viewer from the token; called before every operation. Return None when signed out."""
        if self._is_socket or not self._is_authenticated:
            self.viewer = await self._user_of(self.token) if self.token else None
            self._is_authenticated = not self._is_socket
        return self.viewer

    async def _user_of(self, token: str) -> User | None:
        return await (
            self.services.accounts.api_keys if is_api_key(token) else self.services.accounts.sessions
        ).user_of(token)

    @property
    def caller(self) -> str:
        """What limits count requests by: the account, or the client's address when signed out."""
        return self.viewer.id if self.viewer else f"client:{self.client}"

    @property
    def uses_api_key(self) -> bool:
        """Whether the request is authenticated by an API key rather than a session."""
        return self.token is not None and is_api_key(self.token)

    @property
    def is_admin(self) -> bool:
        """Whether the viewer is an admin signed in with a session; API keys have no admin rights."""
        return self.viewer is not None and self.viewer.role is not Role.USER and not self.uses_api_key

    @property
    def allows_introspection(self) -> bool:
        """Whether the viewer may introspect the schema."""
        return self._introspection is Audience.EVERYONE or (self._introspection is Audience.ADMINS and self.is_admin)

    def require_viewer(self) -> User:
        """Return the authenticated user. Raises UnauthenticatedError when signed out."""
        if self.viewer is None:
            raise UnauthenticatedError
        return self.viewer

    def require_admin(self) -> None:
        """Raises UnauthenticatedError when signed out, ForbiddenError unless `is_admin`."""
        self.require_viewer()
        if not self.is_admin:
            raise ForbiddenError

    def set_viewer(self, viewer: User | None) -> None:
        """Use `viewer` for the rest of this operation, after a sign-in, a sign-out or a change of the account."""
        self.viewer = viewer

    def require_cookies(self) -> None:
        """Raises InvalidInputError where the response cannot set a cookie: on WebSockets and streams."""
        if not self.takes_cookies:
            raise InvalidInputError(message("A cookie can be set only by an ordinary POST request."), ("cookie",))

    def set_cookie(self, session: NewSession | None) -> None:
        """Let the response set the session cookie; None clears it."""
        self.cookie, self.changes_cookie = session, True

    def set_device_cookie(self, device_token: str) -> None:
        """Let the response set the cookie by which this device is known when it signs in again."""
        self.new_device_cookie = device_token

    @property
    def locale(self) -> str:
        """The language of the response: the account's, else the one that the client requests, else the profile's."""
        saved = self.viewer.locale if self.viewer else None
        return saved or self._wanted_locale or locale.match(self.services.products.profile.locale) or locale.DEFAULT

    def translate(self, text: Message) -> str:
        """Return a message in the viewer's language."""
        return self.services.core.translator.translate(text, self.locale)

    def localize(self, texts: Mapping[str, str]) -> str:
        """Return a text in the viewer's language, where it has that, from its texts by language."""
        return locale.choose(texts, self.locale)

    async def _load_styles(self, keys: list[tuple[str, frozenset[str]]]) -> list[Sequence[AnyStyle]]:
        """Return the styles of collections with the wanted columns, by one statement for each set of columns."""
        found: dict[frozenset[str], Mapping[str, Sequence[AnyStyle]]] = {}
        for wanted in dict.fromkeys(wanted for _, wanted in keys):
            collection_ids = [collection_id for collection_id, columns in keys if columns == wanted]
            found[wanted] = await self.services.catalogue.styles.styles_of(collection_ids, wanted)
        return [found[wanted][collection_id] for collection_id, wanted in keys]

    async def _load_stats(self, user_ids: list[str]) -> list[Stats]:
        found = await self.services.gallery.stats.by_users(user_ids)
        return [found.get(user_id, Stats()) for user_id in user_ids]

    async def _load_storage(self, user_ids: list[str]) -> list[StorageUsage]:
        found = await self.services.media.quota.by_users(user_ids)
        return [found.get(user_id, StorageUsage()) for user_id in user_ids]

    async def _load_memberships(self, users: list[User]) -> list[CurrentMembership | None]:
        found = await self.services.billing.memberships.current_memberships(users)
        return [found.get(user.id) for user in users]

    async def _load_api_keys(self, user_ids: list[str]) -> list[list[ApiKey]]:
        found = await self.services.accounts.api_keys.by_users(user_ids)
        return [found.get(user_id, []) for user_id in user_ids]

    async def _viewer_by_id(self, user_id: str, ids: list[str]) -> dict[str, User]:
        return {user_id: self.viewer} if self.viewer and user_id in ids else {}


Info: TypeAlias = strawberry.Info[Context, None]
