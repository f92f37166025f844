"""Account deletion: the account's personal data is removed, its ledger is kept."""

from datetime import UTC, datetime

import structlog

from models import (
    AccountPresence,
    Album,
    ApiKey,
    Archive,
    DataExport,
    Generation,
    IdempotencyKey,
    Identity,
    MailToken,
    ResultNotice,
    Session,
    Style,
    Tag,
    Upload,
    User,
    WebhookEndpoint,
)
from models.database.connection import rows, run_tx
from models.enum import ExportState, Role
from services.accounts.credential import parse_email
from services.accounts.identity import identity_table
from services.accounts.password_check import NO_PROOF, DeviceProof, PasswordChecks
from services.accounts.second_factor.factor_row import delete_factor
from services.accounts.session import SessionService
from services.billing.grants import expiry
from services.catalogue.style_picture import discard_pictures
from services.core.crashpoint import crashpoint
from services.core.error import InvalidInputError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.gallery.deletion import DeletionService
from services.media.upload import UploadService
from services.payments.subscription_cancellation import SubscriptionCancellation

log = structlog.get_logger(__name__)

_BATCH = 100  # generations in one transaction


class AccountDeletionService:
    """Deletes accounts: what does not fit into one transaction is finished by this request or by the sweeper."""

    def __init__(
        self,
        passwords: PasswordChecks,
        deletion: DeletionService,
        uploads: UploadService,
        subscriptions: SubscriptionCancellation,
        events: EventPublisher,
        sessions: SessionService,
    ) -> None:
        self._passwords = passwords
        self._deletion = deletion
        self._uploads = uploads
        self._subscriptions = subscriptions
        self._events = events
        self._sessions = sessions

    async def delete(
        self,
        user: User,
        password: str | None,
        confirm_email: str,
        *,
        session: str | None = None,
        client: str,
        proof: DeviceProof = NO_PROOF,
    ) -> None:
        """Delete an account: end its sessions, API keys and shares at once, then delete its pictures.

        Its subscriptions are canceled, too: now, or by the hourly job if the payment provider does not respond.
        Accounts without a password need a recent sign-in instead, except guests, who cannot sign in again. `session`:
        the token of the request. `client`: the client's address.

        Raises:
            ForbiddenError: the sign-in is not recent, so that a stolen session does not suffice.
            InvalidInputError: the address is not the account's, or the password is wrong.
            RateLimitedError: there were too many wrong passwords, for this account or from this client.
        """
        if not self._is_confirmed(user, confirm_email):
            raise InvalidInputError(message("This is not the account's address."), field=("confirmEmail",))
        if user.password_hash:
            if not await self._passwords.verify(user.email, user, password or "", client=client, proof=proof):
                raise self._wrong_password()
        elif not user.is_guest:
            await self._sessions.require_recent_sign_in(user.id, session)
        account = await run_tx(self._anonymize, user)
        if account is None:  # a concurrent request changed the password or deleted the account
            raise self._wrong_password()
        await self.complete(user, account)

    async def delete_guest(self, user_id: str) -> bool:
        """Delete a guest whom no session leads to any more; return whether it was one still."""
        user = await User.get(id=user_id)
        account = await run_tx(self._anonymize, user) if user.is_guest else None
        if account is None:  # it was completed meanwhile
            return False
        await self.complete(user, account)
        return True

    async def complete(self, user: User, account: AccountChange) -> None:
        """Finish a deletion after its commit, and publish it. `user`: the account before."""
        crashpoint("account_deletion.committed")
        log.info("account.deleted", user=user.id)
        await self._events.sign_ins_changed(user.id)
        await self._events.account_changed(account)
        try:
            await self._uploads.remove_bytes_of(user.id)
            await self.finish(user.id)
            await self._subscriptions.cancel_for_user(user.id)
        except Exception:  # the account is deleted; the sweeper and the hourly job finish the rest
            log.warning("account.deletion_incomplete", user=user.id, exc_info=True)

    @staticmethod
    def _is_confirmed(user: User, confirm_email: str) -> bool:
        if not user.has_address:
            return confirm_email == user.id
        try:
            return parse_email(confirm_email.strip()).is_of(user)
        except InvalidInputError:
            return False

    @staticmethod
    def _wrong_password() -> InvalidInputError:
        return InvalidInputError(message("The password is wrong."), field=("password",))

    @staticmethod
    async def _anonymize(user: User) -> AccountChange | None:
        account = await account_change.bump_version(user.id)
        if not await anonymize(user):
            return None
        crashpoint("account_deletion.before_commit")
        return account

    async def finish(self, user_id: str) -> bool:
        """Delete all remaining generations of a deleted account; safe to repeat. Returns True."""
        while (
            remaining := await Generation.filter(user_id=user_id, deleted_at__isnull=True)
            .order_by("id")
            .limit(_BATCH)
            .values_list("id")
        ):
            await self._deletion.delete(user_id, [id for (id,) in remaining])
            crashpoint("account_deletion.begun")
        await IdempotencyKey.filter(user_id=user_id).delete()  # of a submission that was in progress
        return True

    async def unfinished(self, limit: int) -> list[str]:
        """Return ids of deleted accounts that still have generations."""
        found = await rows(
            "SELECT id FROM users WHERE deleted_at IS NOT NULL AND EXISTS"
            " (SELECT 1 FROM generations WHERE user_id = users.id AND generations.deleted_at IS NULL)"
            " ORDER BY deleted_at DESC LIMIT $1",
            limit,
        )
        return [row["id"] for row in found]


