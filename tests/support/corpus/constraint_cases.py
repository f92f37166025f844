"""Rows that the tables must refuse, each with one invalid value."""

import secrets
from collections.abc import Callable
from typing import Any

from models import ids
from tests.support import factories
from tests.support.factories import NOW, Row
from tests.support.named_lists import album, album_entry, archive, tag, tag_entry
from tests.support.sample_account import SampleAccount


def pending(account: SampleAccount, **changes: Any) -> Row:
    return factories.generation(account.user, **changes)


def ended(account: SampleAccount, status: str, **changes: Any) -> Row:
    return factories.generation(account.user, **{"status": status, "stage": status, "completed_at": NOW, **changes})


def line(account: SampleAccount, **changes: Any) -> Row:
    return factories.ledger_line(account.user, 7, **changes)


def file(account: SampleAccount, **changes: Any) -> Row:
    return factories.file(account.user, **changes)


def upload(account: SampleAccount, **changes: Any) -> Row:
    return factories.upload(account.user, **changes)


def style(account: SampleAccount, **changes: Any) -> Row:
    return factories.style(account.collection, **changes)


def endpoint(account: SampleAccount, **changes: Any) -> Row:
    return factories.webhook_endpoint(user_id=account.user, **changes)


def delivery(account: SampleAccount, **changes: Any) -> Row:
    return factories.webhook_delivery(account.endpoint, **changes)


def second_factor(user_id: str, **changes: Any) -> Row:
    return {
        "user_id": user_id,
        "salt": secrets.token_hex(32),
        "secret_hash": secrets.token_hex(32),
        "last_step": 0,
        "created_at": NOW,
        **changes,
    }


def recovery_code(user_id: str, **changes: Any) -> Row:
    return {"code_hash": secrets.token_hex(32), "user_id": user_id, **changes}


def credit_grant(user_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.TRANSACTION),
        "user_id": user_id,
        "type": "BONUS",
        "amount": 1,
        "remaining": 1,
        "expires_at": NOW,
        **changes,
    }


def result_notice(user_id: str, **changes: Any) -> Row:
    return {"batch_id": ids.new_id(ids.BATCH), "user_id": user_id, "state": "WAITING", "created_at": NOW, **changes}


def credit_refill(user_id: str, number: int, **changes: Any) -> Row:
    return {"id": 1_000 + number, "user_id": user_id, "identity": "same", "month": "2026-11", **changes}


