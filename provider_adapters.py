"""Builds the clients of AI providers from settings, with the models of the product that this deployment offers.

The modules that import vendors' SDKs are imported where the settings choose them, as in adapters.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from models.enum import MediaKind
from services.integrations.moderation.protocol import Moderator
from services.integrations.providers.call_slots import CallSlots
from services.integrations.providers.circuit_rules import CircuitRules
from services.integrations.providers.prompt_enhancer import PromptEnhancer
from services.integrations.providers.protocol import ImageProvider
from services.integrations.providers.route_table import RouteTable
from services.integrations.providers.routing import ModelAbilities, Routes, RoutingRules
from services.integrations.providers.video import VideoProvider
from services.products.model import Model, load_models
from services.products.profile import Profile, load_profile
from services.products.toml_file import SHARED
from setting_types import Provider
from settings import PROFILES, Settings, SettingsError

if TYPE_CHECKING:
    from services.integrations.providers.openrouter.text_model import TextModel

_VIDEO_SECONDS = 180.0  # to fetch a video of the largest size, 3 Mbit/s


def load_product(settings: Settings) -> Profile:
    """Return what this deployment offers of its product: with the models of its provider.

    Raises:
        ProfileError: the profile is invalid, or has no model for what it offers.
        SettingsError: it allows no model of the provider, or not OPENROUTER_MODEL; or FALLBACK_MODELS has a model that
            its provider does not have.
    """
    profile = load_profile(PROFILES / f"{settings.profile}.toml")
    problem = _find_provider_problem(settings, profile)
    if problems := [*([problem] if problem else []), *_find_unknown_fallbacks(settings)]:
        raise SettingsError(problems)
    offered = profile.offered_by([settings.provider])
    default = settings.openrouter_model
    if default is None or settings.provider is not Provider.OPENROUTER:
        return offered
    if offered.model(default) is None:
        what = f"must be a model that the profile {offered.name} allows: {', '.join(offered.models)}"
        raise SettingsError([f"OPENROUTER_MODEL: {what}"])
    return offered.with_default(default)


def _find_provider_problem(settings: Settings, profile: Profile) -> str:
    """Return why the profile has no model with these settings, and which of them would change that; empty: it has."""
    known = (profile.model(id) for id in profile.models)
    providers = list(dict.fromkeys(model.provider for model in known if model is not None))
    if settings.provider in (Provider.DEMO, *providers):
        return ""
    usable = [name for name in providers if name in settings.usable_providers]
    wanted = [f"IMAGE_PROVIDER={name}" for name in usable] or [f"{name.upper()}_API_KEY" for name in providers]
    if settings.image_provider is not None and not usable:
        wanted = [f"{key} and no IMAGE_PROVIDER" for key in wanted]
    return f"PROFILE: {profile.name} has no model of {settings.provider}: set {' or '.join(wanted)}"


def _find_unknown_fallbacks(settings: Settings) -> list[str]:
    """Return what is wrong with FALLBACK_MODELS, one line each, naming the models that there are."""
    if not settings.fallback_models:
        return []
    known = [f"{model.provider}:{model.id}" for model in _known_models().values()]
    return [
        f"FALLBACK_MODELS: {one} is in no catalogue file. There are: "
        + ", ".join(other for other in known if other.partition(":")[0] == one.partition(":")[0])
        for one in settings.fallback_models
        if one not in known
    ]


def make_provider(settings: Settings) -> ImageProvider:
    """Return the configured image provider."""
    if settings.provider is Provider.DEMO:
        from services.integrations.providers.demo.provider import DemoProvider

        return DemoProvider(settings.demo_seconds)
    if settings.provider is Provider.HUGGINGFACE:
        return _make_huggingface(settings)
    from services.integrations.providers.openrouter.client import OpenRouterProvider
    from services.integrations.providers.openrouter.model import ModelCapabilities, ModelLimits
    from services.integrations.providers.safe_fetch import SafeFetch

    models = _models_of(settings.provider, MediaKind.IMAGE)
    hosts = frozenset(settings.provider_image_hosts)
    return OpenRouterProvider(
        settings.openrouter_api_key or "",
        base_url=settings.openrouter_base_url,
        model=settings.openrouter_model or _default_model(settings, MediaKind.IMAGE),
        app_url=settings.address,
        fetch=SafeFetch(hosts) if hosts else None,
        models={
            model.id: ModelCapabilities(
                limits=ModelLimits(reference=model.reference_max_bytes, request=model.request_max_bytes),
                api=model.api or "chat",
                qualities=model.qualities,
                aspect_ratios=model.aspect_ratios,
                image_only=model.image_only,
                streams_previews=model.streams_previews,
            )
            for model in models.values()
        },
    )


def _make_huggingface(settings: Settings) -> ImageProvider:
    from services.integrations.providers.huggingface.call_budget import CallBudget
    from services.integrations.providers.huggingface.client import HuggingFaceProvider
    from services.integrations.providers.huggingface.size import PictureModel

    models = _models_of(settings.provider, MediaKind.IMAGE).values()
    return HuggingFaceProvider(
        settings.huggingface_api_key or "",
        budget=CallBudget(settings.huggingface_calls_per_hour, settings.redis_url),
        base_url=settings.huggingface_base_url,
        model=_default_model(settings, MediaKind.IMAGE),
        models={model.id: PictureModel(model.side or PictureModel.side, model.reference_max_bytes) for model in models},
        hub_url=settings.huggingface_hub_url,
        patience=settings.generation_deadline_seconds,
    )


def make_enhancer(settings: Settings) -> PromptEnhancer | None:
    """Return the prompt enhancer: phrases from a list in a demo, else OPENROUTER_TEXT_MODEL; None without a key."""
    if settings.provider is Provider.DEMO:
        from services.integrations.providers.demo.prompt_enhancer import DemoPromptEnhancer

        return DemoPromptEnhancer()
    if not settings.has_text_model:
        return None
    from services.integrations.providers.openrouter.prompt_enhancer import OpenRouterPromptEnhancer

    return OpenRouterPromptEnhancer(_text_model(settings, settings.openrouter_text_model))


def make_moderator(settings: Settings) -> Moderator | None:
    """Return the moderator: the API at MODERATION_URL, or a text model at OpenRouter; None without MODERATION_MODEL."""
    if settings.moderation_model is None:
        return None
    if settings.moderation_url is None:
        from services.integrations.moderation.text_model import TextModelModerator

        return TextModelModerator(_text_model(settings, settings.moderation_model))
    from services.integrations.moderation.moderations_api import ModerationsApi
    from services.integrations.providers.openrouter.connection import Connection

    connection = Connection(settings.moderation_api_key or "", base_url=settings.moderation_url, app_url=None)
    return ModerationsApi(connection, settings.moderation_model)


def _text_model(settings: Settings, model: str) -> "TextModel":
    from services.integrations.providers.openrouter.connection import Connection
    from services.integrations.providers.openrouter.text_model import TextModel

    connection = Connection(
        settings.openrouter_api_key or "", base_url=settings.openrouter_base_url, app_url=settings.address
    )
    return TextModel(connection, model)


def _known_models() -> Mapping[str, Model]:
    return load_models(PROFILES / SHARED / "models")


def _models_of(provider: Provider, medium: MediaKind) -> dict[str, Model]:
    """Return the models of one medium in the provider's catalogue file, by id, allowed by the profile or not."""
    return {id: model for id, model in _known_models().items() if model.provider == provider and model.medium is medium}


