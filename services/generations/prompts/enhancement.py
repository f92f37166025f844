"""Prompt enhancement: before the image is made, a text model enriches the user's words where the user asked for it."""

import asyncio
import time
from collections.abc import Callable

import structlog

from services.core.error import InvalidInputError
from services.generations.claim import Claim
from services.integrations.providers.prompt_enhancer import EnhancedPrompt, PromptEnhancer
from services.integrations.providers.protocol import ProviderError
from services.products.prompt import check_prompt, with_other_words
from telemetry import metric
from telemetry.redaction import redact_in_errors

log = structlog.get_logger(__name__)

SECONDS = 5.0  # the longest that a generation waits for its enhanced prompt
_MAX_LENGTH = 4000  # characters of an enhanced prompt; a longer one is not used


class PromptEnhancement:
    """Enhances the prompts of claimed generations. It never fails one: without an enhanced prompt, its own is used.

    `is_blocked`: whether the product's blocklist has a phrase of a text.
    """

    def __init__(
        self, enhancer: PromptEnhancer | None, *, is_blocked: Callable[[str], bool], seconds: float = SECONDS
    ) -> None:
        self._enhancer = enhancer
        self._is_blocked = is_blocked
        self._seconds = seconds

    async def apply(self, claim: Claim, deadline: float) -> None:
        """Put an enhanced prompt into the claimed generation's full prompt, unless an earlier attempt has.

        The claim writes it when it records the provider's call. `deadline`: seconds that are left for the generation,
        of which at most half are used.
        """
        row = claim.generation
        if self._enhancer is None or not row.enhance_prompt or row.prompt is None or row.enhanced_prompt is not None:
            return
        started = time.monotonic()
        try:
            async with asyncio.timeout(min(self._seconds, deadline / 2)):
                enhanced = await self._enhancer.enhance(row.prompt)
        except (ProviderError, TimeoutError) as error:
            reason = error.detail if isinstance(error, ProviderError) else "too late"
            log.warning("prompt.not_enhanced", generation=row.id, reason=reason)
            return
        if enhanced.cost:
            metric.provider_dollars.labels(self._enhancer.name).inc(enhanced.cost)
        seconds = round(time.monotonic() - started, 3)
        words = self._usable_words(enhanced)
        full_prompt = with_other_words(row.full_prompt, row.prompt, words) if words else None
        redact_in_errors(row.prompt, enhanced.text, row.full_prompt, full_prompt, row.variables, row.earlier_prompts)
        claim.enhance(words, full_prompt, enhanced.cost)
        log.info(
            "prompt.enhanced", generation=row.id, used=full_prompt is not None, seconds=seconds, cost=enhanced.cost
        )

    def _usable_words(self, enhanced: EnhancedPrompt) -> str | None:
        """Return the enhanced prompt, cleaned like a user's; None if it cannot be used."""
        try:
            words = check_prompt(enhanced.text, _MAX_LENGTH)
        except InvalidInputError:
            return None
        return None if words is None or self._is_blocked(words) else words
