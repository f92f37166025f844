"""The whole API on one page: each root field with its resolver, its permission and what it is for."""

from collections.abc import AsyncGenerator

import strawberry
from strawberry.schema.config import StrawberryConfig

import resolvers.accounts
import resolvers.billing
import resolvers.catalogue
import resolvers.events
import resolvers.gallery
import resolvers.generations
import resolvers.media
import resolvers.node
import resolvers.operations
import resolvers.payments
from schema.accounts import (
    ApiKey,
    ApiKeyPayload,
    DataExportPayload,
    SentPayload,
    SessionPayload,
    SignOutPayload,
    User,
    UserPayload,
)
from schema.admin import AdjustCreditsPayload, Admin
from schema.billing import CreditPackage, CreditsChange, CreditTransaction, Plan
from schema.catalogue import CataloguePayload, Collection, Quote, Style, StylePayload
from schema.events import AdminActivity, AuditEntry
from schema.gallery import GalleryChange, SharedGeneration
from schema.generations import Generation, GenerationPayload, GenerationsPayload
from schema.media import UploadPayload
from schema.operations import MaintenancePayload
from schema.payments import CheckoutPayload
from schema.runtime.connection import Connection
from schema.runtime.error_formatting import DarkroomSchema
from schema.runtime.extension import EXTENSIONS
from schema.runtime.input import drop_null_defaults
from schema.runtime.node import Node
from schema.runtime.permission import allowed
from schema.runtime.scalar import SCALARS
from schema.runtime.user_error import (
    DeletedPayload,
    InputError,
    InsufficientCreditsError,
    QuotaExceededError,
    RateLimitedError,
)


@strawberry.type
class Query:
    node: Node | None = strawberry.field(
        resolver=resolvers.node.node, permission_classes=allowed("Query.node"), description="Any object by its id."
    )
    nodes: list[Node | None] = strawberry.field(
        resolver=resolvers.node.nodes,
        permission_classes=allowed("Query.nodes"),
        description="Up to 100 objects by their ids.",
    )
    viewer: User | None = strawberry.field(
        resolver=resolvers.accounts.viewer,
        permission_classes=allowed("Query.viewer"),
        description="Null when signed out.",
    )
    collections: list[Collection] = strawberry.field(
        resolver=resolvers.catalogue.collections,
        permission_classes=allowed("Query.collections"),
        description="The catalogue by product line.",
    )
    style: Style | None = strawberry.field(
        resolver=resolvers.catalogue.style,
        permission_classes=allowed("Query.style"),
        description="A style by its address.",
    )
    styles: Connection[Style] = strawberry.field(
        resolver=resolvers.catalogue.styles,
        permission_classes=allowed("Query.styles"),
        description="The catalogue as one list, in its own order.",
    )
    quote: Quote | None = strawberry.field(
        resolver=resolvers.catalogue.quote,
        permission_classes=allowed("Query.quote"),
        description="What a request would cost, before it is made.",
    )
    shared_generation: SharedGeneration | None = strawberry.field(
        resolver=resolvers.gallery.shared_generation,
        permission_classes=allowed("Query.sharedGeneration"),
        description="What is shared at this address; null for whatever is not.",
    )
    credit_packages: list[CreditPackage] = strawberry.field(
        resolver=resolvers.billing.credit_packages,
        permission_classes=allowed("Query.creditPackages"),
        description="The packages of credits on sale; none where credits buy nothing.",
    )
    plans: list[Plan] = strawberry.field(
        resolver=resolvers.billing.plans,
        permission_classes=allowed("Query.plans"),
        description="The monthly plans and passes on sale.",
    )
    admin: Admin | None = strawberry.field(
        resolver=resolvers.operations.admin,
        permission_classes=allowed("Query.admin"),
        description="Everybody's accounts and what runs them; FORBIDDEN to others, and to API keys.",
    )