def _default_model(settings: Settings, medium: MediaKind) -> str:
    """Return the first of the provider's models that the profile allows; if it allows none, the first of all."""
    models = _models_of(settings.provider, medium)
    allowed = load_profile(PROFILES / f"{settings.profile}.toml").models
    return next(id for id in (*allowed, *models) if id in models)


def _fallbacks(settings: Settings) -> list[Model]:
    """Return the FALLBACK_MODELS, which `load_product` has checked."""
    known = _known_models()
    return [known[one.partition(":")[2]] for one in settings.fallback_models]


def make_routes(settings: Settings) -> Routes[ImageProvider]:
    """Return the providers of images that this deployment calls: the configured one, and those of FALLBACK_MODELS.

    Raises:
        ProfileError, SettingsError: as `load_product`.
    """
    offered = load_product(settings).models_of(MediaKind.IMAGE)
    return Routes(
        [make_provider(one) for one in _called(settings)],
        default_model=offered[0].id,
        rules=_routing_rules(settings),
        **_known_routes(settings, MediaKind.IMAGE),
    )


def _called(settings: Settings) -> list[Settings]:
    """Return the settings of each provider that is called, the configured one first."""
    others = dict.fromkeys(Provider(model.provider) for model in _fallbacks(settings))
    return [
        settings,
        *(settings.model_copy(update={"image_provider": one}) for one in others if one is not settings.provider),
    ]


class _KnownRoutes(TypedDict):
    owners: dict[str, str]
    unserved: frozenset[str]
    fallbacks: list[tuple[str, str]]
    abilities: dict[str, ModelAbilities]


