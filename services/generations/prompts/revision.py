"""Prompts that start from a result: for a variation of it, or for a refinement with one change."""

from collections.abc import Sequence

from services.products.prompt import FREE_TEXT, quote

# Earlier prompts that are sent again for a refinement; the image shows the effect of the older ones.
MAX_EARLIER_PROMPTS = 8

_VARIATION = (
    "The given picture was made from the description below. Make another one like it, but not the same: keep the"
    " subject, who it is, the style and the mood, and choose another composition, pose, light and other details."
)
_REFINEMENT = (
    "The given picture is what came of everything asked for so far. Edit it: change only what the person asks for now,"
    " and keep everything else as it is, who and what is in it, pose, framing, style, light and colours."
)


def variation_prompt(earlier_prompts: Sequence[str], full_prompt: str) -> str:
    """Return the prompt for a variation of the image that these prompts made, one after another."""
    # A variation is described by the prompts of the image that it varies.
    described = [prompt.removeprefix(_VARIATION).strip() for prompt in (*earlier_prompts, full_prompt)]
    return "\n\n".join([_VARIATION, *described])


def refinement_prompt(instruction: str) -> str:
    """Return the prompt for the given image with one change."""
    return f"{_REFINEMENT}\n\n{FREE_TEXT} The person asks: {quote(instruction)}"


def conversation(earlier_prompts: Sequence[str], full_prompt: str) -> tuple[str, ...]:
    """Return the earlier prompts of a refinement, oldest first, at most MAX_EARLIER_PROMPTS."""
    return (*earlier_prompts, full_prompt)[-MAX_EARLIER_PROMPTS:]
