"""What every image provider offers: an async stream of events that ends with one picture."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from models.enum import ErrorCode, Quality, Size


@dataclass(frozen=True)
class ReferencePhoto:
    """A picture that came through the image sanitizer: clean, upright, of one of our formats."""

    data: bytes
    content_type: str  # image/jpeg, image/png or image/webp
    width: int  # pixels
    height: int
    is_result: bool = False  # made here before, to be varied or refined; else somebody's own


@dataclass(frozen=True)
class ImageRequest:
    """One picture, described completely; a provider looks nothing up."""

    generation_id: str  # also makes a provider's randomness repeatable
    prompt: str  # the whole text, style and person's words together
    style: str | None = None  # "collection/slug", for providers that draw by rule
    model: str | None = None  # None: the provider's default
    reference: ReferencePhoto | None = None
    earlier_prompts: tuple[str, ...] = ()  # oldest first; where a result is refined, what was said before `prompt`
    size: Size = Size.MEDIUM
    quality: Quality = Quality.STANDARD
    aspect_ratio: str | None = None  # "3:2"; None: the reference's own, else square
    variables: tuple[tuple[str, str], ...] = ()  # what the person filled in, already part of the prompt


@dataclass(frozen=True)
class Progress:
    """How far the provider is, from 0 to 1."""

    fraction: float


@dataclass(frozen=True)
class PartialImage:
    """A preview of what is coming. Its bytes are as untrusted as any other."""

    data: bytes
    fraction: float


@dataclass(frozen=True)
class FinalImage:
    """The picture, and what the provider said about it. Its bytes are as untrusted as any other."""

    data: bytes
    model: str
    cost: float | None  # US dollars as the provider reported
    request_id: str | None


ProviderEvent = Progress | PartialImage | FinalImage


class ImageProvider(Protocol):
    """Makes pictures. `generate` yields any number of Progress and PartialImage, then exactly one FinalImage."""

    name: str

    def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """One call, never repeated by the provider itself.

        Raises:
            ProviderError: the call ended without a picture.
        """
        ...

    async def aclose(self) -> None:
        """Give back connections."""
        ...


class ProviderError(Exception):
    """A call that ended without a picture.

    `code`: the ErrorCode the person sees, one of GENERATION_FAILED, GENERATION_TIMEOUT, CONTENT_REJECTED,
    PROVIDER_UNAVAILABLE, PROVIDER_MISCONFIGURED. `detail`: for the log only; never shown, holds no secret.
    `may_retry`: the work provably never started (connect error, 429, 503). `retry_after`: seconds the provider
    asked for. `request_left`: False only if provably no byte of the request reached the provider.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        may_retry: bool = False,
        retry_after: float | None = None,
        request_left: bool = True,
        cost: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.may_retry = may_retry
        self.retry_after = retry_after
        self.request_left = request_left
        self.cost = cost
        self.request_id = request_id
