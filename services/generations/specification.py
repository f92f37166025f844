"""Specification: a request for generations, checked and priced, and the row of each generation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from models import Generation, Style, User, ids
from models.enum import MediaKind, Quality, ReferenceImage, Size
from services.billing.entitlement import Entitlement
from services.billing.funding import Charge, Funding
from services.catalogue.style import StyleService, is_locked, price, prompt_of, variables_of
from services.core.error import InvalidInputError, MembershipRequiredError
from services.core.message import message
from services.products.profile import Limits
from services.products.prompt import check_prompt, check_variables, render_prompt

_RATIO = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)")
_WIDEST = 4.0  # ratio of the longer side to the shorter


@dataclass(frozen=True)
class GenerationRequest:
    """The unchecked input of a request. `image`: the raw bytes of the photo."""

    style_id: str | None = None
    prompt: str | None = None
    image: bytes | None = None
    upload_id: str | None = None  # of a photo that was uploaded before, instead of `image`
    variables: object = None
    size: Size = Size.MEDIUM
    quality: Quality = Quality.STANDARD
    aspect_ratio: str | None = None
    media: MediaKind = MediaKind.IMAGE
    count: int = 1
    model: str | None = None
    idempotency_key: str | None = None

    @property
    def has_photo(self) -> bool:
        return self.image is not None or self.upload_id is not None


@dataclass(frozen=True)
class GenerationSpec:
    """A checked request: what each of its generations is made from, and its price."""

    style: Style  # with its collection
    prompt: str | None  # the user's text
    full_prompt: str
    variables: Mapping[str, str]
    size: Size
    quality: Quality
    aspect_ratio: str | None
    media: MediaKind
    model: str | None
    count: int
    cost: int  # credits for one generation, if credits pay
    priority: int  # higher numbers are claimed first
    original_id: str | None = None
    parent_id: str | None = None
    earlier_prompts: tuple[str, ...] = ()

    @property
    def charge(self) -> Charge:
        """The charge for the whole request."""
        return Charge(self.media, self.count, self.cost)

    def new_row(self, user_id: str, batch_id: str, funding: Funding) -> Generation:
        """Return one of its generations, not yet written."""
        generation_id = ids.new_id(ids.GENERATION)
        return Generation(
            id=generation_id,
            search_text=search_text(generation_id, self.prompt, self.style.title),
            user_id=user_id,
            batch_id=batch_id,
            media=self.media,
            style_id=self.style.id,
            collection_slug=self.style.collection.slug,
            style_slug=self.style.slug,
            style_title=self.style.title,
            prompt=self.prompt,
            full_prompt=self.full_prompt,
            variables=dict(self.variables),
            size=self.size,
            quality=self.quality,
            aspect_ratio=self.aspect_ratio,
            requested_model=self.model,
            parent_id=self.parent_id,
            earlier_prompts=list(self.earlier_prompts),
            original_id=self.original_id,
            priority=self.priority,
            cost=funding.each,
            paid_by=funding.paid_by,
            pass_id=funding.pass_.id if funding.pass_ else None,
            pass_hour=funding.pass_.hour if funding.pass_ else None,
            refund_policy=self.style.collection.refund_policy,
        )


def search_text(generation_id: str, prompt: str | None, style_title: Mapping[str, str]) -> str:
    """Return the text that is searched, case-folded, one value per line."""
    return "\n".join([*([prompt] if prompt else []), *style_title.values(), generation_id]).casefold()


def check_request(
    entitlement: Entitlement, request: GenerationRequest, styles: StyleService, limits: Limits
) -> str | None:
    """Check what needs no style, and return the prompt, cleaned. Raises InvalidInputError."""
    styles.check_request(entitlement, request.media, request.count, request.model)
    _check_aspect_ratio(request.aspect_ratio)
    if request.image is not None and request.upload_id is not None:
        raise InvalidInputError(message("Send a photo or name an upload, not both."), field=("uploadId",))
    prompt = check_prompt(request.prompt, limits.prompt_max_length)
    if request.style_id is None and prompt is None:
        raise InvalidInputError(message("Choose a style or describe the picture."), field=("styleId",))
    return prompt


def build_spec(
    user: User, entitlement: Entitlement, request: GenerationRequest, prompt: str | None, style: Style
) -> GenerationSpec:
    """Check everything else in a request except the photo's bytes and the funding. `prompt`: from `check_request`.

    Raises:
        InvalidInputError, MembershipRequiredError
    """
    if is_locked(style, user):
        raise MembershipRequiredError(field=("styleId",))
    if style.reference_image is ReferenceImage.REQUIRED and not request.has_photo:
        raise InvalidInputError(message("This style needs a photo."), field=("image",))
    if style.reference_image is ReferenceImage.UNUSED and request.has_photo:
        field = "image" if request.image is not None else "uploadId"
        raise InvalidInputError(message("This style does not use a photo."), field=(field,))
    variables = check_variables(variables_of(style), request.variables)
    full_prompt = render_prompt(
        prompt_of(style), has_photo=request.has_photo, size=request.size, variables=variables, instruction=prompt
    )
    return GenerationSpec(
        style=style,
        prompt=prompt,
        full_prompt=full_prompt,
        variables=variables,
        size=request.size,
        quality=request.quality,
        aspect_ratio=request.aspect_ratio,
        media=request.media,
        model=request.model,
        count=request.count,
        cost=price(style, request.quality),
        priority=int(entitlement.priority),
    )


def _check_aspect_ratio(aspect_ratio: str | None) -> None:
    if aspect_ratio is None:
        return
    sides = _RATIO.fullmatch(aspect_ratio)
    if sides is None or not 1 / _WIDEST <= int(sides[1]) / int(sides[2]) <= _WIDEST:
        text = message("An aspect ratio looks like 3:2 and is at most 4:1.")
        raise InvalidInputError(text, field=("aspectRatio",))