@strawberry.type
class Mutation:
    sign_up: SessionPayload = strawberry.mutation(
        resolver=resolvers.accounts.sign_up,
        permission_classes=allowed("Mutation.signUp"),
        description="Make an account with its welcome bonus, and sign it in.",
    )
    sign_in: SessionPayload = strawberry.mutation(
        resolver=resolvers.accounts.sign_in,
        permission_classes=allowed("Mutation.signIn"),
        description="A token for an account.",
    )
    sign_out: SignOutPayload = strawberry.mutation(
        resolver=resolvers.accounts.sign_out,
        permission_classes=allowed("Mutation.signOut"),
        description="End this sign-in, or every sign-in of the account.",
    )
    update_profile: UserPayload = strawberry.mutation(
        resolver=resolvers.accounts.update_profile,
        permission_classes=allowed("Mutation.updateProfile"),
        description="Change name or language.",
    )
    change_password: UserPayload = strawberry.mutation(
        resolver=resolvers.accounts.change_password,
        permission_classes=allowed("Mutation.changePassword"),
        description="Change the password and end every other sign-in.",
    )
    request_email_verification: SentPayload = strawberry.mutation(
        resolver=resolvers.accounts.request_email_verification,
        permission_classes=allowed("Mutation.requestEmailVerification"),
        description="Mail a link that proves the account's address; nothing is sent where it is proven.",
    )
    verify_email: UserPayload = strawberry.mutation(
        resolver=resolvers.accounts.verify_email,
        permission_classes=allowed("Mutation.verifyEmail"),
        description="Take a mailed link as proof. No errors: it worked; `user` is shown to its owner only.",
    )
    request_password_reset: SentPayload = strawberry.mutation(
        resolver=resolvers.accounts.request_password_reset,
        permission_classes=allowed("Mutation.requestPasswordReset"),
        description="Mail a link for a new password; answers the same whether the account exists or not.",
    )
    reset_password: SessionPayload = strawberry.mutation(
        resolver=resolvers.accounts.reset_password,
        permission_classes=allowed("Mutation.resetPassword"),
        description="Choose a new password by a mailed link; ends every sign-in and signs in anew.",
    )
    create_api_key: ApiKeyPayload = strawberry.mutation(
        resolver=resolvers.accounts.create_api_key,
        permission_classes=allowed("Mutation.createApiKey"),
        description="A key with which a program signs in as this account.",
    )
    revoke_api_key: DeletedPayload = strawberry.mutation(
        resolver=resolvers.accounts.revoke_api_key,
        permission_classes=allowed("Mutation.revokeApiKey"),
        description="End an API key at once.",
    )
    create_upload: UploadPayload = strawberry.mutation(
        resolver=resolvers.media.create_upload,
        permission_classes=allowed("Mutation.createUpload"),
        description="Say where to send a picture, ahead of the request that uses it.",
    )
    create_generation: GenerationsPayload = strawberry.mutation(
        resolver=resolvers.generations.create_generation,
        permission_classes=allowed("Mutation.createGeneration"),
        description="Order one or several pictures. They are paid for at once and made in the background.",
    )
    regenerate: GenerationsPayload = strawberry.mutation(
        resolver=resolvers.generations.regenerate,
        permission_classes=allowed("Mutation.regenerate"),
        description="Order the same again, whatever became of it, or variations of a finished picture. Today's price.",
    )
    refine_generation: GenerationsPayload = strawberry.mutation(
        resolver=resolvers.generations.refine_generation,
        permission_classes=allowed("Mutation.refineGeneration"),
        description="Order a finished picture once more, with one change. What came of that can be refined again.",
    )
    cancel_generation: GenerationPayload = strawberry.mutation(
        resolver=resolvers.generations.cancel_generation,
        permission_classes=allowed("Mutation.cancelGeneration"),
        description="Call a generation off. Its credits come back while no request has left for the provider. Admins: "
        "anybody's.",
    )
    request_data_export: DataExportPayload = strawberry.mutation(
        resolver=resolvers.accounts.request_data_export,
        permission_classes=allowed("Mutation.requestDataExport"),
        description="A zip of everything in this account, made in the background; ask again for its address.",
    )
    delete_account: DeletedPayload = strawberry.mutation(
        resolver=resolvers.gallery.delete_account,
        permission_classes=allowed("Mutation.deleteAccount"),
        description="Delete the account with everything in it, for good; its ledger stays without a name.",
    )
    delete_generations: DeletedPayload = strawberry.mutation(
        resolver=resolvers.gallery.delete_generations,
        permission_classes=allowed("Mutation.deleteGenerations"),
        description="Delete up to 100 pictures, files included; what is under way is called off first.",
    )
    share_generation: GenerationPayload = strawberry.mutation(
        resolver=resolvers.gallery.share_generation,
        permission_classes=allowed("Mutation.shareGeneration"),
        description="Give a finished picture a public address: the chosen one, else one that nobody can guess.",
    )
    unshare_generation: GenerationPayload = strawberry.mutation(
        resolver=resolvers.gallery.unshare_generation,
        permission_classes=allowed("Mutation.unshareGeneration"),
        description="Take the public address back, page and pictures at once.",
    )
    create_style: StylePayload = strawberry.mutation(
        resolver=resolvers.catalogue.create_style,
        permission_classes=allowed("Mutation.createStyle"),
        description="Make a style of one's own, priced like a bare prompt; nobody else sees or uses it.",
    )
    update_style: StylePayload = strawberry.mutation(
        resolver=resolvers.catalogue.update_style,
        permission_classes=allowed("Mutation.updateStyle"),
        description="Change a style of one's own; generations made with it stay as they are.",
    )
    delete_style: DeletedPayload = strawberry.mutation(
        resolver=resolvers.catalogue.delete_style,
        permission_classes=allowed("Mutation.deleteStyle"),
        description="Remove a style of one's own; generations made with it keep its title.",
    )
    create_checkout: CheckoutPayload = strawberry.mutation(
        resolver=resolvers.payments.create_checkout,
        permission_classes=allowed("Mutation.createCheckout"),
        description="Go to the till. What is bought comes as soon as its payment is told; creditsChanged says so.",
    )
    set_favorite: GenerationPayload = strawberry.mutation(
        resolver=resolvers.gallery.set_favorite,
        permission_classes=allowed("Mutation.setFavorite"),
        description="Mark a generation as a favorite, or take the mark away.",
    )
    admin_adjust_credits: AdjustCreditsPayload = strawberry.mutation(
        resolver=resolvers.billing.admin_adjust_credits,
        permission_classes=allowed("Mutation.adminAdjustCredits"),
        description="Give an account credits or take them away, up to a million at a time.",
    )
    admin_refund_generation: GenerationPayload = strawberry.mutation(
        resolver=resolvers.generations.admin_refund_generation,
        permission_classes=allowed("Mutation.adminRefundGeneration"),
        description="Give back, once, what a generation cost that has ended, whatever its policy says. Null without "
        "errors: its owner has deleted it.",
    )
    admin_retry_generation: GenerationPayload = strawberry.mutation(
        resolver=resolvers.generations.admin_retry_generation,
        permission_classes=allowed("Mutation.adminRetryGeneration"),
        description="Make a generation again that failed or was canceled: a new one for its owner, for nothing.",
    )
    admin_set_membership: UserPayload = strawberry.mutation(
        resolver=resolvers.billing.admin_set_membership,
        permission_classes=allowed("Mutation.adminSetMembership"),
        description="Make a member of an account, or take that back. A plan that it pays for goes on as it is.",
    )
    admin_grant_pass: UserPayload = strawberry.mutation(
        resolver=resolvers.billing.admin_grant_pass,
        permission_classes=allowed("Mutation.adminGrantPass"),
        description="Give an account a pass by its slug, for 1 to 8760 hours, else as long as it is sold. It starts "
        "when the account's last one ends, else at once.",
    )
    admin_set_role: UserPayload = strawberry.mutation(
        resolver=resolvers.accounts.admin_set_role,
        permission_classes=allowed("Mutation.adminSetRole"),
        description="Say what an account may do, one's own excepted; super admins only. It counts at once.",
    )
    admin_set_suspended: UserPayload = strawberry.mutation(
        resolver=resolvers.accounts.admin_set_suspended,
        permission_classes=allowed("Mutation.adminSetSuspended"),
        description="Lock an account, or open it again. Its sign-ins end, sockets within five seconds; API keys wait.",
    )
    admin_import_catalogue: CataloguePayload = strawberry.mutation(
        resolver=resolvers.catalogue.admin_import_catalogue,
        permission_classes=allowed("Mutation.adminImportCatalogue"),
        description="Add and change collections and styles, all or nothing. A dry run only counts what would happen.",
    )
    admin_set_maintenance: MaintenancePayload = strawberry.mutation(
        resolver=resolvers.operations.admin_set_maintenance,
        permission_classes=allowed("Mutation.adminSetMaintenance"),
        description="Let nobody change anything, switch providers off, or cap what they may cost in a day.",
    )