def _known_routes(settings: Settings, medium: MediaKind) -> _KnownRoutes:
    """Return what Routes have to know about the models of one medium."""
    models = [model for one in _called(settings) for model in _models_of(one.provider, medium).values()]
    return {
        "owners": {model.id: model.provider for model in models},
        "unserved": frozenset(model.id for model in _known_models().values() if model.medium is medium)
        - {model.id for model in models},
        "fallbacks": [(model.provider, model.id) for model in _fallbacks(settings) if model.medium is medium],
        "abilities": {
            model.id: ModelAbilities(
                frozenset(model.qualities),
                model.max_references,
                model.needs_reference,
                refines=model.refines,
                durations=model.durations,
            )
            for model in models
        },
    }


def make_route_tables(settings: Settings) -> dict[MediaKind, RouteTable]:
    """Return the routes of each medium that the product offers, without clients."""
    product, tables = load_product(settings), {}
    for medium in MediaKind:
        if offered := product.models_of(medium):
            known = _known_routes(settings, medium)
            fallbacks = frozenset(provider for provider, _ in known["fallbacks"])
            tables[medium] = RouteTable(settings.provider.value, offered[0].id, known["owners"], fallbacks)
    return tables


def call_deadlines(settings: Settings) -> dict[MediaKind, float]:
    """Return how many seconds a provider has for each medium."""
    return {
        MediaKind.IMAGE: settings.generation_deadline_seconds,
        MediaKind.VIDEO: settings.video_deadline_seconds,
    }


def _routing_rules(settings: Settings) -> RoutingRules:
    circuit = CircuitRules(
        share=settings.circuit_failure_share,
        window=settings.circuit_window_seconds,
        min_calls=settings.circuit_min_calls,
        open_seconds=settings.circuit_open_seconds,
    )
    return RoutingRules(circuit, settings.provider_max_calls)


def make_video_routes(settings: Settings, slots: Mapping[str, CallSlots]) -> Routes[VideoProvider] | None:
    """Return the providers of videos, as `make_routes`; None if the product has no video model of the configured one.

    `slots`: those of the providers' images, with which the videos share them.
    """
    offered = load_product(settings).models_of(MediaKind.VIDEO)
    if not offered:
        return None
    return Routes(
        [_make_video_provider(one) for one in _called(settings)],
        default_model=offered[0].id,
        rules=_routing_rules(settings),
        slots=slots,
        **_known_routes(settings, MediaKind.VIDEO),
    )


def _make_huggingface_videos(settings: Settings) -> VideoProvider:
    from services.integrations.providers.huggingface.call_budget import CallBudget
    from services.integrations.providers.huggingface.videos import VIDEO_HOSTS, HuggingFaceVideos
    from services.integrations.providers.safe_fetch import SafeFetch

    return HuggingFaceVideos(
        settings.huggingface_api_key or "",
        model=_default_model(settings, MediaKind.VIDEO),
        budget=CallBudget(settings.huggingface_calls_per_hour, settings.redis_url),
        fetch=SafeFetch(
            VIDEO_HOSTS | set(settings.provider_image_hosts),
            max_bytes=settings.video_max_mib << 20,
            seconds=_VIDEO_SECONDS,
            origin=settings.huggingface_base_url,
        ),
        base_url=settings.huggingface_base_url,
        hub_url=settings.huggingface_hub_url,
    )


def _make_video_provider(settings: Settings) -> VideoProvider:
    if settings.provider is Provider.DEMO:
        from services.integrations.providers.demo.videos import DemoVideos

        return DemoVideos(settings.demo_seconds)
    if settings.provider is Provider.HUGGINGFACE:
        return _make_huggingface_videos(settings)
    from services.integrations.providers.openrouter.video_wire import VideoModel
    from services.integrations.providers.openrouter.videos import OpenRouterVideos
    from services.integrations.providers.safe_fetch import SafeFetch

    can_be_called = settings.openrouter_webhook_secret and settings.address.startswith("https://")
    return OpenRouterVideos(
        settings.openrouter_api_key or "",
        models={
            model.id: VideoModel(
                qualities=model.qualities,
                resolutions=model.resolutions,
                durations=model.durations,
                aspect_ratios=model.aspect_ratios,
                reference_max_bytes=model.reference_max_bytes,
                request_max_bytes=model.request_max_bytes,
            )
            for model in _models_of(settings.provider, MediaKind.VIDEO).values()
        },
        fetch=SafeFetch(
            frozenset(settings.provider_image_hosts),
            max_bytes=settings.video_max_mib << 20,
            seconds=_VIDEO_SECONDS,
            origin=settings.openrouter_base_url,
        ),
        base_url=settings.openrouter_base_url,
        callback_url=f"{settings.address}/webhooks/openrouter" if can_be_called else None,
    )