Make = Callable[[SampleAccount], Row]
# The violated constraint, the table, and a row that differs from a valid one in one value.
CHECKS: list[tuple[str, str, Make]] = [
    ("ck_generations_priority", "generations", lambda a: pending(a, priority=-1)),
    ("ck_uploads_size", "uploads", lambda a: upload(a, byte_size=0)),
    ("ck_provider_pauses_cause", "provider_pauses", lambda _: factories.provider_pause(cause="other")),
    ("ck_provider_pauses_questions", "provider_pauses", lambda _: factories.provider_pause(questions=-1)),
    ("ck_workers_concurrency", "workers", lambda _: factories.worker(concurrency=0)),
    ("ck_collections_cost", "collections", lambda a: factories.collection(base_cost=-1)),
    ("ck_collections_reuse_share", "collections", lambda a: factories.collection(reuse_share=1.1)),
    ("ck_collections_refund_policy", "collections", lambda a: factories.collection(refund_policy="SOMETIMES")),
    ("ck_styles_cost", "styles", lambda a: style(a, cost=-1)),
    ("ck_styles_reference_image", "styles", lambda a: style(a, reference_image="PERHAPS")),
    ("ck_users_credits", "users", lambda a: factories.user(credits=-1)),
    ("ck_users_counters", "users", lambda a: factories.user(version=-1)),
    ("ck_users_counters", "users", lambda a: factories.user(ledger_sequence=-1)),
    ("ck_second_factors_last_step", "second_factors", lambda a: second_factor(a.user, last_step=-1)),
    ("ck_users_role", "users", lambda a: factories.user(role="GOD")),
    ("ck_users_merged", "users", lambda a: factories.user(merged_into_id=a.user)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, amount=0)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="PURCHASE", amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="SUBSCRIPTION", amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="REVERSAL", amount=1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="ADMIN", amount=0)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="TRANSFER", amount=0)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="EXPIRY", amount=1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="ROLLOVER", amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="GIFT")),
    ("ck_credit_grants_remaining", "credit_grants", lambda a: credit_grant(a.user, remaining=-1)),
    ("ck_credit_grants_remaining", "credit_grants", lambda a: credit_grant(a.user, remaining=2)),
    ("ck_result_notices_state", "result_notices", lambda a: result_notice(a.user, state="LOST")),
    ("ck_plans_expire_days", "plans", lambda _: factories.plan(credits_expire_days=0)),
    ("ck_plans_rollover", "plans", lambda _: factories.plan(rollover=-1)),
    ("ck_credit_packages_expire_days", "credit_packages", lambda _: factories.credit_package(credits_expire_days=0)),
    (
        "ck_credit_transactions_sign",
        "credit_transactions",
        lambda a: line(a, type="DEDUCTION", amount=1, generation_id=a.generation),
    ),
    (
        "ck_credit_transactions_sign",
        "credit_transactions",
        lambda a: line(a, type="REFUND", amount=-1, generation_id=a.generation),
    ),
    ("ck_credit_transactions_amount", "credit_transactions", lambda a: line(a, amount=1_000_001)),
    ("ck_credit_transactions_amount", "credit_transactions", lambda a: line(a, type="ADMIN", amount=-1_000_001)),
    ("ck_credit_transactions_sequence", "credit_transactions", lambda a: factories.ledger_line(a.user, 0)),
    ("ck_credit_transactions_status", "credit_transactions", lambda a: line(a, status="MAYBE")),
    ("ck_credit_transactions_cause", "credit_transactions", lambda a: line(a, type="DEDUCTION", amount=-1)),
    ("ck_credit_transactions_cause", "credit_transactions", lambda a: line(a, type="REFUND", amount=1)),
    ("ck_style_pictures_state", "style_pictures", lambda a: factories.style_picture(a.user, state="LOST")),
    ("ck_style_pictures_size", "style_pictures", lambda a: factories.style_picture(a.user, byte_size=0)),
    ("ck_style_pictures_size", "style_pictures", lambda a: factories.style_picture(a.user, width=0)),
    ("ck_style_pictures_size", "style_pictures", lambda a: factories.style_picture(a.user, height=-1)),
    ("ck_files_state", "files", lambda a: file(a, state="LOST")),
    ("ck_files_kind", "files", lambda a: file(a, kind="COPY")),
    ("ck_files_size", "files", lambda a: file(a, byte_size=0)),
    ("ck_files_size", "files", lambda a: file(a, width=0)),
    ("ck_files_size", "files", lambda a: file(a, height=-1)),
    ("ck_generations_stage", "generations", lambda a: pending(a, stage="GENERATING")),
    ("ck_generations_stage", "generations", lambda a: pending(a, status="LOST", stage="LOST")),
    (
        "ck_generations_stage",
        "generations",
        lambda a: pending(a, status="PROCESSING", stage="QUEUED", lease_until=NOW),
    ),
    ("ck_generations_stage", "generations", lambda a: ended(a, "CANCELED", stage="FAILED")),
    ("ck_generations_end", "generations", lambda a: pending(a, completed_at=NOW)),
    ("ck_generations_end", "generations", lambda a: ended(a, "CANCELED", completed_at=None)),
    ("ck_generations_lease", "generations", lambda a: pending(a, lease_until=NOW)),
    ("ck_generations_lease", "generations", lambda a: pending(a, status="PROCESSING", stage="VALIDATING")),
    ("ck_generations_result", "generations", lambda a: pending(a, result_id=a.result)),
    ("ck_generations_result", "generations", lambda a: ended(a, "COMPLETED")),
    ("ck_generations_result", "generations", lambda a: ended(a, "COMPLETED", result_id=a.result, deleted_at=NOW)),
    ("ck_generations_error", "generations", lambda a: ended(a, "FAILED")),
    ("ck_generations_error", "generations", lambda a: pending(a, error_code="INTERNAL")),
    ("ck_generations_progress", "generations", lambda a: pending(a, progress=1.01)),
    ("ck_generations_progress", "generations", lambda a: pending(a, progress=-0.01)),
    ("ck_generations_numbers", "generations", lambda a: pending(a, cost=-1)),
    ("ck_generations_numbers", "generations", lambda a: pending(a, attempts=-1)),
    ("ck_generations_numbers", "generations", lambda a: pending(a, fence=-1)),
    ("ck_generations_numbers", "generations", lambda a: pending(a, provider_calls=-1)),
    ("ck_generations_numbers", "generations", lambda a: pending(a, version=0)),
    ("ck_generations_refund_policy", "generations", lambda a: pending(a, refund_policy="SOMETIMES")),
    ("ck_generations_paid_by", "generations", lambda a: pending(a, paid_by="BARTER")),
    ("ck_generations_delivered_quality", "generations", lambda a: pending(a, delivered_quality="BEST")),
    ("ck_generations_size_refund", "generations", lambda a: pending(a, size_refund=-1)),
    ("ck_data_exports_state", "data_exports", lambda a: factories.data_export(a.user, state="LOST")),
    ("ck_data_exports_attempts", "data_exports", lambda a: factories.data_export(a.user, attempts=-1)),
    ("ck_plans_kind", "plans", lambda _: factories.plan(kind="GIFT")),
    ("ck_plans_kind", "plans", lambda _: factories.plan(kind="PASS")),
    ("ck_plans_kind", "plans", lambda _: factories.plan(duration_hours=1, images_per_hour=1, videos_per_hour=1)),
    ("ck_plans_numbers", "plans", lambda _: factories.plan(max_batch=0)),
    ("ck_plans_numbers", "plans", lambda _: factories.plan(credits_per_month=-1)),
    ("ck_plans_currency", "plans", lambda _: factories.plan(price=499)),
    ("ck_plans_quality", "plans", lambda _: factories.plan(quality="BEST")),
    ("ck_credit_packages_numbers", "credit_packages", lambda _: factories.credit_package(credits=0)),
    ("ck_memberships_status", "memberships", lambda a: factories.membership(a.user, a.plan, status="FREE")),
    ("ck_memberships_status", "memberships", lambda a: factories.membership(a.user, a.plan, status="PAST_DUE")),
    ("ck_passes_numbers", "passes", lambda a: factories.hour_pass(a.user, a.plan, images_used=-1)),
    ("ck_passes_quality", "passes", lambda a: factories.hour_pass(a.user, a.plan, quality="BEST")),
    ("ck_passes_time", "passes", lambda a: factories.hour_pass(a.user, a.plan, expires_at=factories.LONG_AGO)),
    ("ck_pass_hours_numbers", "pass_hours", lambda a: factories.pass_hour(a.pass_id, images=-1)),
    ("ck_generations_pass", "generations", lambda a: pending(a, paid_by="PASS")),
    ("ck_purchases_status", "purchases", lambda _: factories.purchase(status="LOST")),
    ("ck_purchases_numbers", "purchases", lambda _: factories.purchase(credits=1, reversed_credits=2)),
    ("ck_maintenance", "maintenance", lambda _: factories.maintenance(id=2)),
    ("ck_external_events_outcome", "external_events", lambda _: factories.external_event(outcome="LOST")),
    ("ck_job_runs_state", "job_runs", lambda _: factories.job_run(state="LOST")),
    ("ck_job_runs_state", "job_runs", lambda _: factories.job_run(finished_at=None)),
    ("ck_job_runs_state", "job_runs", lambda _: factories.job_run(state="RUNNING")),
    ("ck_mail_tokens_purpose", "mail_tokens", lambda a: factories.mail_token(a.user, purpose="ADVERTISE")),
    ("ck_api_keys_scope", "api_keys", lambda a: factories.api_key(a.user, scope="ROOT")),
    ("ck_api_keys_monthly_credits", "api_keys", lambda a: factories.api_key(a.user, monthly_credits=-1)),
    ("ck_albums_position", "albums", lambda a: album(a.user, name_key="a", position=-1)),
    ("ck_albums_size", "albums", lambda a: album(a.user, name_key="a", size=-1)),
    ("ck_archives_byte_size", "archives", lambda a: archive(a.user, byte_size=-1)),
    ("ck_tags_size", "tags", lambda a: tag(a.user, name_key="a", size=-1)),
    ("ck_webhook_endpoints_credits_low", "webhook_endpoints", lambda a: endpoint(a, credits_low=-1)),
    ("ck_webhook_endpoints_reason", "webhook_endpoints", lambda a: endpoint(a, disabled_at=NOW, disabled_reason="BAD")),
    ("ck_webhook_endpoints_disabled", "webhook_endpoints", lambda a: endpoint(a, disabled_at=NOW)),
    ("ck_webhook_endpoints_previous", "webhook_endpoints", lambda a: endpoint(a, previous_salt="-")),
    ("ck_webhook_endpoints_secret", "webhook_endpoints", lambda a: endpoint(a, salt="")),
    ("ck_webhook_deliveries_state", "webhook_deliveries", lambda a: delivery(a, state="LOST")),
    ("ck_webhook_deliveries_attempts", "webhook_deliveries", lambda a: delivery(a, attempts=-1)),
    ("ck_webhook_deliveries_lease", "webhook_deliveries", lambda a: delivery(a, state="DEAD", lease_until=NOW)),
    ("ck_webhook_deliveries_delivered", "webhook_deliveries", lambda a: delivery(a, state="DELIVERED")),
]

