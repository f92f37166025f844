"""Specification: a request for generations, checked and priced, and the row of each generation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models import Generation, Style, User, ids
from models.enum import MediaKind, Quality, ReferenceImage, Size
from services.billing.entitlement import Entitlement
from services.billing.funding import Charge, Funding
from services.catalogue.model_choice import Demand
from services.catalogue.style import is_locked, lower_prices, price, prompt_of, variables_of, video_prompt
from services.core.error import InvalidInputError, MembershipRequiredError
from services.core.idempotency import STORED_AS
from services.core.message import message
from services.core.problems import Problems
from services.generations.prompts.written_before import free_values, style_texts
from services.products.content_check import Texts
from services.products.model import Model
from services.products.profile import Limits
from services.products.prompt import check_prompt, check_variables, render_prompt


@dataclass(frozen=True)
class GenerationRequest:
    """The unchecked input of a request. `image`: the bytes of the photo; `image_field`: where it is in the input."""

    style_id: str | None = None
    prompt: str | None = None
    image: bytes | None = None
    image_field: tuple[str, ...] = field(default=("image",), metadata={STORED_AS: None})
    data_url: str | None = None  # of the photo, instead of `image`
    upload_id: str | None = None  # of a photo that was uploaded before, instead of `image`
    variables: object = None
    size: Size = Size.MEDIUM
    quality: Quality = Quality.STANDARD
    aspect_ratio: str | None = None
    media: MediaKind = MediaKind.IMAGE
    count: int = 1
    duration_seconds: int | None = None
    model: str | None = None
    enhance_prompt: bool | None = None  # True, or not: a value changes the fingerprints of all requests
    reuse_result: bool | None = None  # True: the earlier result of the same request, instead of a new one
    idempotency_key: str | None = None

    @property
    def has_photo(self) -> bool:
        return not (self.image is None and self.data_url is None and self.upload_id is None)

    @property
    def demand(self) -> Demand:
        """What the request asks of its model."""
        return Demand(
            self.media,
            self.quality,
            self.count,
            self.aspect_ratio,
            has_reference=self.has_photo,
            seconds=self.duration_seconds,
        )


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
    model: str
    count: int
    cost: int  # credits for one generation, if credits pay
    lower_costs: Mapping[str, int]  # the same for each lower quality
    priority: int  # higher numbers are claimed first
    original_id: str | None = None
    parent_id: str | None = None
    earlier_prompts: tuple[str, ...] = ()
    enhance_prompt: bool = False
    enhanced_prompt: str | None = None  # already in `full_prompt`
    duration_seconds: int | None = None
    included_seconds: int | None = None  # as `Charge`

    @property
    def charge(self) -> Charge:
        """The charge for the whole request."""
        return Charge(
            self.media, self.count, self.cost, self.quality, self.style.collection.slug, self.included_seconds
        )

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
            enhance_prompt=self.enhance_prompt,
            enhanced_prompt=self.enhanced_prompt,
            full_prompt=self.full_prompt,
            variables=dict(self.variables),
            size=self.size,
            quality=self.quality,
            aspect_ratio=self.aspect_ratio,
            duration_seconds=self.duration_seconds,
            requested_model=self.model,
            parent_id=self.parent_id,
            earlier_prompts=list(self.earlier_prompts),
            original_id=self.original_id,
            priority=self.priority,
            cost=funding.each,
            lower_costs=dict(self.lower_costs) if funding.each else {},
            paid_by=funding.paid_by,
            pass_id=funding.pass_.id if funding.pass_ else None,
            pass_hour=funding.pass_.hour if funding.pass_ else None,
            refund_policy=self.style.collection.refund_policy,
        )


def search_text(generation_id: str, prompt: str | None, style_title: Mapping[str, str]) -> str:
    """Return the text that is searched, case-folded, one value per line."""
    return "\n".join([*([prompt] if prompt else []), *style_title.values(), generation_id]).casefold()


def check_request(request: GenerationRequest, limits: Limits) -> str | None:
    """Check what needs no style, and return the prompt, cleaned. Raises InvalidInputError, RefusalGroup."""
    problems = Problems()
    if request.image is not None and request.upload_id is not None:
        text = message("Send a photo or name an upload, not both.")
        problems.add([InvalidInputError(text, field=("uploadId",))])
    prompt = request.prompt
    with problems:
        prompt = check_prompt(request.prompt, limits.prompt_max_length)
    if request.style_id is None and prompt is None:
        text = message("Choose a style or describe the picture.")
        problems.add([InvalidInputError(text, field=("styleId",))])
    problems.check()
    return prompt


def check_style(user: User, request: GenerationRequest, style: Style) -> dict[str, str]:
    """Check what the style asks of a request, and return the values of its variables.

    Raises:
        InvalidInputError, MembershipRequiredError
        RefusalGroup: there are several such problems.
    """
    if is_locked(style, user):
        raise MembershipRequiredError(field=("styleId",))
    problems = Problems()
    if style.reference_image is ReferenceImage.REQUIRED and not request.has_photo:
        problems.add([InvalidInputError(message("This style needs a photo."), field=("image",))])
    if style.reference_image is ReferenceImage.UNUSED and request.has_photo:
        field = request.image_field if request.image is not None else ("uploadId",)
        problems.add([InvalidInputError(message("This style does not use a photo."), field=field)])
    variables: dict[str, str] = {}
    with problems:
        variables = check_variables(variables_of(style), request.variables)
    problems.check()
    return variables


def build_spec(
    user: User, entitlement: Entitlement, request: GenerationRequest, prompt: str | None, style: Style, model: Model
) -> GenerationSpec:
    """Check everything else in a request except the photo's bytes and the funding. `prompt`: from `check_request`.

    Raises:
        InvalidInputError, MembershipRequiredError
        RefusalGroup: the style asks for several things that the request does not have.
    """
    problems, variables, cost = Problems(), dict[str, str](), 0
    with problems:
        variables = check_style(user, request, style)
    with problems:
        cost = price(style, request.quality, model, request.duration_seconds)
    problems.check()
    full_prompt = render_prompt(
        prompt_of(style), has_photo=request.has_photo, size=request.size, variables=variables, instruction=prompt
    )
    if request.media is MediaKind.VIDEO:
        full_prompt = video_prompt(style, full_prompt)
    return GenerationSpec(
        style=style,
        prompt=prompt,
        full_prompt=full_prompt,
        variables=variables,
        size=request.size,
        quality=request.quality,
        aspect_ratio=request.aspect_ratio,
        media=request.media,
        model=model.id,
        count=request.count,
        cost=cost,
        lower_costs=lower_prices(style, request.quality, model, request.duration_seconds),
        priority=int(entitlement.priority),
        enhance_prompt=bool(request.enhance_prompt) and prompt is not None,
        duration_seconds=request.duration_seconds,
        included_seconds=included_seconds(model, request.duration_seconds),
    )


def included_seconds(model: Model, seconds: int | None) -> int | None:
    """Return what passes pay for where a longer video costs more than the model's first duration; else None."""
    return model.durations[0] if model.duration_factor(seconds) > model.duration_factor(None) else None


def written_texts(spec: GenerationSpec) -> Texts:
    """Return what the user wrote, by field: prompt, values of variables that are no options, and a custom style."""
    texts: dict[tuple[str, ...], str | Sequence[str] | None] = {("prompt",): spec.prompt}
    texts |= {("variables", name): value for name, value in free_values(spec.style, spec.variables).items()}
    return texts | {("styleId",): style_texts(spec.style)}  # accepted when it was written, perhaps by other rules
