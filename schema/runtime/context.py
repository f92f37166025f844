"""What every resolver gets: the services, who is asking, and in which language to answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from models import ApiKey, Style, User
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
from services.services import Services

T = TypeVar("T")


class Context:
    """The context of one HTTP request, or of one WebSocket for as long as it lives.

    A socket lives long: its viewer is looked up again for every operation, and loaders gather but never remember.
    """

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
    ) -> None:
        self.services = services
        self._introspection = introspection
        self.token = token
        self.is_cookie = is_cookie  # the token came in a cookie
        self.client = client  # the address that the request or the socket comes from
        self.takes_cookies = False  # the answer can set one; said by the web, which sets it
        self.changes_cookie = False
        self.cookie: NewSession | None = None  # to be set, or cleared, where `changes_cookie`
        self.connection_params: Mapping[str, Any] = {}  # of connection_init; Strawberry fills it in
        self._wanted_locale = locale.from_header(accept_language)
        self._is_socket = is_socket
        self._viewer: User | None = None
        self._looked_up = False
        self.styles_by_collection: DataLoader[str, list[Style]] = DataLoader(self._load_styles, cache=False)
        self.queue_position = _gathering(services.generations.queue_estimates.positions)
        self.style_by_id = _gathering(lambda ids: services.catalogue.styles.by_ids(ids, self._viewer))
        self.collection_by_id = _gathering(services.catalogue.styles.collections_by_ids)
        self.package_by_id = _gathering(services.billing.plans.packages_by_ids)
        self.plan_by_id = _gathering(services.billing.plans.plans_by_ids)
        self.user_by_id = self._own(self._themselves, services.accounts.lookup.by_ids)
        self.generation_by_id = self._own(services.gallery.lists.by_ids, services.gallery.lists.all_by_ids)
        self.transaction_by_id = self._own(services.billing.ledger.by_ids, services.billing.ledger.all_by_ids)
        self.api_key_by_id = self._own(services.accounts.api_keys.by_ids, services.accounts.api_keys.all_by_ids)
        self.audit_entry_by_id = self._own(_nothing, services.events.audit_log.by_ids)
        self.api_keys_by_user: DataLoader[str, list[ApiKey]] = DataLoader(self._load_api_keys, cache=False)
        self.pass_by_user = _gathering(passes.active_of)
        self.stats_by_user: DataLoader[str, Stats] = DataLoader(self._load_stats, cache=False)
        self.membership_by_user: DataLoader[User, CurrentMembership | None] = DataLoader(
            self._load_memberships, cache=False
        )

    def connect(self, token: str | None, wanted_locale: str | None) -> None:
        """Take what a socket's connection_init says."""
        if token:
            self.token, self.is_cookie = token, False
        self._wanted_locale = (locale.match(wanted_locale) if wanted_locale else None) or self._wanted_locale

    async def look_up(self) -> User | None:
        """Find out who is asking; done before every operation."""
        if self._is_socket or not self._looked_up:
            self._viewer = await self._user_of(self.token) if self.token else None
            self._looked_up = not self._is_socket
        return self._viewer

    async def _user_of(self, token: str) -> User | None:
        return await (
            self.services.accounts.api_keys if is_api_key(token) else self.services.accounts.sessions
        ).user_of(token)

    @property
    def uses_api_key(self) -> bool:
        """Whether a program asks with an API key, rather than a person who signed in."""
        return self.token is not None and is_api_key(self.token)

    @property
    def is_admin(self) -> bool:
        """Whether an admin asks who signed in: no key that lies about in a script can do what admins do."""
        return self._viewer is not None and self._viewer.role is not Role.USER and not self.uses_api_key

    @property
    def allows_introspection(self) -> bool:
        """Whether who asks may read the schema."""
        return self._introspection is Audience.EVERYONE or (self._introspection is Audience.ADMINS and self.is_admin)

    @property
    def viewer(self) -> User | None:
        """Who is asking; None when signed out."""
        return self._viewer

    def require_viewer(self) -> User:
        """Who is asking. Raises UnauthenticatedError when signed out."""
        if self._viewer is None:
            raise UnauthenticatedError
        return self._viewer

    def require_admin(self) -> None:
        """Raises UnauthenticatedError when signed out, ForbiddenError where it is no admin who asks."""
        self.require_viewer()
        if not self.is_admin:
            raise ForbiddenError

    def become(self, viewer: User | None) -> None:
        """Answer the rest of this operation as to `viewer`: who has just signed in, changed, or signed out."""
        self._viewer = viewer

    def require_cookies(self) -> None:
        """Raises InvalidInputError where the answer cannot set a cookie: on sockets and streams."""
        if not self.takes_cookies:
            raise InvalidInputError(message("A cookie can be set only by an ordinary POST request."), ("cookie",))

    def set_cookie(self, session: NewSession | None) -> None:
        """Let the answer keep a sign-in in a cookie; None clears it."""
        self.cookie, self.changes_cookie = session, True

    @property
    def locale(self) -> str:
        """The language to answer in: the saved one, else what the client asked for, else the profile's."""
        saved = self._viewer.locale if self._viewer else None
        return saved or self._wanted_locale or locale.match(self.services.products.profile.locale) or locale.DEFAULT

    def translate(self, text: Message) -> str:
        """A message in the caller's language."""
        return self.services.core.translator.translate(text, self.locale)

    def choose(self, texts: Mapping[str, str]) -> str:
        """Of a text in several languages, the caller's."""
        return locale.choose(texts, self.locale)

    async def _load_styles(self, collection_ids: list[str]) -> list[list[Style]]:
        found = await self.services.catalogue.styles.styles_of(collection_ids)
        return [found[collection_id] for collection_id in collection_ids]

    async def _load_stats(self, user_ids: list[str]) -> list[Stats]:
        found = await self.services.gallery.stats.by_users(user_ids)
        return [found.get(user_id, Stats()) for user_id in user_ids]

    async def _load_memberships(self, users: list[User]) -> list[CurrentMembership | None]:
        found = await self.services.billing.memberships.current_memberships(users)
        return [found.get(user.id) for user in users]

    async def _load_api_keys(self, user_ids: list[str]) -> list[list[ApiKey]]:
        found = await self.services.accounts.api_keys.by_users(user_ids)
        return [found.get(user_id, []) for user_id in user_ids]

    async def _themselves(self, user_id: str, wanted: list[str]) -> dict[str, User]:
        return {user_id: self._viewer} if self._viewer and user_id in wanted else {}

    def _own(
        self,
        by_ids: Callable[[str, list[str]], Awaitable[dict[str, T]]],
        everybodys: Callable[[list[str]], Awaitable[dict[str, T]]],
    ) -> DataLoader[str, T | None]:
        """A loader of the viewer's own objects; of everybody's for admins, and of none for who is not signed in."""

        async def find(ids: list[str]) -> dict[str, T]:
            if self.is_admin:
                return await everybodys(ids)
            return await by_ids(self._viewer.id, ids) if self._viewer else {}

        return _gathering(find)


async def _nothing(user_id: str, ids: list[str]) -> dict[str, Any]:
    """What anybody has of what belongs to nobody."""
    return {}


def _gathering(find: Callable[[list[str]], Awaitable[Mapping[str, T]]]) -> DataLoader[str, T | None]:
    """A loader of what `find` knows by id, null where it knows nothing; it gathers, and remembers nothing."""

    async def load(ids: list[str]) -> list[T | None]:
        found = await find(ids)
        return [found.get(id) for id in ids]

    return DataLoader(load, cache=False)


Info: TypeAlias = strawberry.Info[Context, None]
