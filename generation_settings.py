"""Settings of generations: the providers, their deadlines, and the workers."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode

from setting_types import (
    Fallbacks,
    HostNames,
    ModerationOutage,
    PngResults,
    Provider,
    Secrets,
    WebAddress,
    is_placeholder,
)


class GenerationSettings(BaseSettings):
    """The part of Settings about making images."""

    image_provider: Provider | None = Field(None, description="openrouter, huggingface or demo.")
    openrouter_api_key: str | None = Field(None, description="The API key of the OpenRouter account.")
    openrouter_base_url: WebAddress = Field(
        "https://openrouter.ai/api/v1", description="The address of OpenRouter's API."
    )
    openrouter_model: str | None = Field(
        None, description="The default model at OpenRouter, one of those that the profile allows."
    )
    openrouter_text_model: str = Field(
        "google/gemini-2.5-flash-lite", description="The text model that enriches prompts."
    )
    huggingface_api_key: str | None = Field(
        None, description="The access token of the Hugging Face account: hf_..., the role Read is enough."
    )
    huggingface_base_url: WebAddress = Field(
        "https://router.huggingface.co", description="The address of Hugging Face's router of inference providers."
    )
    huggingface_hub_url: WebAddress = Field(
        "https://huggingface.co", description="The address of the Hugging Face Hub, which knows tokens and models."
    )
    huggingface_calls_per_hour: int = Field(
        30,
        ge=0,
        le=1_000_000,
        description="Calls of Hugging Face per hour, of all processes together with REDIS_URL, otherwise of each; "
        "0: any number. The free tier allows 30.",
    )
    moderation_model: str | None = Field(
        None,
        description="The model that checks what users write: a text model at OpenRouter, or one of MODERATION_URL.",
    )
    moderation_url: WebAddress | None = Field(
        None, description="An API with OpenAI's POST /moderations, such as https://api.openai.com/v1."
    )
    moderation_api_key: str | None = Field(None, description="The API key of MODERATION_URL.")
    moderation_outage: ModerationOutage = Field(
        ModerationOutage.CLOSED,
        description="While that model gives no answer: closed refuses what it would have to check, open accepts it.",
    )
    moderation_seconds: float = Field(5.0, gt=0, le=60, description="How long that model may take.")
    openrouter_webhook_secret: Annotated[Secrets, NoDecode] = Field(
        (),
        description="The signing secret of OpenRouter's callbacks, which report the end of a video; two during a "
        "rotation. Without it, the end is found by asking.",
    )
    fallback_models: Annotated[Fallbacks, NoDecode] = Field(
        (),
        description="provider:model, comma-separated, at most 4: tried in this order where the ordered model did not "
        "begin, if they can make what was ordered.",
    )
    provider_max_calls: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Concurrent calls of each provider per process; the rest wait within their deadline.",
    )
    circuit_failure_share: float = Field(
        0.5, gt=0, le=1, description="Share of a model's calls that fail when its circuit opens."
    )
    circuit_window_seconds: int = Field(60, ge=1, le=3600, description="Seconds whose calls are counted for that.")
    circuit_min_calls: int = Field(
        10, ge=1, le=100_000, description="Calls in these seconds below which the circuit stays closed."
    )
    circuit_open_seconds: float = Field(
        30.0, gt=0, le=3600, description="How long an open circuit refuses calls, before it tries one."
    )
    provider_image_hosts: Annotated[HostNames, NoDecode] = Field(
        (), description="Hosts from which a provider's image may be downloaded over https; none: links are refused."
    )
    demo_seconds: float = Field(2.0, ge=0, le=60, description="How long the demo provider takes; 0 for tests.")

    generation_deadline_seconds: float = Field(60.0, gt=0, description="Total time for the provider, retries included.")
    video_deadline_seconds: float = Field(
        1200.0, ge=1, le=86_400, description="Total time for a video, from the moment that its provider is called."
    )
    video_poll_seconds: float = Field(
        30.0, ge=0.05, le=600, description="How often a provider is asked about a video, at most; more often at first."
    )
    generation_lease_seconds: float = Field(
        60.0, gt=0, description="How long a worker's claim lasts without a heartbeat."
    )
    generation_sweep_seconds: float = Field(
        10.0, gt=0, description="How often workers poll for waiting generations and run the sweeper."
    )
    storage_patience_seconds: float = Field(
        120.0,
        ge=0,
        le=3600,
        description="How long a worker retries an unavailable storage or database before it gives up.",
    )
    file_orphan_seconds: float = Field(
        900.0, gt=0, description="Age at which a PENDING file counts as orphaned and is removed."
    )
    worker_concurrency: int = Field(8, ge=1, le=256, description="Concurrent generations per worker process.")
    generation_user_concurrency: int = Field(
        4, ge=1, le=256, description="Concurrent generations per account, in all workers together; the rest wait."
    )
    stop_grace_seconds: float = Field(
        25.0, ge=0, le=3600, description="How long a stopping worker lets running generations finish."
    )
    image_processes: int = Field(
        2, ge=1, le=32, description="Child processes that decode uploads, and as many that decode results, per process."
    )
    image_max_megapixels: int = Field(
        120, ge=1, le=250, description="Maximum size of an image; other formats than JPEG have lower limits, too."
    )
    png_results: PngResults = Field(PngResults.WEBP, description="A model's PNG becomes webp, webp-lossless or png.")
    video_max_mib: int = Field(64, ge=1, le=100, description="Maximum size of a model's video in MiB.")
    video_max_seconds: int = Field(60, ge=1, le=600, description="Maximum length of a model's video.")

    @property
    def has_openrouter_key(self) -> bool:
        """Whether OPENROUTER_API_KEY is a real key, not a placeholder from an example file."""
        return not is_placeholder(self.openrouter_api_key or "")

    @property
    def has_huggingface_key(self) -> bool:
        """Whether HUGGINGFACE_API_KEY is a real token, not a placeholder from an example file."""
        return not is_placeholder(self.huggingface_api_key or "")

    @property
    def has_provider_key(self) -> bool:
        """Whether there is the key of any provider with real models."""
        return self.has_openrouter_key or self.has_huggingface_key

    @property
    def has_text_model(self) -> bool:
        """Whether prompts can be enriched: by OPENROUTER_TEXT_MODEL, or by the demo's phrases."""
        return self.provider is Provider.DEMO or self.has_openrouter_key

    @property
    def provider(self) -> Provider:
        """IMAGE_PROVIDER, else the provider whose key is set; OpenRouter with both, the demo provider without any."""
        if self.image_provider is not None:
            return self.image_provider
        if self.has_openrouter_key:
            return Provider.OPENROUTER
        return Provider.HUGGINGFACE if self.has_huggingface_key else Provider.DEMO

    @property
    def usable_providers(self) -> frozenset[Provider]:
        """The providers that can be called with these settings."""
        keys = {Provider.OPENROUTER: self.has_openrouter_key, Provider.HUGGINGFACE: self.has_huggingface_key}
        return frozenset({Provider.DEMO, *(provider for provider, has_key in keys.items() if has_key)})

    @property
    def heartbeat_seconds(self) -> float:
        """Interval at which a worker renews its lease: four attempts before it expires."""
        return self.generation_lease_seconds / 4

    def provider_problems(self, *, is_production: bool) -> list[str]:
        """Return what is wrong with the settings of the providers, one line each."""
        problems = []
        if self.image_provider is Provider.OPENROUTER and not self.has_openrouter_key:
            problems.append("OPENROUTER_API_KEY is required when IMAGE_PROVIDER is openrouter")
        if self.image_provider is Provider.HUGGINGFACE and not self.has_huggingface_key:
            problems.append("HUGGINGFACE_API_KEY is required when IMAGE_PROVIDER is huggingface")
        if self.has_huggingface_key and not (self.huggingface_api_key or "").strip().startswith("hf_"):
            problems.append("HUGGINGFACE_API_KEY must be an access token, which starts with hf_")
        if is_production and self.image_provider is None and not self.has_provider_key:
            problems.append(
                "OPENROUTER_API_KEY or HUGGINGFACE_API_KEY is missing (or a placeholder);"
                " set IMAGE_PROVIDER=demo to run without them"
            )
        if self.moderation_url is not None and not self.moderation_model:
            problems.append("MODERATION_URL is set, but MODERATION_MODEL is not")
        if self.moderation_url is not None and not self.moderation_api_key:
            problems.append("MODERATION_API_KEY is required with MODERATION_URL")
        if self.moderation_model and self.moderation_url is None and not self.has_openrouter_key:
            problems.append("OPENROUTER_API_KEY or MODERATION_URL is required with MODERATION_MODEL")
        problems += [
            f"FALLBACK_MODELS: {name} needs its key, or is no provider"
            for name in dict.fromkeys(route.partition(":")[0] for route in self.fallback_models)
            if name not in self.usable_providers
        ]
        return problems
