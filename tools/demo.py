"""A terminal client: signs up at a running server, sends a photo, follows the generation, saves images or video.

Exit codes: 0 success, 1 the server cannot be reached, 2 invalid arguments, 3 not enough credits, 4 the server refused
the request or the photo, 5 the generation failed, 130 interrupted.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from settings import SettingsError, load_settings  # noqa: E402 - the path comes first
from tools.demo_api import PICTURES, PROGRESS, STYLE, DemoApi, DemoError, FailedError, RefusedError  # noqa: E402 - the path comes first
from tools.demo_portrait import draw_portrait  # noqa: E402 - the path comes first

ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
PICTURE_STYLE = "plushify/cute"
VIDEO_STYLE = "sandbox/free"  # which needs a prompt
VIDEO_PROMPT = "The camera moves slowly closer, while the light changes from morning to evening"
SIDE = 720  # pixels: the height of the side-by-side picture
GAP = 16  # pixels between the two pictures


class Screen:
    """The terminal output: a progress bar with stage, credits and previews, and a line for every new stage."""

    def __init__(self, console: Console, credits: int) -> None:
        self._console = console
        self._credits = credits
        self._previews = 0
        self._stage = ""
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.description}", style="bold", markup=False),
            TextColumn("credits {task.fields[credits]}, previews {task.fields[previews]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID = self._bar.add_task("", total=1.0, credits=credits, previews=0)

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show_generation(self, value: dict[str, Any]) -> None:
        if value["previewUrl"] is not None:
            self._previews += 1
        if value["stage"] != self._stage:
            self._stage = value["stage"]
            self._console.print(f"  {value['progress']:>4.0%}  {value['message']}", markup=False, highlight=False)
        self._bar.update(self._task, completed=value["progress"], description=value["message"], previews=self._previews)

    def show_credits(self, value: dict[str, Any]) -> None:
        line = value["transaction"]
        if line is not None:
            text = f"        {line['description']}: {line['amount']:+d} credits, {value['credits']} left"
            self._console.print(text, markup=False, highlight=False)
        self._bar.update(self._task, credits=value["credits"])


async def find_style(api: DemoApi, path: str) -> dict[str, Any]:
    """Return the style "collection/slug".

    Raises:
        RefusedError: with the list of styles, if it does not exist.
    """
    collection, _, slug = path.partition("/")
    found = await api.execute(STYLE, slug=slug, collection=collection)
    if found["style"] is None:
        names = [f"{group['slug']}/{style['slug']}" for group in found["collections"] for style in group["styles"]]
        raise RefusedError(f"There is no style {path}. Choose one of: {', '.join(names)}")
    style: dict[str, Any] = found["style"]
    return style


async def generate(api: DemoApi, console: Console, credits: int, photo: tuple[str, bytes] | None, **input: Any) -> str:
    """Create a generation, show its progress, and return its id once it has completed."""
    async with api.open_socket() as socket:
        generation_id = await api.create(photo, **input)
        await socket.subscribe("progress", PROGRESS, id=generation_id)
        last: dict[str, Any] = {}
        with Screen(console, credits) as screen:
            async for event in socket.until_complete("progress"):
                if event.stream == "credits":
                    screen.show_credits(event.value)
                else:
                    last = event.value
                    screen.show_generation(last)
    if last.get("status") != "COMPLETED":
        refunded = " The credits were refunded." if last.get("refunded") else ""
        raise FailedError(f"{last.get('errorMessage') or last.get('message')}{refunded}")
    return generation_id


async def save_pictures(api: DemoApi, found: dict[str, Any], folder: Path, name: str) -> list[Path]:
    """Save the original (if any), the result, and both side by side, or a video's poster; return their paths."""
    paths = []
    for kind in ("original", "result"):
        if file := found[kind]:
            path = folder / f"{name}-{kind}.{ENDINGS[file['contentType']]}"
            await api.save(file["url"], path)
            paths.append(path)
    if poster := found["result"]["posterUrl"]:
        paths.append(folder / f"{name}-poster.jpg")
        await api.save(poster, paths[-1])
    elif len(paths) == 2:
        comparison = folder / f"{name}-side-by-side.jpg"
        await asyncio.to_thread(join_pictures, paths[0], paths[1], comparison)
        paths.append(comparison)
    return paths


