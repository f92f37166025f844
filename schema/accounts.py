"""GraphQL types of accounts: users, sessions, API keys, verification, statistics, export and deletion."""

from datetime import datetime

import strawberry

import models
from models import ids
from models.generation_row import all_final
from schema.account_usage import UserStats, UserStorage
from schema.albums import Album, Tag, album_key
from schema.billing import (
    CreditTransaction,
    ExpiringCredits,
    FollowingPass,
    Membership,
    Pass,
    Referrals,
    TransactionFilter,
)
from schema.credential import ApiKey, SecondFactor, Session
from schema.generations import Generation, GenerationFilter, generation_key
from schema.identity import Identity
from schema.runtime.attribute import attributes_of
from schema.runtime.connection import Connection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import GenerationOrder, Role
from schema.runtime.loaded import counted
from schema.runtime.node import Node
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.accounts.secret_token import hash_token
from services.billing import ledger
from services.billing.entitlement import is_member
from services.gallery import gallery

_DEVICE = (
    "The newest `deviceToken` that this device got for the account: then wrong passwords that others send do not lock "
    "it out. Browsers need none: `cookie` sets one, too."
)


@strawberry.type(description="An account.")
class User(Node):
    row: strawberry.Private[models.User]
    email: str | None = strawberry.field(
        description="Visible to the owner and admins; null: the account is deleted, a guest, or has none: an identity "
        "provider has named no verified one."
    )
    email_verified: bool
    is_guest: bool = strawberry.field(description="Whether it has no address and no password yet, only its session.")
    name: str | None
    image: str | None = strawberry.field(
        description="Image URL from an identity provider; null for accounts that use none."
    )
    role: Role
    locale: str | None = strawberry.field(description="The language that the user has chosen; null: none.")
    notify_by_mail: bool = strawberry.field(
        description="Whether mail is sent when an order has ended and the account has no socket or stream open."
    )
    suspended_at: datetime | None = strawberry.field(
        description="When an admin suspended the account, which ended its sessions; null: not suspended."
    )
    credits: int
    is_member: bool = strawberry.field(
        description="Whether a subscription or an admin's grant makes the account a member now."
    )
    version: int = strawberry.field(
        description="Increases by one with every committed change of balance, entitlement, profile, or a generation's "
        "existence or status; stages and progress change Generation.version only."
    )
    created_at: datetime

    @strawberry.field(
        description="Whether the balance is below the product's `credits_low`, by which webhooks send `credits.low` "
        "unless they have a threshold of their own."
    )
    def has_low_credits(self, info: Info) -> bool:
        profile = info.context.services.products.profile
        return profile.sells_credits and self.row.credits < profile.limits.credits_low

    @strawberry.field(
        description="The credits that expire, soonest first; they are spent in this order, before those that never do. "
        "Once they have expired, a ledger line takes what is left."
    )
    async def expiring_credits(self, info: Info) -> list[ExpiringCredits]:
        if not self.row.has_grants:
            return []
        return ExpiringCredits.of(await info.context.grants_by_user.load(self.row.id) or ())

    @strawberry.field(description="The most generations that one request may create.")
    async def max_batch(self, info: Info) -> int:
        return (await info.context.services.billing.entitlements.of(self.row)).max_batch

    @strawberry.field(description="The active membership; null: none.")
    async def membership(self, info: Info) -> Membership | None:
        standing = await info.context.membership_by_user.load(self.row)
        return Membership.of(standing) if standing else None

    @strawberry.field(
        description="When an account that signed up with this code first pays for an order, both accounts receive a "
        "bonus.",
    )
    async def referral_code(self, info: Info) -> str:
        return await info.context.services.billing.referrals.code_of(self.row)

    @strawberry.field(
        name="pass", description="The active pass; one that starts after it is not active yet. Null: none."
    )
    async def active_pass(self, info: Info) -> Pass | None:
        found = await info.context.pass_by_user.load(self.row.id)
        return Pass.of(found) if found else None

    @strawberry.field(description="Passes that are paid for and begin when those before them end, the next first.")
    async def following_passes(self, info: Info) -> list[FollowingPass]:
        return FollowingPass.all_of(await info.context.following_passes_by_user.load(self.row.id))

    @strawberry.field(description="How many accounts signed up with its code.")
    async def referrals(self, info: Info) -> Referrals:
        return Referrals.of(await info.context.referrals_by_user.load(self.row.id))

    @strawberry.field
    async def stats(self, info: Info) -> UserStats:
        return UserStats.of(await info.context.stats_by_user.load(self.row.id))

    @strawberry.field
    async def storage(self, info: Info) -> UserStorage:
        usage = await info.context.storage_by_user.load(self.row.id)
        return UserStorage.of(usage, info.context.services.media.quota)

    @strawberry.field(description="One of the account's generations; null: none with this ID.")
    async def generation(self, info: Info, id: strawberry.ID) -> Generation | None:
        found = None
        if ids.is_id(id, ids.GENERATION):
            found = await info.context.services.gallery.lists.find(self.row.id, id, attributes_of(info))
        if found is None:
            return None
        info.context.shows_unfinished |= not found.status.is_final
        return Generation.of(found)

    @strawberry.field(
        description="The account's generations. `first` or `last` is 1 to 100, else INVALID_INPUT; with neither, the "
        "first 20.",
    )
    async def generations(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: GenerationFilter | None = None,
        order_by: GenerationOrder | None = gallery.GenerationOrder.NEWEST,
    ) -> Connection[Generation]:
        order = order_by or gallery.GenerationOrder.NEWEST
        page = await info.context.services.gallery.lists.generations(
            self.row.id,
            page_request(generation_key(order), first, after, last, before, order, prefix=ids.GENERATION),
            filter.criteria() if filter else None,
            order,
            attributes_of(info),
        )
        info.context.shows_unfinished |= not all_final(page.items)
        return Connection(page=page, order=order, nodes=Generation.all_of(page.items))

    @strawberry.field(description="The account's albums, in their order; pages as of `generations`.")
    async def albums(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Album]:
        request = page_request(album_key, first, after, last, before, prefix=ids.ALBUM)
        return Connection.of(await info.context.services.gallery.albums.page(self.row.id, request), Album.of)

    @strawberry.field(description="The account's tags, by their names.")
    async def tags(self, info: Info) -> list[Tag]:
        return [Tag.of(row) for row in counted(await info.context.tags_by_user.load(self.row.id) or ())]

    @strawberry.field(description="The ledger, newest first.")
    async def transactions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: TransactionFilter | None = None,
    ) -> Connection[CreditTransaction]:
        page = await info.context.services.billing.ledger.transactions(
            self.row.id,
            page_request(int, first, after, last, before, prefix=None),
            filter.criteria() if filter else ledger.TransactionFilter(),
        )
        return Connection.of(page, CreditTransaction.of)

    @strawberry.field(
        description="The payment provider's page on which the viewer manages a paid plan; null without one, for other "
        "accounts and for API keys, and if the provider's customer has another address than the viewer has verified. "
        "The URL is created for each request and gives access without a password, so request it only when it is "
        "needed."
    )
    async def billing_portal_url(self, info: Info) -> str | None:
        viewer = info.context.viewer
        if viewer is None or viewer.id != self.row.id or info.context.uses_api_key:
            return None
        return await info.context.services.payments.checkouts.portal_url(self.row)

    @strawberry.field(description="The account's API keys, newest first.")
    async def api_keys(self, info: Info) -> list[ApiKey]:
        return [ApiKey.of(row) for row in await info.context.api_keys_by_user.load(self.row.id)]

    @strawberry.field(
        description="The account's open sessions, the last used first, 100 at most; null for API keys.",
    )
    async def sessions(self, info: Info) -> list[Session] | None:
        if info.context.uses_api_key:
            return None
        current = hash_token(info.context.token) if info.context.token else None
        return [Session.of(row, current) for row in await info.context.sessions_by_user.load(self.row.id)]

    @strawberry.field(description="The account's second factor; null: it has none, and for API keys.")
    def second_factor(self, info: Info) -> SecondFactor | None:
        since, viewer = self.row.second_factor_since, info.context.viewer
        if since is None or viewer is None or info.context.uses_api_key:
            return None
        is_proved = viewer.id == self.row.id and viewer.has_proved_factor
        return SecondFactor(user_id=self.row.id, since=since, is_proved=is_proved)

    @strawberry.field(
        description="Who can sign in to the account at identity providers, the first linked first; null for API keys.",
    )
    async def identities(self, info: Info) -> list[Identity] | None:
        if info.context.uses_api_key:
            return None
        return [Identity.of(row) for row in await info.context.identities_by_user.load(self.row.id)]

    @classmethod
    def of(cls, row: models.User) -> "User":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            email=row.address if row.deleted_at is None and row.has_address else None,
            is_guest=row.is_guest,
            email_verified=row.email_verified,
            name=row.name,
            image=row.image,
            role=row.role,
            locale=row.locale,
            notify_by_mail=row.notify_by_mail,
            suspended_at=row.suspended_at,
            credits=row.credits,
            is_member=is_member(row),
            version=row.version,
            created_at=row.created_at,
        )


