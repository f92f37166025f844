"""Tables of generations: requests for one picture each, with their price and terms, and idempotency keys."""

from typing import Any, Self

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models import ids
from models.accounts import User
from models.catalogue import Style
from models.enum import (
    ErrorCode,
    GenerationStage,
    GenerationStatus,
    MediaKind,
    NoticeState,
    PaidBy,
    Quality,
    RefundPolicy,
    Size,
)
from models.media import File


class Generation(Model):
    """One request for one picture or video.

    Every change is a compare-and-set that increments `version`. A worker owns the row while `lease_until` is in the
    future and its `fence` is the newest. Price and refund policy are those of the time of the request.
    """

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.GENERATION))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="generations", on_delete=fields.RESTRICT
    )
    user_id: str
    batch_id = fields.CharField(max_length=ids.LENGTH)  # shared by the generations of one request
    media = fields.CharEnumField(MediaKind, "models/enum.py", max_length=8, default=MediaKind.IMAGE)

    status = fields.CharEnumField(GenerationStatus, "models/enum.py", max_length=16, default=GenerationStatus.PENDING)
    stage = fields.CharEnumField(GenerationStage, "models/enum.py", max_length=16, default=GenerationStage.QUEUED)
    progress = fields.FloatField(default=0.0)  # 0 to 1
    preview = fields.TextField(null=True)  # a data: URI, only while GENERATING
    is_loading = fields.BooleanField(default=False)  # only while GENERATING: the provider is still loading the model
    version = fields.BigIntField(default=1)

    style: fields.ForeignKeyNullableRelation[Style] = fields.ForeignKeyField(
        "models.Style", related_name="generations", null=True, on_delete=fields.SET_NULL
    )
    style_id: str | None
    collection_slug = fields.CharField(max_length=64)  # these three are kept when the style is deleted
    style_slug = fields.CharField(max_length=64)
    style_title: dict[str, str] = fields.JSONField()
    prompt = fields.TextField(null=True)  # the user's own text
    enhance_prompt = fields.BooleanField(default=False)  # whether a text model is to enrich it
    enhanced_prompt = fields.TextField(null=True)  # the enriched text, which stands in `full_prompt` instead of it
    full_prompt = fields.TextField()  # as sent to the provider
    variables: dict[str, str] = fields.JSONField()
    size = fields.CharEnumField(Size, "models/enum.py", max_length=8)
    quality = fields.CharEnumField(Quality, "models/enum.py", max_length=8)
    aspect_ratio = fields.CharField(max_length=8, null=True)
    duration_seconds = fields.IntField(null=True)  # that was ordered, of a video; None: the model's own
    requested_model = fields.CharField(max_length=100, null=True)
    # The generation that it regenerates or refines. No foreign key: the parent may be deleted meanwhile.
    parent_id = fields.CharField(max_length=ids.LENGTH, null=True)
    # The generation whose result it got instead of a new one. No foreign key, as `parent_id`.
    reused_id = fields.CharField(max_length=ids.LENGTH, null=True)
    # For a refinement, the prompts of its parents, oldest first; `full_prompt` follows them.
    earlier_prompts: list[str] = fields.JSONField(default=list)

    original: fields.ForeignKeyNullableRelation[File] = fields.ForeignKeyField(
        "models.File", related_name="used_by", null=True, on_delete=fields.RESTRICT
    )
    original_id: str | None
    # When its photo was removed, because it had ended before its provider call; it cannot be regenerated since.
    original_removed_at = fields.DatetimeField(null=True)
    result: fields.ForeignKeyNullableRelation[File] = fields.ForeignKeyField(
        "models.File", related_name="made_by", null=True, on_delete=fields.RESTRICT
    )
    result_id: str | None

    priority = fields.IntField(default=0)  # higher first, then older first
    cost = fields.IntField()  # credits
    paid_by = fields.CharEnumField(PaidBy, "models/enum.py", max_length=8, default=PaidBy.CREDITS)
    pass_id = fields.CharField(max_length=ids.LENGTH, null=True)  # the pass and its hour whose allowance was used
    pass_hour = fields.IntField(null=True)
    refund_policy = fields.CharEnumField(RefundPolicy, "models/enum.py", max_length=16)
    refunded = fields.BooleanField(default=False)
    delivered_quality: fields.Field[Quality | None] = fields.CharEnumField(  # type: ignore[assignment]  # as error_code
        Quality, "models/enum.py", max_length=8, null=True
    )
    # If credits pay: what each lower quality would have cost, at the time of the request.
    lower_costs: dict[str, int] = fields.JSONField(default=dict)
    size_refund = fields.IntField(default=0)  # credits, returned because the result has a lower quality than ordered

    attempts = fields.IntField(default=0)  # number of claims
    fence = fields.BigIntField(default=0)  # incremented by every claim; writes with an older fence change nothing
    worker = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)
    provider_called_at = fields.DatetimeField(null=True)  # set before the first call, null where no request has left
    provider_calls = fields.IntField(default=0)  # incremented before every call
    provider = fields.CharField(max_length=32, null=True)
    model = fields.CharField(max_length=100, null=True)
    provider_cost = fields.FloatField(null=True)  # US dollars
    provider_request_id = fields.CharField(max_length=200, null=True)
    # Every try to make it, in order: provider, model, code (null: it made the image), seconds, and whether a request
    # was sent. Null: none has ended yet.
    provider_path: list[dict[str, Any]] | None = fields.JSONField(null=True)
    # Of a video: the provider's job, since it accepted the request. Such a row is not submitted again: when its lease
    # ends, because the job is to be asked about or because its worker died, any worker goes on with the job.
    provider_job_id = fields.CharField(max_length=200, null=True)
    provider_job_url = fields.CharField(max_length=500, null=True)  # where its state is, if the provider named it
    error_code: fields.Field[ErrorCode | None] = fields.CharEnumField(  # type: ignore[assignment]  # null=True is untyped there
        ErrorCode, "models/enum.py", max_length=32, null=True
    )

    is_favorite = fields.BooleanField(default=False)
    share_slug = fields.CharField(max_length=64, null=True, unique=True)  # null: not shared
    shared_at = fields.DatetimeField(null=True)
    search_text = fields.TextField()  # prompt, style titles and id, case-folded
    # A soft-deleted generation is in no list; its row is kept for statistics, without texts or pictures.
    deleted_at = fields.DatetimeField(null=True)

    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)
    started_at = fields.DatetimeField(null=True)
    completed_at = fields.DatetimeField(null=True)  # when it reached a final status

    @classmethod
    def present(cls) -> QuerySet[Self]:
        """Return the query of generations that are not deleted, joined with what displays them."""
        return cls.filter(deleted_at__isnull=True).select_related("original", "result", "style", "style__collection")

    class Meta:
        table = "generations"
        # Ids sort by creation time, so (user, id) is the gallery's order. The partial indexes of the gallery (not
        # deleted), the queue and the sweeper (waiting, running, recent) are written by hand in the migrations. Those of
        # original, result and share leave NULLs out on PostgreSQL.
        indexes = (
            Index(fields=("batch_id",)),
            Index(fields=("original_id",)),
            Index(fields=("result_id",)),
        )


