"""What the provider is told that begins with a finished picture: another one like it, or this one with a change."""

from collections.abc import Sequence

from services.products.prompt import FREE_TEXT, quote

# Earlier prompts of a picture that are told again when it is refined; the picture itself shows what the others did.
MOST_EARLIER = 8

_VARIATION = (
    "The given picture was made from the description below. Make another one like it, but not the same: keep the"
    " subject, who it is, the style and the mood, and choose another composition, pose, light and other details."
)
_REFINEMENT = (
    "The given picture is what came of everything asked for so far. Edit it: change only what the person asks for now,"
    " and keep everything else as it is, who and what is in it, pose, framing, style, light and colours."
)


def variation_prompt(earlier_prompts: Sequence[str], full_prompt: str) -> str:
    """Asks for a sibling of the picture that these prompts made, one after another."""
    # Of a variation, the description that it was made from.
    described = [prompt.removeprefix(_VARIATION).strip() for prompt in (*earlier_prompts, full_prompt)]
    return "\n\n".join([_VARIATION, *described])


def refinement_prompt(instruction: str) -> str:
    """Asks for the given picture with one change."""
    return f"{_REFINEMENT}\n\n{FREE_TEXT} The person asks: {quote(instruction)}"


def conversation(earlier_prompts: Sequence[str], full_prompt: str) -> tuple[str, ...]:
    """What was said before a picture is refined, oldest first: all that made it, or the last of that."""
    return (*earlier_prompts, full_prompt)[-MOST_EARLIER:]
