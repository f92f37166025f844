"""What OpenRouter says about its video models: `GET /videos/models`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from services.integrations.providers.openrouter.discovery import SECONDS, DiscoveryError, read_json

_UNLISTED = (401, 403, 404)  # a key is asked for, or this OpenRouter has no such list
# Names of a price per second, the most exact first. Nothing is said about sound in a request, so that a model which can
# make it does. The guide names those with dashes; the others were seen in published answers.
_DOLLARS = (
    "duration_seconds_with_audio_{resolution}",
    "duration_seconds_{resolution}",
    "per-video-second-{resolution}",
    "duration_seconds_with_audio",
    "duration_seconds",
    "per-video-second",
)
_CENTS = ("cents_per_video_output_second_{resolution}", "cents_per_second_output")


@dataclass(frozen=True)
class DiscoveredVideoModel:
    """One model as OpenRouter describes it. None: it does not say."""

    id: str
    resolutions: tuple[str, ...] | None  # such as 720p
    aspect_ratios: tuple[str, ...] | None
    durations: tuple[int, ...] | None  # seconds, in any order
    takes_first_frame: bool
    prices: Mapping[str, str]

    def cost_per_second(self, resolution: str) -> float | None:
        """Return US dollars for a second of video; None: there is no price of a known kind."""
        for names, unit in ((_DOLLARS, 1.0), (_CENTS, 0.01)):
            for name in names:
                price = _number(self.prices.get(name.format(resolution=resolution)))
                if price is not None:
                    return price * unit
        return None


async def discover_videos(
    base_url: str, key: str | None = None, transport: httpx2.AsyncBaseTransport | None = None
) -> list[DiscoveredVideoModel] | None:
    """Return the video models; None if they are not listed, or not without a key.

    Raises:
        DiscoveryError: there is no answer, or it is not in the documented form.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(
        base_url=base_url,
        headers=headers,
        transport=transport,
        timeout=SECONDS,
        trust_env=False,
        follow_redirects=False,
    ) as http:
        answer = await read_json(http, "/videos/models", unlisted=_UNLISTED)
    try:
        return None if answer is None else [_model(item) for item in answer["data"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DiscoveryError(f"an answer is not in the documented form: {error!r}") from error


def _model(item: dict[str, Any]) -> DiscoveredVideoModel:
    resolutions, ratios, durations = (
        item.get(f"supported_{name}") for name in ("resolutions", "aspect_ratios", "durations")
    )
    return DiscoveredVideoModel(
        id=item["id"],
        resolutions=tuple(map(str, resolutions)) if resolutions else None,
        aspect_ratios=tuple(map(str, ratios)) if ratios else None,
        durations=tuple(map(int, durations)) if durations else None,
        takes_first_frame="first_frame" in (item.get("supported_frame_images") or ()),
        prices={str(name): str(price) for name, price in (item.get("pricing_skus") or {}).items()},
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
