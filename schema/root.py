"""The whole API: each root field with its resolver, who may use it, and what it is for; see also root_*.py."""

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
from schema.accounts import User, UserPayload
from schema.admin import AdjustCreditsPayload, Admin
from schema.albums import Album, Tag
from schema.batch import Batch
from schema.billing import CreditPackage, CreditsChange, CreditTransaction, Plan
from schema.catalogue import CataloguePayload, Collection, Quote, Style, StylePayload
from schema.credential import ApiKey
from schema.data_export import DataExportPayload
from schema.deleted_payload import DeletedPayload
from schema.deployment import Deployment
from schema.events import AdminActivity, AuditEntry
from schema.gallery import GalleryChange, SharedGeneration
from schema.generations import Generation, GenerationPayload, GenerationsPayload
from schema.media import UploadPayload
from schema.model import Model
from schema.operations import MaintenancePayload
from schema.payments import CheckoutPayload, PaymentReviewPayload
from schema.root_accounts import AccountMutations
from schema.root_gallery import GalleryMutations
from schema.root_webhooks import WebhookMutations, WebhookQueries
from schema.runtime.compiled_execution import DarkroomExecutor
from schema.runtime.connection import Connection
from schema.runtime.input import drop_null_defaults
from schema.runtime.node import Node
from schema.runtime.permission import ADMIN, ANYONE, PROVEN_SESSION, SIGNED_IN, SUPER_ADMIN
from schema.runtime.pipeline import DarkroomSchema
from schema.runtime.root_field import mutation, query, subscription
from schema.runtime.scalar import SCALARS
from schema.runtime.user_error import REFUSALS


@strawberry.type
class Query(WebhookQueries):
    node: Node | None = query(
        resolvers.node.node, ANYONE, "An object by its ID; null where it does not exist or the viewer may not see it."
    )
    nodes: list[Node | None] = query(
        resolvers.node.nodes,
        ANYONE,
        "Up to 100 objects by their IDs, in the same order; null for each that `node` would not return.",
    )
    viewer: User | None = query(resolvers.accounts.viewer, ANYONE, "The signed-in account; null when signed out.")
    collections: list[Collection] = query(resolvers.catalogue.collections, ANYONE, "The catalogue by collection.")
    style: Style | None = query(
        resolvers.catalogue.style, ANYONE, "A style of the catalogue by its slug; null where there is none."
    )
    styles: Connection[Style] = query(
        resolvers.catalogue.styles, ANYONE, "The catalogue as one list, in the catalogue's order."
    )
    models: list[Model] = query(
        resolvers.catalogue.models,
        ANYONE,
        "The models that requests may name, with what they can do; the first of each medium is the default.",
    )
    quote: Quote | None = query(resolvers.catalogue.quote, ANYONE, "The price of a request, without making it.")
    shared_generation: SharedGeneration | None = query(
        resolvers.gallery.shared_generation,
        ANYONE,
        "The generation that is shared under this slug; null where none is.",
    )
    deployment: Deployment = query(
        resolvers.operations.deployment,
        ANYONE,
        "What this deployment offers, the same for all: languages, upload limits, models, sign-in, payments.",
    )
    credit_packages: list[CreditPackage] = query(
        resolvers.billing.credit_packages,
        ANYONE,
        "The credit packages on sale; empty where credits cannot pay for generations.",
    )
    plans: list[Plan] = query(resolvers.billing.plans, ANYONE, "The monthly plans and passes on sale.")
    admin: Admin | None = query(
        resolvers.operations.admin,
        ADMIN,
        "All accounts and the state of the deployment. FORBIDDEN to users and to API keys.",
    )


