"""GraphQL types for admins: the entry point to all accounts and the deployment."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from models import ids
from schema.accounts import User
from schema.billing import CreditTransaction, TransactionFilter
from schema.events import AuditEntry, AuditFilter
from schema.generations import Generation, GenerationFilter, generation_key
from schema.operations import LedgerCheck, Maintenance, Metrics
from schema.payments import PaymentReview
from schema.runtime.attribute import attributes_of
from schema.runtime.connection import Connection, UncountedConnection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import GenerationOrder
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.billing import ledger


@strawberry.input
class AdjustCreditsInput:
    user_id: strawberry.ID
    amount: int = strawberry.field(
        description="Credits to add; a negative amount removes them, also below a balance of zero."
    )
    reason: str = strawberry.field(
        description="1 to 500 characters; shown to the account's owner with the ledger line."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.type
class AdjustCreditsPayload(Payload):
    user: User | None = None
    transaction: CreditTransaction | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="All accounts and the state of the deployment; for admins signed in with a session.")
class Admin:
    @strawberry.field(
        description="Accounts, newest first. `search`: part of an e-mail address, or a complete ID. Deleted accounts "
        "are not listed; `user` returns them."
    )
    async def users(
        self,
        info: Info,
        search: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[User]:
        request = page_request(str, first, after, last, before, prefix=ids.USER)
        return Connection.of(await info.context.services.accounts.lookup.users(search, request), User.of)

    @strawberry.field(
        description="An account by ID or by e-mail address: exactly one of them, else INVALID_INPUT; null: not found."
    )
    async def user(self, info: Info, id: strawberry.ID | None = None, email: str | None = None) -> User | None:
        found = await info.context.services.accounts.lookup.user(id, email)
        return User.of(found) if found else None

    @strawberry.field(description="The generations of all accounts, newest first.")
    async def generations(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: GenerationFilter | None = None,
    ) -> Connection[Generation]:
        order = GenerationOrder.NEWEST
        page = await info.context.services.gallery.lists.all_generations(
            page_request(generation_key(order), first, after, last, before, order, prefix=ids.GENERATION),
            filter.criteria() if filter else None,
            attributes_of(info),
        )
        return Connection.of(page, Generation.of, order)

    @strawberry.field(description="The ledger lines of all accounts, newest first.")
    async def transactions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: TransactionFilter | None = None,
    ) -> Connection[CreditTransaction]:
        page = await info.context.services.billing.ledger.all_transactions(
            page_request(str, first, after, last, before, prefix=ids.TRANSACTION),
            filter.criteria() if filter else ledger.TransactionFilter(),
        )
        return Connection.of(page, CreditTransaction.of)

    @strawberry.field(description="The actions of admins, newest first; entries are never changed.")
    async def audit_log(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: AuditFilter | None = None,
    ) -> UncountedConnection[AuditEntry]:
        request = page_request(str, first, after, last, before, prefix=ids.AUDIT_ENTRY)
        account = filter.account_id() if filter else None
        page = await info.context.services.events.audit_log.entries(request, account)
        return UncountedConnection.of(page, AuditEntry.of)

    @strawberry.field(
        description="The payments that need review, newest first. adminSettlePayment or adminDismissPayment closes one."
    )
    async def payment_reviews(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[PaymentReview]:
        request = page_request(str, first, after, last, before, prefix=ids.EXTERNAL_EVENT)
        return Connection.of(await info.context.services.payments.reviews.open(request), PaymentReview.of)

    @strawberry.field(description="Statistics of a time window; of the last 24 hours where neither end is given.")
    async def metrics(
        self,
        info: Info,
        from_: Annotated[datetime | None, strawberry.argument(name="from")] = None,
        to: datetime | None = None,
    ) -> Metrics:
        admin_id = info.context.require_viewer().id
        return Metrics(window=info.context.services.operations.analytics.between(from_, to, admin_id=admin_id))

    @strawberry.field(description="All active collections and styles, in the format of adminImportCatalogue.")
    async def catalogue(self, info: Info) -> JSON:
        return JSON(await info.context.services.catalogue.import_export.export())

    @strawberry.field(description="The maintenance switches, and the providers' cost today.")
    async def maintenance(self, info: Info) -> Maintenance:
        return Maintenance.of(await info.context.services.operations.maintenance.read())

    @strawberry.field(description="Consistency checks of balances, generations and files.")
    async def ledger_check(self) -> LedgerCheck:
        return LedgerCheck()