class IdempotencyKey(Model):
    """One request with an idempotency key: the hash of its input, and the id of what it made."""

    id = fields.BigIntField(primary_key=True, generated=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="idempotency_keys", on_delete=fields.CASCADE
    )
    user_id: str
    operation = fields.CharField(max_length=32)
    key = fields.CharField(max_length=128)
    input_hash = fields.CharField(max_length=64)  # SHA-256 of the normalised input, picture included
    # Of a batch of generations, a checkout, a ledger line, a style or an API key. Null only if a server of the previous
    # release wrote the key: it knows only `batch_id`, which therefore stays, written with the same value, until the
    # next release (docs/operating.md, "Upgrades and migrations").
    result_id = fields.CharField(max_length=ids.LENGTH, null=True)
    batch_id = fields.CharField(max_length=ids.LENGTH)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "idempotency_keys"
        unique_together = (("user", "operation", "key"),)


class ResultNotice(Model):
    """A batch of an account that wants mail about results; triggers write it when the first of them has ended."""

    batch_id = fields.CharField(max_length=ids.LENGTH, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="result_notices", on_delete=fields.CASCADE
    )
    user_id: str
    state = fields.CharEnumField(NoticeState, "models/enum.py", max_length=8)
    created_at = fields.DatetimeField()

    class Meta:
        table = "result_notices"
        indexes = (Index(fields=("user_id", "created_at")),)