# The unique columns, the table, and a row of which a second one is refused.
DUPLICATES: list[tuple[str, str, Callable[[SampleAccount, int], Row]]] = [
    ("slug", "collections", lambda a, n: factories.collection(slug="same")),
    ("collection_id, slug", "styles", lambda a, n: style(a, slug="same")),
    ("picture_id", "styles", lambda a, n: style(a, picture_id=a.picture)),
    ("email", "users", lambda a, n: factories.user(email="same@example.com")),
    ("token_hash", "sessions", lambda a, n: factories.session(a.user, token_hash="same")),
    ("owner_id, idempotency_key", "uploads", lambda a, n: factories.upload(a.user, idempotency_key="same")),
    ("user_id, operation, key", "idempotency_keys", lambda a, n: factories.idempotency_key(a.user, key="same")),
    ("reference", "credit_transactions", lambda a, n: factories.ledger_line(a.user, n, reference="same")),
    ("user_id, sequence", "credit_transactions", lambda a, n: factories.ledger_line(a.user, 7)),
    ("share_slug", "generations", lambda a, n: pending(a, share_slug="same")),
    ("key_hash", "api_keys", lambda a, n: factories.api_key(a.user, key_hash="same")),
    ("key_hash", "identities", lambda a, n: factories.identity(a.user, key_hash="same")),
    ("referral_code", "users", lambda a, n: factories.user(referral_code="same")),
    ("referral_identity", "users", lambda a, n: factories.user(referral_identity="same")),
    ("identity", "signup_bonuses", lambda a, n: {"user_id": ids.new_id(ids.USER), "identity": "same"}),
    ("identity, month", "credit_refills", lambda a, n: credit_refill(a.user, n)),
    ("slug", "plans", lambda a, n: factories.plan(slug="same")),
    ("slug", "credit_packages", lambda a, n: factories.credit_package(slug="same")),
    ("subscription_id", "memberships", lambda a, n: factories.membership(a.user, a.plan, subscription_id="same")),
    ("reference", "passes", lambda a, n: factories.hour_pass(a.user, a.plan, reference="same")),
    ("holder_id, hour", "pass_hours", lambda a, n: factories.pass_hour(a.pass_id, hour=7)),
    ("provider_id", "checkouts", lambda a, n: factories.checkout(a.user, provider_id="same")),
    ("order_id", "purchases", lambda a, n: factories.purchase(order_id="same")),
    ("source, event_id", "external_events", lambda a, n: factories.external_event(event_id="same")),
    ("job, hour", "job_runs", lambda a, n: factories.job_run()),
    ("token_hash", "mail_tokens", lambda a, n: factories.mail_token(a.user, token_hash="same")),
    (
        "generation_id",  # one deduction
        "credit_transactions",
        lambda a, n: factories.ledger_line(a.user, n, type="DEDUCTION", amount=-1, generation_id=a.generation),
    ),
    (
        "generation_id",  # one refund
        "credit_transactions",
        lambda a, n: factories.ledger_line(a.user, n, type="REFUND", generation_id=a.generation),
    ),
    ("url", "webhook_endpoints", lambda a, n: factories.webhook_endpoint(user_id=None)),
    ("user_id, name_key", "albums", lambda a, n: album(a.user, name_key="same")),
    ("album_id, generation_id", "album_entries", lambda a, n: album_entry(a.album, a.generation)),
    ("user_id", "archives", lambda a, n: archive(a.user)),
    ("token_hash", "archives", lambda a, n: archive((a.user, a.other)[n % 2], token_hash="same")),
    ("user_id, name_key", "tags", lambda a, n: tag(a.user, name_key="same")),
    ("tag_id, generation_id", "tag_entries", lambda a, n: tag_entry(a.tag, a.generation)),
]

