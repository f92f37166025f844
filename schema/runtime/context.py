"""The context of every resolver: the services, the viewer, the language and the data loaders."""

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import strawberry
from strawberry.dataloader import DataLoader

from models import ApiKey, Identity, Session, User
from models.accounts import ActingKey
from models.catalogue_row import AnyStyle
from models.enum import Role
from models.generation_row import GenerationRow
from schema.runtime.access import Audience
from schema.runtime.loader import Lazy, batching, owned, owned_in, owns_none
from services.accounts.api_key import is_api_key
from services.accounts.connection_registry import Credential
from services.accounts.second_factor.recovery_code import count_by_users
from services.accounts.session import NewSession, SessionRead
from services.accounts.sign_ins.origin import SignInOrigin
from services.billing import key_budget, passes
from services.billing.grants import grant
from services.billing.membership import CurrentMembership
from services.core import locale
from services.core.error import (
    ForbiddenError,
    InvalidCredentialError,
    InvalidInputError,
    SessionEndedError,
    UnauthenticatedError,
)
from services.core.message import Message, message
from services.core.rate_limit import LimitUsage
from services.gallery.user_stats import Stats
from services.integrations.identity.issuer import is_external_token
from services.media.quota import StorageUsage
from services.services import Services


class Context:
    """The context of one HTTP request, or of one WebSocket for as long as it is open.

    A WebSocket is open for long, so its viewer is authenticated again for every operation, and the data loaders batch
    without caching.
    """

    __slots__ = (
        "_acting_key", "_introspection", "_is_authenticated", "_is_socket", "_wanted_locale", "address",
        "changes_cookie", "client", "compiles_operations", "connection_params", "cookie", "credential",
        "device_cookie", "has_files", "is_cookie", "is_live", "limits", "loaders", "new_device_cookie", "on_sign_out",
        "problem", "services", "session_read", "shows_unfinished", "takes_cookies", "user_agent", "viewer",
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
        user_agent: str = "",
        compiles_operations: bool = True,
        problem: Message | None = None,
        session_read: SessionRead | None = None,
    ) -> None:
        self.services = services
        self.compiles_operations = compiles_operations
        self._introspection = introspection
        self.credential = Credential(token)
        self.is_cookie = is_cookie  # the token was sent in a cookie
        self.problem = problem  # why the credential that was sent cannot be read
        self.session_read = session_read  # of the token, if it has begun before
        self.device_cookie = device_cookie  # the device token that was sent in a cookie
        self.client = client  # the IP address of the client
        self.address: str | None = None  # of this server, as the client reaches it; set by web/
        self.limits: LimitUsage | None = None  # that the operation has used; set by web/ where responses have headers
        self.user_agent = user_agent
        self.takes_cookies = False  # whether the response can set a cookie; set by web/
        self.changes_cookie = False
        self.new_device_cookie: str | None = None  # to be set
        self.shows_unfinished = False  # whether it read a generation whose fields change without the account's version
        self.has_files = False  # whether files came with the operation
        self.cookie: NewSession | None = None  # to be set; None clears it, where `changes_cookie`
        self.connection_params: Mapping[str, Any] = {}  # of connection_init; Strawberry fills it in
        self._wanted_locale = locale.from_header(accept_language)
        self._is_socket = is_socket
        self._acting_key: ActingKey | None = None  # that the request was authenticated by
        self.viewer: User | None = None  # the authenticated user; None when signed out
        self.is_live = False  # whether it is of a subscription's later events, before which `viewer` was read
        self.on_sign_out: Callable[[], None] | None = None  # of a socket: called when the viewer has become None
        self._is_authenticated = False
        self.loaders: dict[str, Any] = {}  # those that were used

    styles_by_collection = Lazy(lambda context: DataLoader(context._load_styles, cache=False))
    queue_position = Lazy(lambda context: batching(context.services.generations.queue_estimates.positions))
    style_by_id = Lazy(
        lambda context: batching(lambda ids: context.services.catalogue.styles.by_ids(ids, context.viewer))
    )
    collection_by_id = Lazy(lambda context: batching(context.services.catalogue.styles.collections_by_ids))
    package_by_id = Lazy(lambda context: batching(context.services.billing.plans.packages_by_ids))
    plan_by_id = Lazy(lambda context: batching(context.services.billing.plans.plans_by_ids))
    user_by_id = Lazy(lambda context: owned(context, context._viewer_by_id, context.services.accounts.lookup.by_ids))
    account_by_id = Lazy(lambda context: batching(context.services.accounts.lookup.by_ids))  # of anyone
    generation_by_id = Lazy(lambda context: owned_in(context, context.services.gallery.lists))
    album_by_id = Lazy(lambda context: owned_in(context, context.services.gallery.albums))
    albums_by_generation = Lazy(lambda context: batching(context.services.gallery.albums.of_generations))
    cover_by_album = Lazy(lambda context: batching(context.services.gallery.albums.covers))
    tag_by_id = Lazy(lambda context: owned_in(context, context.services.gallery.tags))
    tags_by_generation = Lazy(lambda context: batching(context.services.gallery.tags.of_generations))
    tags_by_user = Lazy(lambda context: batching(context.services.gallery.tags.by_users))
    batch_by_id = Lazy(lambda context: DataLoader(context._load_batches, cache=False))
    transaction_by_id = Lazy(lambda context: owned_in(context, context.services.billing.ledger))
    api_key_by_id = Lazy(lambda context: owned_in(context, context.services.accounts.api_keys))
    audit_entry_by_id = Lazy(lambda context: owned(context, owns_none, context.services.events.audit_log.by_ids))
    payment_review_by_id = Lazy(lambda context: owned(context, owns_none, context.services.payments.reviews.by_ids))
    webhook_endpoint_by_id = Lazy(lambda context: owned_in(context, context.services.webhooks.endpoints))
    webhook_delivery_by_id = Lazy(lambda context: owned_in(context, context.services.webhooks.deliveries))
    spent_by_key = Lazy(lambda context: batching(key_budget.spent_by))
    api_keys_by_user = Lazy(lambda context: DataLoader(context._load_api_keys, cache=False))
    recovery_codes_by_user = Lazy(lambda context: batching(count_by_users))
    identities_by_user = Lazy(lambda context: DataLoader(context._load_identities, cache=False))
    sessions_by_user = Lazy(lambda context: DataLoader(context._load_sessions, cache=False))
    pass_by_user = Lazy(lambda context: batching(passes.active_of))
    following_passes_by_user = Lazy(lambda context: batching(passes.following_of))
    referrals_by_user = Lazy(lambda context: batching(context.services.billing.referrals.counts))
    stats_by_user = Lazy(lambda context: DataLoader(context._load_stats, cache=False))
    storage_by_user = Lazy(lambda context: DataLoader(context._load_storage, cache=False))
    grants_by_user = Lazy(lambda context: batching(grant.open_grants))
    membership_by_user = Lazy(lambda context: DataLoader(context._load_memberships, cache=False))

    def connect(self, token: str | None, wanted_locale: str | None) -> None:
        """Apply the payload of a WebSocket's connection_init."""
        if token:
            self.credential.token, self.is_cookie, self.problem = token, False, None
        self._wanted_locale = (locale.match(wanted_locale) if wanted_locale else None) or self._wanted_locale

    def of_events(self, viewer: User) -> "Context":
        """Return a context for the later events of a subscription, whose socket may sign in another user meanwhile."""
        context = copy.copy(self)
        context.loaders = {}
        context.connection_params = {}
        context.on_sign_out = None
        context.is_live = True
        context.set_viewer(viewer, is_authenticated=True)
        return context

    @property
    def token(self) -> str | None:
        """The token of a session or an API key; None: signed out."""
        return self.credential.token

    async def authenticate(self) -> User | None:
        """Load the viewer from the token; called before every operation. Return None when signed out.

        A browser sends the cookie of an ended session with every request, also with the one that signs in again, so
        that is signed out.

        Raises:
            InvalidCredentialError: a token was sent otherwise, and does not work.
        """
        if self._is_socket or not self._is_authenticated:
            await self._load_viewer()
            self._is_authenticated = not self._is_socket
        return self.viewer

    async def _load_viewer(self) -> None:
        if self.problem is not None:
            raise InvalidCredentialError(self.problem)
        is_sent = bool(self.token) and not self.is_cookie
        viewer = await self._user_of(self.token) if self.token else None
        if viewer is None and not is_sent and (demo := self.services.accounts.demo) is not None:
            viewer, self.credential.token = await demo.sign_in()
            self.is_cookie = False
        if viewer is not None and (refills := self.services.billing.refills).is_due(viewer):
            # While the service is read-only, nothing is granted: the first request afterwards gets it.
            viewer = viewer if self.services.operations.maintenance.is_read_only else await refills.refill(viewer)
        self._acting_key = viewer.acting_key if viewer else None
        self.set_viewer(viewer, is_authenticated=True)
        if viewer is None and is_sent:
            raise InvalidCredentialError

    async def renew(self, token: str) -> None:
        """Replace the token of an open socket by another one of its account; streams go on with it.

        Raises:
            InvalidInputError: it is no socket, or signed out.
            InvalidCredentialError: the token does not work.
            ForbiddenError: it is another account's, or a key instead of a session.
        """
        user_id = self.credential.user_id
        if not self._is_socket or user_id is None:
            raise InvalidInputError(message("Only the token of an open, signed-in WebSocket can be renewed."))
        if is_external_token(token):
            user: User | None = await self.services.accounts.external.known_user_of(token)
        else:
            user = await self._user_of(token)
        if user is None:
            raise InvalidCredentialError
        if user.id != user_id or is_api_key(token) is not self.uses_api_key:
            raise ForbiddenError
        self.credential.token, self.is_cookie = token, False

    def _user_of(self, token: str) -> Awaitable[User | None]:
        accounts = self.services.accounts
        if is_external_token(token):
            return accounts.external.user_of(token, client=self.client)
        if is_api_key(token):
            return accounts.api_keys.user_of(token)
        return accounts.sessions.user_of(token, self.session_read)

    @property
    def origin(self) -> SignInOrigin:
        """What is kept of a sign-in by this request."""
        return SignInOrigin(self.client, self.user_agent)

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
        """Whether the viewer is an admin by a session with its second factor; API keys have no admin rights."""
        viewer = self.viewer
        if viewer is None or viewer.role is Role.USER or self.uses_api_key:
            return False
        return self.services.accounts.second_factor.access.is_open_to_admin(viewer)

    @property
    def allows_introspection(self) -> bool:
        """Whether the viewer may introspect the schema."""
        return self._introspection is Audience.EVERYONE or (self._introspection is Audience.ADMINS and self.is_admin)

    @property
    def suggests_names(self) -> bool:
        """Whether errors of documents may name what was probably meant: where the schema is secret to no one."""
        return self._introspection is Audience.EVERYONE

    def require_viewer(self) -> User:
        """Return the authenticated user. Raises UnauthenticatedError when signed out."""
        if self.viewer is None:
            raise SessionEndedError if self.is_cookie else UnauthenticatedError
        return self.viewer

    def require_admin(self) -> None:
        """Raises UnauthenticatedError when signed out, SecondFactorError or ForbiddenError unless `is_admin`."""
        viewer = self.require_viewer()
        if viewer.role is Role.USER or self.uses_api_key:
            raise ForbiddenError
        self.services.accounts.second_factor.access.require_for_admin(viewer)

    def set_viewer(self, viewer: User | None, *, is_authenticated: bool = False) -> None:
        """Use `viewer` for the rest of this operation, after a sign-in, a sign-out or a change of the account.

        `is_authenticated`: it was read with what its session has proved; otherwise it is a row that was read again.
        """
        before = self.viewer
        if viewer is not None and viewer.acting_key is None:
            viewer.acting_key = self._acting_key  # a row that was read again is still used by the same key
        if viewer is not None and not is_authenticated:
            viewer.proved_at = before.proved_at if before is not None and before.id == viewer.id else None
        self.viewer = viewer
        if viewer is None and self.on_sign_out is not None:
            self.on_sign_out()

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

    async def _load_batches(self, keys: list[tuple[str, frozenset[str]]]) -> list[Sequence[GenerationRow]]:
        """Return the viewer's batches, for admins every user's, with the wanted attributes of their generations."""
        viewer, found = self.viewer, dict[frozenset[str], Mapping[str, Sequence[GenerationRow]]]()
        if viewer is None:
            return [()] * len(keys)
        user_id = None if self.is_admin else viewer.id
        for wanted in dict.fromkeys(wanted for _, wanted in keys):
            batch_ids = [batch_id for batch_id, attributes in keys if attributes == wanted]
            found[wanted] = await self.services.gallery.lists.by_batches(user_id, batch_ids, wanted)
        return [found[wanted].get(batch_id, ()) for batch_id, wanted in keys]

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

    async def _load_identities(self, user_ids: list[str]) -> list[list[Identity]]:
        found = await self.services.accounts.identities.by_users(user_ids)
        return [found.get(user_id, []) for user_id in user_ids]

    async def _load_sessions(self, user_ids: list[str]) -> list[list[Session]]:
        found = await self.services.accounts.sessions.by_users(user_ids)
        return [found.get(user_id, []) for user_id in user_ids]

    async def _viewer_by_id(self, user_id: str, ids: list[str]) -> dict[str, User]:
        return {user_id: self.viewer} if self.viewer and user_id in ids else {}


Info: TypeAlias = strawberry.Info[Context, None]
