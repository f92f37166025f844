"""Bodies of OpenAI's image requests, read into requests for generations."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException as FormError

from models import Generation, ids
from models.enum import Quality
from schema.runtime.node import any_id
from services.core.message import Message, message
from services.generations.specification import GenerationRequest
from web.body import decode_json
from web.openai_api.api_error import ApiError, invalid

_QUALITIES = {
    "standard": Quality.STANDARD,
    "low": Quality.STANDARD,
    "medium": Quality.STANDARD,
    "hd": Quality.HD,
    "high": Quality.HD,
    "ultra": Quality.ULTRA,
    "xhigh": Quality.ULTRA,
    "max": Quality.ULTRA,
}
_SIZE = re.compile(r"([1-9][0-9]{1,3})x([1-9][0-9]{1,3})")
_HD_SIDE, _ULTRA_SIDE = 2048, 4096  # pixels of the long side from which a size asks for that quality
# Sizes are sold by their aspect ratio: each stands for the nearest of these.
_RATIOS = ("1:1", "5:4", "4:3", "3:2", "16:9", "21:9", "4:5", "3:4", "2:3", "9:16", "9:21")
_BRACKETED = re.compile(r"(\w+)\[(\w*)\]")  # how clients spell lists and objects in a form
_NO_OBJECT = message("The body must be a JSON object.")
_ONE_PHOTO = message("Send one picture to edit.")
_NO_FORM = message("The body must be a form: multipart/form-data.")
# What Starlette says of forms that it does not read, the parameter, and our message.
_FORM_PROBLEMS = (
    ("Too many files", "image", _ONE_PHOTO),
    ("Too many fields", None, message("The form has too many fields.")),
    ("exceeded maximum size", None, message("A field of the form is too long.")),
)


class ImageBody(BaseModel):
    """The parameters that are used; others are ignored, as a newer client may send any. Null counts as left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: str | None = None
    model: str | None = None  # None: the first that can do what is asked for
    n: int | None = None
    size: str | None = None
    quality: Literal["auto", "standard", "low", "medium", "hd", "high", "ultra", "xhigh", "max"] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    background: Literal["auto", "opaque"] | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = None
    # Of this API.
    style_id: str | None = None
    variables: dict[str, str] | None = None
    enhance_prompt: bool | None = None

    @property
    def is_url_wanted(self) -> bool:
        return self.response_format == "url"

    @property
    def format(self) -> str | None:
        """The format of the picture, as `FileService.read_as` calls it; None: any."""
        return self.output_format.upper() if self.output_format else None


@dataclass(frozen=True)
class SubmittedOrder:
    """An order that was charged, without the photo that came with it.

    `kind`: image_generation or image_edit, as its events are named. `received_at`: in monotonic seconds; proxies count
    from then on, too. `has_key`: it came with an idempotency key.
    """

    body: ImageBody
    kind: str
    rows: Sequence[Generation]
    received_at: float
    has_key: bool


def read_json(body: bytes) -> ImageBody:
    """Return the parameters in a JSON body. Raises ApiError."""
    try:
        found = decode_json(body)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise invalid(None, _NO_OBJECT)
    return _checked(found)


def form_problem(problem: FormError | ValueError) -> ApiError:
    """Return the error of a form that cannot be read."""
    detail = problem.detail if isinstance(problem, FormError) else ""
    for text, parameter, shown in _FORM_PROBLEMS:
        if text in detail:
            return invalid(parameter, shown)
    return invalid(None, _NO_FORM)


def read_form(form: FormData) -> tuple[ImageBody, UploadFile]:
    """Return the parameters and the picture in a form. Raises ApiError."""
    texts: dict[str, Any] = {}
    files: dict[str, list[UploadFile]] = {}
    for name, value in form.multi_items():
        bracketed = _BRACKETED.fullmatch(name)
        key = bracketed[1] if bracketed else name
        if isinstance(value, UploadFile):
            files.setdefault(key, []).append(value)
        elif bracketed and bracketed[2]:
            group = texts.setdefault(key, {})
            if not isinstance(group, dict):
                raise invalid(key)
            group[bracketed[2]] = value
        else:
            texts[key] = value
    if "mask" in files or "mask" in texts:
        raise invalid("mask", message("Masks are not supported: describe in `prompt` what to change."))
    photos = files.get("image", [])
    if len(photos) != 1:
        raise invalid("image", _ONE_PHOTO)
    return _checked(texts), photos[0]


def _checked(values: Mapping[str, Any]) -> ImageBody:
    try:
        body = ImageBody.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        parameter = str(problem["loc"][0])
        if problem["type"] == "literal_error":
            raise invalid(parameter, _one_of(parameter, problem["ctx"]["expected"])) from None
        raise invalid(parameter) from None
    if body.stream and (body.n or 1) != 1:
        raise invalid("n", message("A stream has one picture."))
    return body


def _one_of(parameter: str, expected: str) -> Message:
    values: Sequence[str] = tuple(re.findall(r"'([^']+)'", expected))
    return message("`{parameter}` is one of: {values}.", parameter=parameter, values=values)


def generation_request(body: ImageBody, photo: bytes | None, idempotency_key: str | None) -> GenerationRequest:
    """Return the request for generations. Raises ApiError."""
    ratio, pixels = _shape(body.size)
    quality = _QUALITIES.get(body.quality or "auto") or _quality_of(pixels)
    return GenerationRequest(
        style_id=any_id(body.style_id, ids.STYLE) if body.style_id is not None else None,
        prompt=body.prompt,
        image=photo,
        variables=body.variables,
        quality=quality,
        aspect_ratio=ratio,
        count=1 if body.n is None else body.n,
        model=body.model or None,
        enhance_prompt=body.enhance_prompt or None,
        idempotency_key=idempotency_key,
    )


def _shape(size: str | None) -> tuple[str | None, int]:
    """Return the aspect ratio of a size such as 1536x1024, None for any, and the pixels of its long side, 0 for any."""
    if size in (None, "", "auto"):
        return None, 0
    assert size is not None  # noqa: S101 - it is not among those
    if (found := _SIZE.fullmatch(size)) is None:
        raise invalid("size", message("`size` is `auto`, or a width and a height in pixels, such as 1536x1024."))
    width, height = int(found[1]), int(found[2])
    wanted = math.log(width / height)
    return min(_RATIOS, key=lambda ratio: abs(wanted - math.log(_value(ratio)))), max(width, height)


def _value(ratio: str) -> float:
    width, height = ratio.split(":")
    return int(width) / int(height)


def _quality_of(pixels: int) -> Quality:
    if pixels >= _ULTRA_SIDE:
        return Quality.ULTRA
    return Quality.HD if pixels >= _HD_SIDE else Quality.STANDARD