@strawberry.input
class SignUpInput:
    email: str
    password: str
    name: str | None = strawberry.UNSET
    locale: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Any BCP 47 tag, such as `navigator.language`. Without texts in that language, the account keeps "
        "none, and each request's own applies.",
    )
    referral_code: str | None = strawberry.field(
        default=strawberry.UNSET, description="The referral code of another account; an unknown code: INVALID_INPUT."
    )
    cookie: bool | None = strawberry.field(
        default=False,
        description="Set the session token in an HttpOnly cookie; `token` is then null. The session of a guest that "
        "was sent in this cookie ends.",
    )


@strawberry.input
class SignInInput:
    email: str
    password: str
    cookie: bool | None = strawberry.field(
        default=False, description="Set the session token in an HttpOnly cookie; `token` is then null."
    )
    device_token: str | None = strawberry.field(default=strawberry.UNSET, description=_DEVICE)
    code: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of the authenticator app, or a recovery code: proves the second factor of an account that has "
        "one, as verifySecondFactor does. If it is wrong, no session is opened.",
    )


@strawberry.input
class SignInByLinkInput:
    token: str = strawberry.field(description="Of the mailed link.")
    cookie: bool | None = strawberry.field(
        default=False, description="Set the session token in an HttpOnly cookie; `token` is then null."
    )


