"""GraphQL types of the deployment: what a frontend needs to know before anyone signs in."""

from enum import Enum

import strawberry

from schema.model import Model
from schema.runtime.context import Context, Info
from schema.runtime.enum import MediaKind
from services.accounts.credential import PASSWORD_MIN
from services.catalogue.custom_style import MAX_PER_ACCOUNT, offers_custom_styles
from services.core import locale
from services.operations.release import VERSION

# Offered by models that make any; others list theirs.
_USUAL_RATIOS = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16")


@strawberry.enum(
    description="How an account signs in. PASSWORD: by signUp and signIn; LINK: by requestSignInLink; GUEST: without "
    "an address, by createGuest; ID_TOKEN: with a token of one of the issuers."
)
class SignInMethod(Enum):
    PASSWORD = "PASSWORD"  # noqa: S105 - the name of the method
    LINK = "LINK"
    GUEST = "GUEST"
    ID_TOKEN = "ID_TOKEN"  # noqa: S105 - as before


@strawberry.type(
    description="An identity provider to whose page a client of this deployment's address may send the browser, with "
    "`response_type=id_token`, the `nonce` of createSignInNonce or its SHA-256, and "
    "`redirect_uri=.../sign-in/callback`."
)
class SignInProvider:
    issuer: str
    name: str
    client_id: str
    authorization_endpoint: str


@strawberry.type(description="How accounts are made and sign in.")
class SignInOptions:
    methods: list[SignInMethod]
    issuers: list[str] = strawberry.field(description="Identity providers whose tokens are accepted, by their `iss`.")
    requires_verification: bool = strawberry.field(
        description="Whether the e-mail address must be verified before the first sign-in."
    )
    password_min_length: int = strawberry.field(description="Characters.")
    signup_credits: int = strawberry.field(description="The welcome bonus.")
    signup_expire_days: int | None = strawberry.field(
        description="Days after which the welcome bonus expires; null: never."
    )
    guest_credits: int | None = strawberry.field(
        description="The bonus of an account by createGuest, part of the welcome bonus; null: there are no guests."
    )

    @strawberry.field(
        description="Those of the issuers that the studio offers, as far as their pages are known: it takes a moment "
        "where they are asked for the first time."
    )
    async def providers(self, info: Info) -> list[SignInProvider]:
        return [
            SignInProvider(
                issuer=page.issuer,
                name=page.name,
                client_id=page.client_id,
                authorization_endpoint=page.authorization_endpoint,
            )
            for page in await info.context.services.accounts.external.pages()
        ]


@strawberry.type(description="What reference images are accepted.")
class UploadRules:
    max_bytes: int
    formats: list[str] = strawberry.field(description="Of JPEG, PNG, WEBP, HEIC and AVIF; detected by content.")
    content_types: list[str] = strawberry.field(description="For the `accept` of a file input, and for createUpload.")


@strawberry.type(description="Where users pay.")
class PaymentOptions:
    provider: str = strawberry.field(description="`polar`, or `development`: a page of this server, without money.")
    is_test: bool = strawberry.field(description="Whether no real money is taken.")
    return_origins: list[str] = strawberry.field(description="What the `successUrl` of createCheckout may begin with.")


@strawberry.type(description="What both accounts get when an invited one first pays for an order.")
class ReferralRules:
    bonus: int = strawberry.field(description="Credits, for each of the two.")
    cap: int = strawberry.field(description="How many invited accounts bring a bonus.")
    expire_days: int | None = strawberry.field(description="Days after which the bonus expires; null: never.")


@strawberry.type(
    description="Free credits of every calendar month (UTC), for accounts with an address: granted when one with fewer "
    "is used for the first time in the month."
)
class MonthlyRefill:
    credits: int = strawberry.field(description="Up to which a lower balance is filled.")
    expire_days: int | None = strawberry.field(description="Days after which they expire; null: never.")


@strawberry.type(description="What works at the moment; ask again where a request was answered UNAVAILABLE.")
class DeploymentStatus:
    read_only: bool = strawberry.field(description="Whether mutations of users are refused with UNAVAILABLE.")
    accepts_generations: bool = strawberry.field(description="Whether new generations are accepted.")
    paused_models: list[str] = strawberry.field(
        description="Ids of models whose orders wait, because their provider refuses all calls at the moment."
    )