# The foreign key, the table, and a row that references a missing row.
UNKNOWN_USER, UNKNOWN_ID = ids.new_id(ids.USER), ids.new_id(ids.FILE)
DANGLING_REFERENCES: list[tuple[str, str, Make]] = [
    ("collection_id", "styles", lambda a: factories.style(UNKNOWN_ID)),
    ("user_id", "sessions", lambda a: factories.session(UNKNOWN_USER)),
    ("user_id", "idempotency_keys", lambda a: factories.idempotency_key(UNKNOWN_USER)),
    ("user_id", "credit_transactions", lambda a: factories.ledger_line(UNKNOWN_USER, 1)),
    ("user_id", "account_presence", lambda _: {"user_id": UNKNOWN_USER, "seen_at": NOW}),
    ("user_id", "result_notices", lambda _: result_notice(UNKNOWN_USER)),
    ("user_id", "credit_grants", lambda a: credit_grant(UNKNOWN_USER)),
    ("owner_id", "files", lambda a: factories.file(UNKNOWN_USER)),
    ("owner_id", "uploads", lambda a: factories.upload(UNKNOWN_USER)),
    ("owner_id", "styles", lambda a: style(a, owner_id=UNKNOWN_USER)),
    ("picture_id", "styles", lambda a: style(a, picture_id=UNKNOWN_ID)),
    ("owner_id", "style_pictures", lambda a: factories.style_picture(UNKNOWN_USER)),
    ("plan_id", "users", lambda a: factories.user(plan_id=UNKNOWN_ID)),
    ("user_id", "memberships", lambda a: factories.membership(UNKNOWN_USER, a.plan)),
    ("plan_id", "memberships", lambda a: factories.membership(a.user, UNKNOWN_ID)),
    ("user_id", "passes", lambda a: factories.hour_pass(UNKNOWN_USER, a.plan)),
    ("plan_id", "passes", lambda a: factories.hour_pass(a.user, UNKNOWN_ID)),
    ("holder_id", "pass_hours", lambda _: factories.pass_hour(UNKNOWN_ID)),
    ("user_id", "checkouts", lambda _: factories.checkout(UNKNOWN_USER)),
    ("user_id", "purchases", lambda _: factories.purchase(user_id=UNKNOWN_USER)),
    ("package_id", "purchases", lambda _: factories.purchase(package_id=UNKNOWN_ID)),
    ("plan_id", "purchases", lambda _: factories.purchase(plan_id=UNKNOWN_ID)),
    ("owner_id", "data_exports", lambda a: factories.data_export(UNKNOWN_USER)),
    ("user_id", "api_keys", lambda a: factories.api_key(UNKNOWN_USER)),
    ("user_id", "identities", lambda a: factories.identity(UNKNOWN_USER)),
    ("user_id", "second_factors", lambda a: second_factor(UNKNOWN_USER)),
    ("user_id", "recovery_codes", lambda a: recovery_code(UNKNOWN_USER)),
    ("user_id", "mail_tokens", lambda a: factories.mail_token(UNKNOWN_USER)),
    ("actor_id", "audit_entries", lambda _: factories.audit_entry(actor_id=UNKNOWN_USER)),
    ("user_id", "generations", lambda a: factories.generation(UNKNOWN_USER)),
    ("style_id", "generations", lambda a: pending(a, style_id=UNKNOWN_ID)),
    ("original_id", "generations", lambda a: pending(a, original_id=UNKNOWN_ID)),
    ("result_id", "generations", lambda a: ended(a, "COMPLETED", result_id=UNKNOWN_ID)),
    ("user_id", "webhook_endpoints", lambda _: factories.webhook_endpoint(user_id="usr_x")),
    ("endpoint_id", "webhook_deliveries", lambda _: factories.webhook_delivery("whk_x")),
    ("user_id", "albums", lambda _: album(UNKNOWN_USER)),
    ("album_id", "album_entries", lambda a: album_entry(UNKNOWN_ID, a.generation)),
    ("generation_id", "album_entries", lambda a: album_entry(a.album, UNKNOWN_ID)),
    ("user_id", "archives", lambda _: archive(UNKNOWN_USER)),
    ("user_id", "tags", lambda _: tag(UNKNOWN_USER)),
    ("tag_id", "tag_entries", lambda a: tag_entry(UNKNOWN_ID, a.generation)),
    ("generation_id", "tag_entries", lambda a: tag_entry(a.tag, UNKNOWN_ID)),
]
