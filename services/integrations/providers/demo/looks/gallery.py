"""The look of each style, and the fallbacks for a missing photo or an unknown style."""

from collections.abc import Callable

from PIL import Image

from services.integrations.providers.demo.looks import comic, cushion, film, paint, plush
from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.scene import ABSTRACT, SCENES, compose_scene, draw_scene, scene_for

Look = Callable[[Drawing, Image.Image], Image.Image]

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


def make(style: str | None, drawing: Drawing, photo: Image.Image | None) -> Image.Image:
    """Draw an RGB image of the drawing's size in `style` ("collection/slug").

    `photo` is RGB and of the drawing's size. Without one, the prompt's scene is drawn and used as the look's subject.
    """
    if style is not None and style.startswith(_SCENES):
        scene = SCENES.get(style.removeprefix(_SCENES))
        if scene is not None:
            return draw_scene(scene, drawing) if photo is None else compose_scene(scene, drawing, photo)
    look = _LOOKS.get(style or "")
    if photo is None:
        drawn = draw_scene(scene_for(drawing.prompt) or ABSTRACT, drawing)
        return drawn if look is None else look(drawing, drawn)
    if style == _FREE:
        look = paint.free
    return (look or paint.darkroom)(drawing, photo)
