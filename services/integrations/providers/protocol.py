"""The interface of image providers: an async stream of events that ends with one image."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from models.enum import ErrorCode, Quality, Size
from services.integrations.providers.failure_cause import LOST, FailureCause

MAX_ANSWER_BYTES = 64 * 1024 * 1024  # of a provider's whole answer; more is not read


@dataclass(frozen=True)
class ReferencePhoto:
    """A sanitized image to start from: upright, in one of the accepted formats."""

    data: bytes
    content_type: str  # image/jpeg, image/png or image/webp
    width: int  # pixels
    height: int
    is_result: bool = False  # an earlier result, to be varied or refined; otherwise an uploaded photo


@dataclass(frozen=True)
class ImageRequest:
    """A complete description of one image; a provider needs no other data."""

    generation_id: str  # also the random seed of providers that draw
    prompt: str  # the full text: the style's template with the user's text in it
    style: str | None = None  # "collection/slug", for providers that draw without a model
    model: str | None = None  # None: the provider's default
    reference: ReferencePhoto | None = None
    earlier_prompts: tuple[str, ...] = ()  # of a refinement, the prompts before `prompt`, oldest first
    size: Size = Size.MEDIUM
    quality: Quality = Quality.STANDARD
    aspect_ratio: str | None = None  # "3:2"; None: that of the reference, else square
    seconds: int | None = None  # of a video; None: the model's own
    variables: tuple[tuple[str, str], ...] = ()  # the style's variables, already part of the prompt


@dataclass(frozen=True)
class Progress:
    """The progress of the call, from 0 to 1."""

    fraction: float
    is_loading: bool = False  # the provider is loading the model, and has not begun


@dataclass(frozen=True)
class PartialImage:
    """A preview of the image. Its bytes are untrusted."""

    data: bytes
    fraction: float


@dataclass(frozen=True)
class FinalImage:
    """The image, and what the provider reported about it. Its bytes are untrusted."""

    data: bytes
    model: str
    cost: float | None  # US dollars as the provider reported
    request_id: str | None


ProviderEvent = Progress | PartialImage | FinalImage


@dataclass(frozen=True)
class KeyStatus:
    """What a provider says about its key. `dollars_left`: US dollars that it may still spend; None: no limit is set."""

    is_valid: bool
    dollars_left: float | None = None


class ImageProvider(Protocol):
    """Generates images. `generate` yields any number of Progress and PartialImage, then exactly one FinalImage."""

    name: str

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        ...

    def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Make one call; the implementation never retries it.

        Raises:
            ProviderError: the call ended without an image.
        """
        ...

    async def check_key(self) -> KeyStatus | None:
        """Ask the provider about the key; this costs nothing. None: it needs no key.

        Raises:
            ProviderError: it could not be asked.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class ProviderError(Exception):
    """A call that ended without an image.

    `code`: the ErrorCode shown to the user, one of GENERATION_FAILED, GENERATION_TIMEOUT, CONTENT_REJECTED,
    PROVIDER_UNAVAILABLE, PROVIDER_MISCONFIGURED, RATE_LIMITED. `detail`: for the log only; never shown, contains no
    secret. `may_retry`: the work provably never started (connect error, 429, 503). `retry_after`: seconds of the
    provider's Retry-After. `request_left`: False only if provably no byte of the request reached the provider.
    `was_refused`: the answer says that no work was begun, and that repeating the call is pointless: an invalid key, no
    credit, an unknown model. `cause`: of a closed set, for logs and metrics; KEY and CREDIT may concern every call.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        may_retry: bool = False,
        retry_after: float | None = None,
        request_left: bool = True,
        was_refused: bool = False,
        cost: float | None = None,
        request_id: str | None = None,
        cause: FailureCause = FailureCause.OTHER,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.cause = cause
        self.code = code
        self.detail = detail
        self.may_retry = may_retry
        self.retry_after = retry_after
        self.request_left = request_left
        self.was_refused = was_refused
        self.cost = cost
        self.request_id = request_id

    @property
    def is_lost(self) -> bool:
        """Whether the provider may have made something, and no answer says whether, or what it cost."""
        if self.cost is not None or not self.request_left or self.may_retry or self.was_refused:
            return False
        return self.code in (ErrorCode.GENERATION_TIMEOUT, ErrorCode.INTERNAL) or self.cause in LOST