@strawberry.type(
    description="What this deployment offers: the same for all, signed in or not, but for the language of the title."
)
class Deployment:
    product: str = strawberry.field(description="The name of the product's profile.")
    title: str = strawberry.field(description="The product's, in the viewer's language.")
    version: str = strawberry.field(description="Of the server.")
    locale: str = strawberry.field(description="The language where a client asks for none.")
    locales: list[str] = strawberry.field(description="The languages of messages, as BCP 47 tags.")
    media: list[MediaKind]
    models: list[Model] = strawberry.field(description="As `Query.models`.")
    aspect_ratios: list[str] = strawberry.field(
        description="To choose from: those of the models, or the usual ones where a model makes any."
    )
    upload: UploadRules
    sign_in: SignInOptions
    payments: PaymentOptions | None = strawberry.field(description="Null: nothing can be bought.")
    sells_credits: bool = strawberry.field(description="Whether credits pay for generations; else passes and plans do.")
    max_batch: int = strawberry.field(description="The most generations of one request, unless a plan allows more.")
    prompt_max_length: int = strawberry.field(description="Characters.")
    enhances_prompts: bool = strawberry.field(description="Whether `enhancePrompt` is offered.")
    referrals: ReferralRules | None = strawberry.field(description="Null: inviting others brings nothing.")
    monthly_refill: MonthlyRefill | None = strawberry.field(description="Null: there are no free credits of a month.")
    low_credits: int | None = strawberry.field(
        description="Credits below which `User.hasLowCredits` is true; null: credits pay for nothing here."
    )
    max_custom_styles: int | None = strawberry.field(
        description="Custom styles of one account, at most; null: none, createStyle is not offered."
    )
    status: DeploymentStatus

    @classmethod
    def of(cls, context: Context) -> "Deployment":
        services = context.services
        profile, models = services.products.profile, services.catalogue.models.models()
        return cls(
            product=profile.name,
            title=context.localize(profile.title),
            version=VERSION,
            locale=locale.match(profile.locale) or locale.DEFAULT,
            locales=list(locale.SUPPORTED),
            media=list(dict.fromkeys(model.medium for model in models)),
            models=[Model.of(model) for model in models],
            aspect_ratios=list(dict.fromkeys(one for model in models for one in model.aspect_ratios or _USUAL_RATIOS)),
            upload=_upload_rules(context),
            sign_in=_sign_in(context),
            payments=_payments(context),
            sells_credits=profile.sells_credits,
            max_batch=profile.max_batch,
            prompt_max_length=profile.limits.prompt_max_length,
            enhances_prompts=services.products.enhances_prompts,
            referrals=_referrals(context),
            monthly_refill=_monthly_refill(context),
            low_credits=profile.limits.credits_low if profile.sells_credits else None,
            max_custom_styles=MAX_PER_ACCOUNT if offers_custom_styles(profile) else None,
            status=_status(context),
        )


def _upload_rules(context: Context) -> UploadRules:
    limits = context.services.media.files.limits
    return UploadRules(max_bytes=limits.max_bytes, formats=sorted(limits.formats), content_types=limits.content_types)


def _sign_in(context: Context) -> SignInOptions:
    services = context.services
    issuers, guests = services.accounts.external.issuers, services.products.profile.guests
    offered = {
        SignInMethod.PASSWORD: True,
        SignInMethod.LINK: services.accounts.mail.is_enabled,
        SignInMethod.GUEST: guests is not None,
        SignInMethod.ID_TOKEN: bool(issuers),
    }
    return SignInOptions(
        methods=[method for method, is_offered in offered.items() if is_offered],
        issuers=issuers,
        requires_verification=services.accounts.users.requires_verification,
        password_min_length=PASSWORD_MIN,
        signup_credits=services.billing.signup_bonuses.credits,
        signup_expire_days=services.products.profile.expiry.signup_days,
        guest_credits=guests.credits if guests else None,
    )


def _payments(context: Context) -> PaymentOptions | None:
    payments = context.services.payments
    name = payments.provider_name
    if name is None:
        return None
    is_test = payments.development_checkout is not None
    return PaymentOptions(provider=name, is_test=is_test, return_origins=payments.checkouts.origins)


def _referrals(context: Context) -> ReferralRules | None:
    profile = context.services.products.profile
    rules, days = profile.referral, profile.expiry.referral_days
    return ReferralRules(bonus=rules.bonus, cap=rules.cap, expire_days=days) if rules else None


def _monthly_refill(context: Context) -> MonthlyRefill | None:
    rules = context.services.products.profile.refill
    return MonthlyRefill(credits=rules.credits, expire_days=rules.expire_days) if rules else None


def _status(context: Context) -> DeploymentStatus:
    offered, operations = context.services.catalogue.models.models(), context.services.operations
    maintenance, pauses = operations.maintenance, operations.provider_pauses
    return DeploymentStatus(
        read_only=maintenance.is_read_only,
        accepts_generations=maintenance.accepts_generations,
        paused_models=[model.id for model in offered if pauses.is_blocked(model.medium, model.id)],
    )