@strawberry.input(description="Omitted fields stay unchanged.")
class UpdateProfileInput:
    name: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    notify_by_mail: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether to mail the account when an order has ended and it has no socket or stream open; needs a "
        "verified address. Null: no.",
    )


@strawberry.input
class ChangePasswordInput:
    current: str
    new: str
    device_token: str | None = strawberry.field(default=strawberry.UNSET, description=_DEVICE)


@strawberry.input
class RequestEmailChangeInput:
    email: str = strawberry.field(description="The new address, to which a link is mailed.")
    password: str | None = strawberry.field(
        default=strawberry.UNSET, description="Required unless this session began within the last 15 minutes."
    )
    device_token: str | None = strawberry.field(default=strawberry.UNSET, description=_DEVICE)


@strawberry.type
class SessionPayload(Payload):
    token: str | None = strawberry.field(
        default=None, description="For the `Authorization: Bearer` header; returned only once."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When the session ends unless it is used before: each use moves it on."
    )
    user: User | None = None
    device_token: str | None = strawberry.field(
        default=None,
        description="To be kept when signed out, and sent with this device's next sign-in. Valid for a year, and until "
        "the password changes. It does not sign in.",
    )
    must_verify_email: bool = strawberry.field(
        default=False,
        description="No session was opened: a mail says how to continue. It is the same whether the address has an "
        "account or not.",
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class MergeTokenPayload(Payload):
    token: str | None = strawberry.field(
        default=None, description="For mergeGuest; works once, while this session of the guest exists."
    )
    expires_at: datetime | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class MergeGuestPayload(Payload):
    user: User | None = None
    moved_generations: int = 0
    moved_credits: int = strawberry.field(default=0, description="Without the guest's bonus, which is not moved.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class SignOutPayload:
    sessions_ended: int


@strawberry.type
class UserPayload(Payload):
    user: User | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class DeleteAccountInput:
    password: str | None = strawberry.field(
        default=strawberry.UNSET, description="Required unless the account has no password."
    )
    confirm_email: str = strawberry.field(
        description="The account's e-mail address; its ID if it has none, as of a guest."
    )
    device_token: str | None = strawberry.field(default=strawberry.UNSET, description=_DEVICE)


@strawberry.type
class SentPayload(Payload):
    sent: bool = False
    errors: list[UserError] = strawberry.field(default_factory=list)