@strawberry.type
class Mutation(AccountMutations, GalleryMutations, WebhookMutations):
    create_upload: UploadPayload = mutation(
        resolvers.media.create_upload,
        SIGNED_IN,
        "Reserve an address to send a reference image to, before the request that uses it.",
    )
    create_generation: GenerationsPayload = mutation(
        resolvers.generations.create_generation,
        SIGNED_IN,
        "Request one or several generations. They are charged at once and made in the background.",
    )
    regenerate: GenerationsPayload = mutation(
        resolvers.generations.regenerate,
        SIGNED_IN,
        "Request a generation again, in any status, or variations of a completed one, at today's price.",
    )
    refine_generation: GenerationsPayload = mutation(
        resolvers.generations.refine_generation,
        SIGNED_IN,
        "Request a completed generation again with one change. The result can be refined again.",
    )
    cancel_generation: GenerationPayload = mutation(
        resolvers.generations.cancel_generation,
        SIGNED_IN,
        "Cancel a generation. It is refunded if no request was sent to the provider, unless its refund policy is "
        "NEVER. Admins may cancel any user's, with a reason for the audit log.",
    )
    request_data_export: DataExportPayload = mutation(
        resolvers.accounts.request_data_export,
        PROVEN_SESSION,
        "Request a zip of all of the account's data, made in the background. Repeat the request for its URL. FORBIDDEN "
        "to API keys, and until the account's address is verified. UNAVAILABLE for an hour after it could not be made.",
    )
    delete_account: DeletedPayload = mutation(
        resolvers.accounts.delete_account,
        PROVEN_SESSION,
        "Delete the account and its data permanently; its ledger is kept without personal data. FORBIDDEN without a "
        "password, unless the sign-in is at most 15 minutes old, or the account is a guest.",
    )
    delete_generations: DeletedPayload = mutation(
        resolvers.gallery.delete_generations,
        SIGNED_IN,
        "Delete up to 100 generations with their files; those in progress are canceled first.",
    )
    share_generation: GenerationPayload = mutation(
        resolvers.gallery.share_generation,
        SIGNED_IN,
        "Publish a completed generation under the given slug, or under a random one.",
    )
    unshare_generation: GenerationPayload = mutation(
        resolvers.gallery.unshare_generation,
        SIGNED_IN,
        "Stop sharing a generation; its page and image URLs stop working at once.",
    )
    create_style: StylePayload = mutation(
        resolvers.catalogue.create_style,
        SIGNED_IN,
        "Create a custom style, which only this account sees and uses, priced as a request without a style.",
    )
    update_style: StylePayload = mutation(
        resolvers.catalogue.update_style,
        SIGNED_IN,
        "Change a custom style, as an admin also one of the catalogue; existing generations stay unchanged.",
    )
    delete_style: DeletedPayload = mutation(
        resolvers.catalogue.delete_style,
        SIGNED_IN,
        "Delete a custom style, as an admin also one of the catalogue, with a reason for the audit log; generations "
        "made with it keep its title.",
    )
    set_style_picture: StylePayload = mutation(
        resolvers.catalogue.set_style_picture,
        SIGNED_IN,
        "Make a copy of a finished image the picture of a custom style, as an admin also of one of the catalogue.",
    )
    create_checkout: CheckoutPayload = mutation(
        resolvers.payments.create_checkout,
        SIGNED_IN,
        "Open a checkout. The purchase takes effect when the payment provider reports the payment; creditsChanged "
        "publishes it.",
    )
    set_favorite: GenerationPayload = mutation(
        resolvers.gallery.set_favorite, SIGNED_IN, "Mark a generation as a favorite, or remove the mark."
    )
    admin_adjust_credits: AdjustCreditsPayload = mutation(
        resolvers.billing.admin_adjust_credits,
        ADMIN,
        "Add credits to an account or remove them, up to a million at a time.",
    )
    admin_refund_generation: GenerationPayload = mutation(
        resolvers.generations.admin_refund_generation,
        ADMIN,
        "Refund an ended generation once, regardless of its refund policy. `generation` is null without "
        "errors where its owner has deleted it.",
    )
    admin_retry_generation: GenerationPayload = mutation(
        resolvers.generations.admin_retry_generation,
        ADMIN,
        "Repeat a failed or canceled generation for its owner, free of charge, as a new generation.",
    )
    admin_unshare_generation: GenerationPayload = mutation(
        resolvers.gallery.admin_unshare_generation,
        ADMIN,
        "Stop sharing any user's generation; its page and image URLs stop working at once. Without effect where it is "
        "not shared.",
    )
    admin_delete_generation: DeletedPayload = mutation(
        resolvers.gallery.admin_delete_generation,
        ADMIN,
        "Delete any user's generation with its files; one in progress is canceled first. Without effect where it was "
        "deleted before. A completed generation is not refunded. A file that other generations of the account use, "
        "like the same photo, stays with them; `everyUse`: delete those, too.",
    )
    admin_settle_payment: PaymentReviewPayload = mutation(
        resolvers.payments.admin_settle_payment,
        ADMIN,
        "Settle a payment that needs review, by the same rules as when it was reported: for `userId` and as `product`, "
        "the slug of a package, plan or pass, if they are given. An order is granted once. CONFLICT: it cannot be "
        "settled, for the reason that the message says.",
    )
    admin_dismiss_payment: PaymentReviewPayload = mutation(
        resolvers.payments.admin_dismiss_payment,
        ADMIN,
        "Close a payment that needs review without granting anything, also when its order is reported again.",
    )
    admin_set_membership: UserPayload = mutation(
        resolvers.billing.admin_set_membership,
        ADMIN,
        "Grant an account a membership, or revoke the grant. A paid plan is not affected.",
    )
    admin_grant_pass: UserPayload = mutation(
        resolvers.billing.admin_grant_pass,
        ADMIN,
        "Grant an account a pass by the plan's slug, for 1 to 8760 hours, by default the plan's duration. It starts "
        "when the account's last pass ends, or at once where it has none.",
    )
    admin_grant_plan: UserPayload = mutation(
        resolvers.billing.admin_grant_plan,
        ADMIN,
        "Grant an account a monthly plan by its slug, also one on request, with its credits every month: for `months` "
        "(1 to 120), or until it is ended. CONFLICT while the account has a paid or granted plan.",
    )
    admin_end_plan: UserPayload = mutation(
        resolvers.billing.admin_end_plan,
        ADMIN,
        "End an account's granted plan now; its credits stay. CONFLICT if the account pays for its plan.",
    )
    admin_set_role: UserPayload = mutation(
        resolvers.accounts.admin_set_role, SUPER_ADMIN, "Set the role of another account, effective at once."
    )
    admin_set_suspended: UserPayload = mutation(
        resolvers.accounts.admin_set_suspended,
        ADMIN,
        "Suspend an account or lift the suspension. Suspending ends its sessions, open WebSockets within five "
        "seconds; its API keys are refused until it is lifted.",
    )
    admin_import_catalogue: CataloguePayload = mutation(
        resolvers.catalogue.admin_import_catalogue,
        ADMIN,
        "Add and change collections and styles, all or none. A dry run only counts the changes.",
    )
    admin_set_maintenance: MaintenancePayload = mutation(
        resolvers.operations.admin_set_maintenance,
        ADMIN,
        "Make the deployment read-only, switch providers off, or cap their cost per day.",
    )


