"""Rows that the tables must refuse, each of them good but for one thing."""

from collections.abc import Callable
from typing import Any

import tests.support.factories as example
from models import ids
from tests.support.factories import NOW, Account, Row


def pending(account: Account, **changes: Any) -> Row:
    return example.generation(account.user, **changes)


def ended(account: Account, status: str, **changes: Any) -> Row:
    return example.generation(account.user, **{"status": status, "stage": status, "completed_at": NOW, **changes})


def line(account: Account, **changes: Any) -> Row:
    return example.line(account.user, 7, **changes)


def file(account: Account, **changes: Any) -> Row:
    return example.file(account.user, **changes)


def upload(account: Account, **changes: Any) -> Row:
    return example.upload(account.user, **changes)


def style(account: Account, **changes: Any) -> Row:
    return example.style(account.collection, **changes)


Make = Callable[[Account], Row]
# What is refused -> the table, and a row that differs from a good one in just that.
CHECKS: list[tuple[str, str, Make]] = [
    ("ck_generations_priority", "generations", lambda a: pending(a, priority=-1)),
    ("ck_uploads_size", "uploads", lambda a: upload(a, byte_size=0)),
    ("ck_workers_concurrency", "workers", lambda _: example.worker(concurrency=0)),
    ("ck_collections_cost", "collections", lambda a: example.collection(base_cost=-1)),
    ("ck_collections_refund_policy", "collections", lambda a: example.collection(refund_policy="SOMETIMES")),
    ("ck_styles_cost", "styles", lambda a: style(a, cost=-1)),
    ("ck_styles_reference_image", "styles", lambda a: style(a, reference_image="PERHAPS")),
    ("ck_users_credits", "users", lambda a: example.user(credits=-1)),
    ("ck_users_counters", "users", lambda a: example.user(version=-1)),
    ("ck_users_counters", "users", lambda a: example.user(ledger_sequence=-1)),
    ("ck_users_role", "users", lambda a: example.user(role="GOD")),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, amount=0)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="PURCHASE", amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="SUBSCRIPTION", amount=-1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="REVERSAL", amount=1)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="ADMIN", amount=0)),
    ("ck_credit_transactions_sign", "credit_transactions", lambda a: line(a, type="GIFT")),
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
    ("ck_credit_transactions_sequence", "credit_transactions", lambda a: example.line(a.user, 0)),
    ("ck_credit_transactions_status", "credit_transactions", lambda a: line(a, status="MAYBE")),
    ("ck_credit_transactions_cause", "credit_transactions", lambda a: line(a, type="DEDUCTION", amount=-1)),
    ("ck_credit_transactions_cause", "credit_transactions", lambda a: line(a, type="REFUND", amount=1)),
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
    ("ck_data_exports_state", "data_exports", lambda a: example.data_export(a.user, state="LOST")),
    ("ck_data_exports_attempts", "data_exports", lambda a: example.data_export(a.user, attempts=-1)),
    ("ck_plans_kind", "plans", lambda _: example.plan(kind="GIFT")),
    ("ck_plans_kind", "plans", lambda _: example.plan(kind="PASS")),
    ("ck_plans_kind", "plans", lambda _: example.plan(duration_hours=1, images_per_hour=1, videos_per_hour=1)),
    ("ck_plans_numbers", "plans", lambda _: example.plan(max_batch=0)),
    ("ck_plans_numbers", "plans", lambda _: example.plan(credits_per_month=-1)),
    ("ck_plans_currency", "plans", lambda _: example.plan(price=499)),
    ("ck_credit_packages_numbers", "credit_packages", lambda _: example.credit_package(credits=0)),
    ("ck_memberships_status", "memberships", lambda a: example.membership(a.user, a.plan, status="FREE")),
    ("ck_memberships_status", "memberships", lambda a: example.membership(a.user, a.plan, status="PAST_DUE")),
    ("ck_passes_numbers", "passes", lambda a: example.hour_pass(a.user, a.plan, images_used=-1)),
    ("ck_passes_time", "passes", lambda a: example.hour_pass(a.user, a.plan, expires_at=example.LONG_AGO)),
    ("ck_pass_hours_numbers", "pass_hours", lambda a: example.pass_hour(a.held, images=-1)),
    ("ck_generations_pass", "generations", lambda a: pending(a, paid_by="PASS")),
    ("ck_purchases_status", "purchases", lambda _: example.purchase(status="LOST")),
    ("ck_purchases_numbers", "purchases", lambda _: example.purchase(credits=1, reversed_credits=2)),
    ("ck_maintenance", "maintenance", lambda _: example.maintenance(id=2)),
    ("ck_external_events_outcome", "external_events", lambda _: example.external_event(outcome="LOST")),
    ("ck_mail_tokens_purpose", "mail_tokens", lambda a: example.mail_token(a.user, purpose="ADVERTISE")),
]

