"""The request of a claimed generation, as its provider is sent it."""

from dataclasses import replace

import structlog

from models.enum import ErrorCode
from services.generations.calls.failure import GenerationFailedError
from services.generations.claim import Claim
from services.integrations.images.sanitizer import BadImageError, ImageSanitizer, SanitizerUnavailableError
from services.integrations.providers.protocol import ImageRequest, ReferencePhoto

log = structlog.get_logger(__name__)


def request_of(claim: Claim, reference: ReferencePhoto | None) -> ImageRequest:
    """Return the request of a claimed generation."""
    row = claim.generation
    return ImageRequest(
        generation_id=row.id,
        prompt=row.full_prompt,
        style=f"{row.collection_slug}/{row.style_slug}",
        model=row.requested_model,
        reference=reference,
        earlier_prompts=tuple(row.earlier_prompts),
        size=row.size,
        quality=row.quality,
        aspect_ratio=row.aspect_ratio,
        seconds=row.duration_seconds,
        variables=tuple(row.variables.items()),
    )


async def fit_reference(
    sanitizer: ImageSanitizer, request: ImageRequest, max_bytes: int | None, account: str
) -> ImageRequest:
    """Replace a reference of more than `max_bytes` by a smaller copy; the stored file stays as it is.

    Raises:
        GenerationFailedError: it cannot be made; the provider was not called.
    """
    reference = request.reference
    if reference is None or max_bytes is None or len(reference.data) <= max_bytes:
        return request
    try:
        copy = await sanitizer.reduce(reference.data, max_bytes=max_bytes, account=account)
    except (BadImageError, SanitizerUnavailableError):
        log.exception("generation.reference_not_reduced", generation=request.generation_id, max_bytes=max_bytes)
        raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=False) from None
    log.info(
        "generation.reference_reduced",
        generation=request.generation_id,
        bytes=len(reference.data),
        sent=len(copy.data),
    )
    smaller = replace(reference, data=copy.data, content_type=copy.content_type, width=copy.width, height=copy.height)
    return replace(request, reference=smaller)