@strawberry.type
class Subscription:
    generation_progress: AsyncGenerator[Generation, None] = subscription(
        resolvers.generations.generation_progress,
        SIGNED_IN,
        "The present state, then every change; ends after COMPLETED, FAILED or CANCELED.",
    )
    gallery_changed: AsyncGenerator[GalleryChange, None] = subscription(
        resolvers.gallery.gallery_changed,
        SIGNED_IN,
        "SNAPSHOT or, `after` a version, the changes since; then every change. A later SNAPSHOT: some were missed.",
    )
    favorite_changed: AsyncGenerator[GalleryChange, None] = subscription(
        resolvers.gallery.favorite_changed,
        SIGNED_IN,
        "As galleryChanged, of every favorite that is added, removed or deleted.",
    )
    credits_changed: AsyncGenerator[CreditsChange, None] = subscription(
        resolvers.billing.credits_changed,
        SIGNED_IN,
        "The present state, then every line of the ledger as it is written; `after` replays the lines since that one.",
    )
    admin_activity: AsyncGenerator[AdminActivity, None] = subscription(
        resolvers.events.admin_activity,
        ADMIN,
        "All users' sign-ups, generations, ledger lines and payments, admins' actions, and alerts, from now on.",
    )


schema = DarkroomSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Album, ApiKey, AuditEntry, Batch, Collection, CreditTransaction, Generation, *REFUSALS, Style, Tag, User],
    execution_context_class=DarkroomExecutor,
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)
drop_null_defaults(schema._schema)  # Strawberry has no public name for the built schema