# The columns that hold a value only once -> the table, and a row of which a second one is refused.
TWINS: list[tuple[str, str, Callable[[Account, int], Row]]] = [
    ("slug", "collections", lambda a, n: example.collection(slug="same")),
    ("collection_id, slug", "styles", lambda a, n: style(a, slug="same")),
    ("email", "users", lambda a, n: example.user(email="same@example.com")),
    ("token_hash", "sessions", lambda a, n: example.session(a.user, token_hash="same")),
    ("owner_id, idempotency_key", "uploads", lambda a, n: example.upload(a.user, idempotency_key="same")),
    ("user_id, operation, key", "idempotency_keys", lambda a, n: example.key(a.user, key="same")),
    ("reference", "credit_transactions", lambda a, n: example.line(a.user, n, reference="same")),
    ("user_id, sequence", "credit_transactions", lambda a, n: example.line(a.user, 7)),
    ("share_slug", "generations", lambda a, n: pending(a, share_slug="same")),
    ("key_hash", "api_keys", lambda a, n: example.api_key(a.user, key_hash="same")),
    ("referral_code", "users", lambda a, n: example.user(referral_code="same")),
    ("referral_identity", "users", lambda a, n: example.user(referral_identity="same")),
    ("slug", "plans", lambda a, n: example.plan(slug="same")),
    ("slug", "credit_packages", lambda a, n: example.credit_package(slug="same")),
    ("subscription_id", "memberships", lambda a, n: example.membership(a.user, a.plan, subscription_id="same")),
    ("reference", "passes", lambda a, n: example.hour_pass(a.user, a.plan, reference="same")),
    ("holder_id, hour", "pass_hours", lambda a, n: example.pass_hour(a.held, hour=7)),
    ("provider_id", "checkouts", lambda a, n: example.checkout(a.user, provider_id="same")),
    ("order_id", "purchases", lambda a, n: example.purchase(order_id="same")),
    ("source, event_id", "external_events", lambda a, n: example.external_event(event_id="same")),
    ("token_hash", "mail_tokens", lambda a, n: example.mail_token(a.user, token_hash="same")),
    (
        "generation_id",  # one deduction
        "credit_transactions",
        lambda a, n: example.line(a.user, n, type="DEDUCTION", amount=-1, generation_id=a.generation),
    ),
    (
        "generation_id",  # one refund
        "credit_transactions",
        lambda a, n: example.line(a.user, n, type="REFUND", generation_id=a.generation),
    ),
]

NOBODY, NOWHERE = ids.new_id(ids.USER), ids.new_id(ids.FILE)
ORPHANS: list[tuple[str, str, Make]] = [
    ("collection_id", "styles", lambda a: example.style(NOWHERE)),
    ("user_id", "sessions", lambda a: example.session(NOBODY)),
    ("user_id", "idempotency_keys", lambda a: example.key(NOBODY)),
    ("user_id", "credit_transactions", lambda a: example.line(NOBODY, 1)),
    ("owner_id", "files", lambda a: example.file(NOBODY)),
    ("owner_id", "uploads", lambda a: example.upload(NOBODY)),
    ("owner_id", "styles", lambda a: style(a, owner_id=NOBODY)),
    ("plan_id", "users", lambda a: example.user(plan_id=NOWHERE)),
    ("user_id", "memberships", lambda a: example.membership(NOBODY, a.plan)),
    ("plan_id", "memberships", lambda a: example.membership(a.user, NOWHERE)),
    ("user_id", "passes", lambda a: example.hour_pass(NOBODY, a.plan)),
    ("plan_id", "passes", lambda a: example.hour_pass(a.user, NOWHERE)),
    ("holder_id", "pass_hours", lambda _: example.pass_hour(NOWHERE)),
    ("user_id", "checkouts", lambda _: example.checkout(NOBODY)),
    ("user_id", "purchases", lambda _: example.purchase(user_id=NOBODY)),
    ("package_id", "purchases", lambda _: example.purchase(package_id=NOWHERE)),
    ("plan_id", "purchases", lambda _: example.purchase(plan_id=NOWHERE)),
    ("owner_id", "data_exports", lambda a: example.data_export(NOBODY)),
    ("user_id", "api_keys", lambda a: example.api_key(NOBODY)),
    ("user_id", "mail_tokens", lambda a: example.mail_token(NOBODY)),
    ("actor_id", "audit_entries", lambda _: example.audit_entry(actor_id=NOBODY)),
    ("user_id", "generations", lambda a: example.generation(NOBODY)),
    ("style_id", "generations", lambda a: pending(a, style_id=NOWHERE)),
    ("original_id", "generations", lambda a: pending(a, original_id=NOWHERE)),
    ("result_id", "generations", lambda a: ended(a, "COMPLETED", result_id=NOWHERE)),
]