@strawberry.type
class Subscription:
    generation_progress: AsyncGenerator[Generation, None] = strawberry.subscription(
        resolver=resolvers.generations.generation_progress,
        permission_classes=allowed("Subscription.generationProgress"),
        description="The present state, then every change; ends after COMPLETED, FAILED or CANCELED.",
    )
    gallery_changed: AsyncGenerator[GalleryChange, None] = strawberry.subscription(
        resolver=resolvers.gallery.gallery_changed,
        permission_classes=allowed("Subscription.galleryChanged"),
        description="SNAPSHOT, then every change of the account's generations; SNAPSHOT again when any was missed.",
    )
    favorite_changed: AsyncGenerator[GalleryChange, None] = strawberry.subscription(
        resolver=resolvers.gallery.favorite_changed,
        permission_classes=allowed("Subscription.favoriteChanged"),
        description="SNAPSHOT, then every mark set or cleared, DELETED for a favorite; SNAPSHOT after a loss.",
    )
    credits_changed: AsyncGenerator[CreditsChange, None] = strawberry.subscription(
        resolver=resolvers.billing.credits_changed,
        permission_classes=allowed("Subscription.creditsChanged"),
        description="The present state, then every line of the ledger; `after` replays those since that one.",
    )
    admin_activity: AsyncGenerator[AdminActivity, None] = strawberry.subscription(
        resolver=resolvers.events.admin_activity,
        permission_classes=allowed("Subscription.adminActivity"),
        description="Everybody's sign-ups, pictures, lines and payments, what admins do, and alerts, from now on.",
    )


schema = DarkroomSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[
        ApiKey,
        AuditEntry,
        Collection,
        CreditTransaction,
        Generation,
        InputError,
        InsufficientCreditsError,
        QuotaExceededError,
        RateLimitedError,
        Style,
        User,
    ],
    extensions=EXTENSIONS,
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)
drop_null_defaults(schema._schema)  # Strawberry has no public name for the built schema
