"""Sign-in with tokens of external identity providers: with every request, or once for a session."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from models import User
from services.accounts.email_verification import VerificationService
from services.accounts.identity.external_account import ExternalAccounts
from services.accounts.identity.identity_table import FoundIdentity, IdentityTable
from services.accounts.identity.nonce import Nonces
from services.accounts.role import RoleService
from services.accounts.session import NewSession, SessionService, SessionState
from services.accounts.sign_ins.origin import UNKNOWN_ORIGIN, SignInOrigin
from services.core.error import InvalidCredentialError, InvalidInputError, UnavailableError
from services.core.message import Message, message
from services.integrations.identity.issuer import ExternalToken, InvalidTokenError, IssuerUnavailableError

if TYPE_CHECKING:  # it imports the library, which a server without issuers does not need
    from services.integrations.identity.sign_in_page import SignInPage, SignInPages
    from services.integrations.identity.token_verifier import TokenVerifier

_NOT_ACCEPTED = message("This token is not accepted here: its issuer, its audience or its signature is another one.")
_EXPIRED = message("This token has expired. Please sign in again.")
_UNREACHABLE = message("The identity provider cannot be reached right now. Please try again later.")
_FIELD = ("idToken",)


class ExternalSignIns:
    """Signs in users of the configured issuers; `verifier` is None where there are none, `pages` where none has one."""

    def __init__(
        self,
        verifier: "TokenVerifier | None",
        pages: "SignInPages | None",
        accounts: ExternalAccounts,
        table: IdentityTable,
        nonces: Nonces,
        sessions: SessionService,
        verification: VerificationService,
        roles: RoleService,
    ) -> None:
        self._verifier = verifier
        self._pages = pages
        self._accounts = accounts
        self._table = table
        self._nonces = nonces
        self._sessions = sessions
        self._verification = verification
        self._roles = roles

    @property
    def issuers(self) -> list[str]:
        """The issuers whose tokens are accepted."""
        return list(self._verifier.issuers) if self._verifier is not None else []

    async def pages(self) -> "list[SignInPage]":
        """Return the issuers' pages to which a client may send the browser."""
        return await self._pages.found() if self._pages is not None else []

    async def user_of(self, text: str, *, client: str) -> User:
        """Return the user of a token that came with a request; the first time, the account is created.

        Raises:
            InvalidCredentialError: the token is not accepted, was signed out of, or its account may not sign in.
            RateLimitedError: the client at this address created too many accounts.
            UnavailableError: the issuer cannot be reached, or the deployment is read-only.
        """
        token = await self._verify(text)
        found = await self._table.find(token, text)
        if found is None:
            found = await self._accounts.create(token, text, client=client)
        user = self._allowed(found)
        await self._table.record_use(token, found)
        return user

    async def known_user_of(self, text: str) -> User:
        """Return the user of a token, which has an account already. Raises as `user_of`."""
        return self._allowed(await self._table.find(await self._verify(text), text))

    @staticmethod
    def _allowed(found: FoundIdentity | None) -> User:
        if found is None or not found.may_sign_in:
            raise InvalidCredentialError
        return found.user

    async def users_of(self, texts: Sequence[str]) -> dict[str, User]:
        """Return the users of several tokens, without those that do not work now."""
        tokens: dict[str, ExternalToken] = {}
        for text in texts:
            try:
                tokens[text] = await self._verify(text)
            except (InvalidCredentialError, UnavailableError):
                continue
        found = await self._table.find_all(tokens) if tokens else {}
        return {text: one.user for text, one in found.items() if one.may_sign_in}

    async def states_of(self, texts: Sequence[str]) -> dict[str, SessionState]:
        """Return the states of several tokens, without those that do not work now; none proves a second factor."""
        return {text: SessionState.of(user) for text, user in (await self.users_of(texts)).items()}

    async def _verify(self, text: str) -> ExternalToken:
        if self._verifier is None:
            raise InvalidCredentialError(_NOT_ACCEPTED)
        try:
            return await self._verifier.verify(text)
        except InvalidTokenError as error:
            raise InvalidCredentialError(_EXPIRED if error.expired else _NOT_ACCEPTED) from None
        except IssuerUnavailableError:
            raise UnavailableError(_UNREACHABLE) from None

    def new_nonce(self) -> tuple[str, datetime]:
        """Return a nonce for one sign-in at an issuer, and when it expires."""
        return self._nonces.issue()

    async def sign_in(self, text: str, nonce: str, *, client: str, origin: SignInOrigin = UNKNOWN_ORIGIN) -> NewSession:
        """Open a session for the user of an ID token, which has the nonce.

        The identity of an account that was deleted, or has unlinked it, signs up again. `client`: the client's
        address.

        Raises:
            InvalidInputError: the token or the nonce is not accepted, or the account may not be used.
            RateLimitedError, UnavailableError: as `user_of`.
            SuspendedError: the account is suspended.
        """
        token = await self._verify_for(text, nonce)
        found = await self._table.find(token, text)
        try:
            if found is not None and (found.is_unlinked or found.user.deleted_at is not None):
                await self._accounts.forget(token, found.user)
                found = None
            if found is None:
                found = await self._accounts.create(token, text, client=client)
        except InvalidCredentialError as error:
            raise InvalidInputError(error.message, _FIELD) from None
        if found.is_ended or found.is_unlinked:
            raise self._refusal(_NOT_ACCEPTED)
        await self._accounts.refresh(token)
        return await self._sessions.open(await self._roles.apply_admin_emails(found.user), origin)

    async def link(self, user: User, session: str | None, text: str, nonce: str, locale: str) -> User:
        """Let the user of an ID token sign in to the account `user`, too. `session`: the token of the request.

        The account's address gets a notice. `locale`: the language of the request.

        Raises:
            ConflictError: the user at the issuer has an account already.
            ForbiddenError: the session did not begin within the last minutes, so that a stolen one does not suffice.
            InvalidInputError: as `sign_in`.
            UnverifiedEmailError: the account's address is not verified, so that it may be someone else's.
        """
        if user.has_address:
            self._verification.require(user)
        if not user.is_guest:  # whose session is all that leads to it, and cannot be opened again
            await self._sessions.require_recent(user.id, session)
        return await self._accounts.link(user, await self._verify_for(text, nonce), locale)

    async def _verify_for(self, text: str, nonce: str) -> ExternalToken:
        try:
            token = await self._verify(text)
        except InvalidCredentialError as error:
            raise self._refusal(error.message) from None
        await self._nonces.use(nonce, token.nonce)
        return token

    @staticmethod
    def _refusal(text: Message) -> InvalidInputError:
        return InvalidInputError(text, _FIELD)
