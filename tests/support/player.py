"""The player of a video in a page of a real browser."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

_PLAY = """() => {
  const video = document.querySelector("video");
  video.muted = true;
  return new Promise((resolve, reject) => {
    video.ontimeupdate = () => video.currentTime > 0.3 && resolve([video.duration, video.videoWidth]);
    video.onerror = () => reject(video.error.message);
    video.play().catch(reject);
  });
}"""


async def play(page: "Page") -> tuple[float, int]:
    """Play the page's video for a moment; return its duration in seconds and its width in pixels."""
    duration, width = await page.evaluate(_PLAY)
    return duration, width