async def anonymize(user: User) -> bool:
    """Remove the personal data of an account and every way to it, in a transaction that holds its lock.

    Returns False if a concurrent request changed its password or its address.
    """
    unchanged = User.filter(id=user.id, password_hash=user.password_hash, email=user.email)
    updated = await unchanged.update(
        email=f"{user.id}@deleted.invalid",
        mail_address=None,
        email_verified=False,
        owner_proven=False,
        password_hash="",  # matches no password
        is_guest=False,
        name=None,
        image=None,
        locale=None,
        role=Role.USER,
        is_member=False,
        member_since=None,
        plan_id=None,
        member_until=None,
        has_grants=False,
        notify_by_mail=False,
        deleted_at=datetime.now(UTC),
    )
    if not updated:
        return False
    await delete_factor(user.id)
    await expiry.discard(user.id)
    owned_rows = (Session, ApiKey, MailToken, IdempotencyKey, WebhookEndpoint, Album, Tag, Archive)
    for owned in (*owned_rows, AccountPresence, ResultNotice):
        await owned.filter(user_id=user.id).delete()
    # Kept without the name at the issuer: the account must not come back with the next token of an open page.
    await identity_table.end_tokens(user.id)
    await Identity.filter(user_id=user.id).update(subject="", email=None, name=None)
    await Upload.filter(owner_id=user.id).update(idempotency_key=None)
    await DataExport.filter(owner_id=user.id).update(state=ExportState.DELETING)
    pictures = await Style.filter(owner_id=user.id, picture_id__isnull=False).values_list("picture_id")
    if pictures:
        await discard_pictures([id for (id,) in pictures])
    # The rows stay, because generations refer to them.
    await Style.filter(owner_id=user.id).update(
        picture_id=None,
        picture_folder_id=None,
        title={},
        description={},
        category=None,
        search_text="",
        prompt="",
        prompt_without_photo=None,
        variables=[],
        is_active=False,
    )
    await rows(
        "UPDATE generations SET share_slug = NULL, shared_at = NULL, version = version + 1, updated_at = NOW()"
        " WHERE user_id = $1 AND deleted_at IS NULL AND share_slug IS NOT NULL RETURNING id",
        user.id,
    )
    return True