def join_pictures(before: Path, after: Path, target: Path) -> None:
    """Save both images in one, at the same height, on white."""
    pictures = []
    for path in (before, after):
        with Image.open(path) as picture:
            size = (max(round(picture.width * SIDE / picture.height), 1), SIDE)
            pictures.append(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    row = Image.new("RGB", (sum(picture.width for picture in pictures) + GAP, SIDE), "white")
    row.paste(pictures[0], (0, 0))
    row.paste(pictures[1], (pictures[0].width + GAP, 0))
    row.save(target, "JPEG", quality=90)


async def run(arguments: argparse.Namespace, console: Console) -> None:
    if arguments.photo:
        photo = (arguments.photo.name, await asyncio.to_thread(arguments.photo.read_bytes))
    else:
        photo = ("portrait.jpg", await asyncio.to_thread(draw_portrait))
    # Before credits are spent, because it may fail.
    await asyncio.to_thread(arguments.folder.mkdir, parents=True, exist_ok=True)
    async with DemoApi(arguments.address, arguments.language) as api:
        user = await api.sign_up()
        console.print(f"Signed up as {user['email']} with {user['credits']} credits.", highlight=False)
        style = await find_style(api, arguments.style)
        takes_photo = style["referenceImage"] != "UNUSED"
        sent = f"{photo[0]}, {len(photo[1]) / 1024:.0f} KB" if takes_photo else "no photo"
        title = f"{style['collection']['title']} / {style['title']}"
        console.print(f"Sending {sent}. Style: {title}.", markup=False, highlight=False)
        generation_id = await generate(
            api,
            console,
            user["credits"],
            photo if takes_photo else None,
            styleId=style["id"],
            prompt=arguments.prompt or (VIDEO_PROMPT if arguments.video else None),
            enhancePrompt=arguments.enhance,
            quality=arguments.quality,
            media="VIDEO" if arguments.video else "IMAGE",
        )
        viewer = (await api.execute(PICTURES, id=generation_id))["viewer"]
        found = viewer["generation"]
        name = f"{arguments.style.replace('/', '-')}-{generation_id[-6:]}"
        paths = await save_pictures(api, found, arguments.folder, name)
    size = f"{found['result']['width']} x {found['result']['height']} pixels"
    if seconds := found["result"]["durationSeconds"]:
        size += f", {seconds:g} seconds"
    by = f"the {found['provider']} provider" + (f" ({found['model']})" if found["model"] != found["provider"] else "")
    console.print(f"Made by {by}, {size}; {viewer['credits']} credits left.", markup=False, highlight=False)
    if found["enhancedPrompt"]:
        console.print(f"Enriched prompt: {found['enhancedPrompt']}", markup=False, highlight=False, soft_wrap=True)
    for path in paths:
        console.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)


def parse_arguments() -> argparse.Namespace:
    about, codes = (__doc__ or "").split("\n\n", 1)
    parser = argparse.ArgumentParser(prog="demo.py", description=about, epilog=codes)
    parser.add_argument("--photo", type=Path, metavar="PATH", help="the photo to send (default: one is drawn)")
    parser.add_argument(
        "--style", metavar="COLLECTION/SLUG", help=f"default: {PICTURE_STYLE}; of a video, {VIDEO_STYLE}"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="a prompt, if the style accepts one")
    parser.add_argument("--enhance", action="store_true", help="have a text model enrich the prompt")
    parser.add_argument("--quality", default="STANDARD", choices=["STANDARD", "HD", "ULTRA"])
    parser.add_argument("--video", action="store_true", help="order a video instead of an image")
    parser.add_argument(
        "--address", metavar="URL", help="where the server is (default: by PUBLIC_URL, HOST and PORT, as the server)"
    )
    parser.add_argument("--language", default="en", metavar="TAG", help="language of the server's texts: en, zh-CN")
    parser.add_argument(
        "--folder", type=Path, default=Path("demo-pictures"), help="where images are saved (default: %(default)s)"
    )
    arguments = parser.parse_args()
    arguments.style = arguments.style or (VIDEO_STYLE if arguments.video else PICTURE_STYLE)
    if arguments.address is None:
        try:
            arguments.address = load_settings().address
        except SettingsError as error:
            parser.error(str(error))
    if "://" not in arguments.address:
        arguments.address = f"http://{arguments.address}"
    if "/" not in arguments.style:
        parser.error("--style must look like plushify/cute")
    if arguments.photo and not arguments.photo.is_file():
        parser.error(f"there is no file {arguments.photo}")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    console = Console()
    try:
        asyncio.run(run(arguments, console))
    except DemoError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except OSError as error:  # the photo cannot be read, or the folder cannot be written
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
