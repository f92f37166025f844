"""The look of each style, and the fallbacks for a missing photo or an unknown style."""

from collections.abc import Callable

from PIL import Image

from services.integrations.providers.demo.looks import comic, cushion, film, paint, plush
from services.integrations.providers.demo.looks.scene import ABSTRACT, SCENES, compose_scene, draw_scene, scene_for
from services.integrations.providers.demo.looks.sheet import Sheet

Look = Callable[[Sheet, Image.Image], Image.Image]

_LOOKS: dict[str, Look] = {
    "plushify/cute": cushion.cute,
    "plushify/realistic": plush.realistic,
    "plushify/cartoon": plush.cartoon,
    "avenger/classic": comic.classic,
    "avenger/cinematic": film.cinematic,
    "avenger/noir": film.noir,
    "avenger/anime": comic.anime,
    "avenger/realistic": film.realistic,
}
_FREE = "sandbox/free"
_SCENES = "scenes/"


def make(style: str | None, sheet: Sheet, photo: Image.Image | None) -> Image.Image:
    """Draw an RGB image of the sheet's size in `style` ("collection/slug").

    `photo` is RGB and of the sheet's size. Without one, the prompt's scene is drawn and used as the look's subject.
    """
    if style is not None and style.startswith(_SCENES):
        scene = SCENES.get(style.removeprefix(_SCENES))
        if scene is not None:
            return draw_scene(scene, sheet) if photo is None else compose_scene(scene, sheet, photo)
    look = _LOOKS.get(style or "")
    if photo is None:
        drawing = draw_scene(scene_for(sheet.prompt) or ABSTRACT, sheet)
        return drawing if look is None else look(sheet, drawing)
    if style == _FREE:
        look = paint.free
    return (look or paint.darkroom)(sheet, photo)
