"""The admin's entry point: every account's data and what runs the deployment."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

import models
from schema.accounts import User
from schema.billing import CreditTransaction, CreditTransactionConnection, TransactionFilter
from schema.events import AuditEntryConnection
from schema.generations import GenerationConnection, GenerationFilter, generation_key
from schema.operations import LedgerCheck, Maintenance, Metrics
from schema.runtime.connection import PageInfo, encode_cursor, page_request
from schema.runtime.context import Info
from schema.runtime.enum import GenerationOrder
from schema.runtime.user_error import UserError
from services.billing import ledger
from services.core.pagination import Page
from services.gallery import gallery


@strawberry.input
class AdjustCreditsInput:
    user_id: strawberry.ID
    amount: int = strawberry.field(description="Negative takes credits away, below zero if need be.")
    reason: str = strawberry.field(description="1 to 500 characters; the account's owner reads it beside the line.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.type
class AdjustCreditsPayload:
    user: User | None
    transaction: CreditTransaction | None
    errors: list[UserError]


@strawberry.type
class UserEdge:
    cursor: str
    node: User


@strawberry.type
class UserConnection:
    page: strawberry.Private[Page[models.User, str]]
    edges: list[UserEdge]
    nodes: list[User]
    page_info: PageInfo

    @strawberry.field(description="Counted only when asked for.")
    async def total_count(self) -> int:
        return await self.page.count()

    @classmethod
    def of(cls, page: Page[models.User, str]) -> "UserConnection":
        nodes = [User.of(row) for row in page.items]
        edges = [UserEdge(cursor=encode_cursor(key), node=node) for key, node in zip(page.keys, nodes, strict=True)]
        return cls(page=page, edges=edges, nodes=nodes, page_info=PageInfo.of(page))


@strawberry.type(description="Everybody's accounts and what runs them; for admins who signed in themselves.")
class Admin:
    @strawberry.field(
        description="Newest first. `search`: a piece of an e-mail address, or an account's whole id. Accounts that are "
        "gone are not listed; `user` finds them."
    )
    async def users(
        self,
        info: Info,
        search: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> UserConnection:
        request = page_request(str, first, after, last, before)
        return UserConnection.of(await info.context.services.accounts.lookup.users(search, request))

    @strawberry.field(description="By id or by e-mail address: exactly one of them, else INVALID_INPUT.")
    async def user(self, info: Info, id: strawberry.ID | None = None, email: str | None = None) -> User | None:
        found = await info.context.services.accounts.lookup.user(id, email)
        return User.of(found) if found else None

    @strawberry.field(description="Everybody's, newest first.")
    async def generations(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: GenerationFilter | None = None,
    ) -> GenerationConnection:
        order = GenerationOrder.NEWEST
        page = await info.context.services.gallery.lists.all_generations(
            page_request(generation_key(order), first, after, last, before, order),
            filter.wanted() if filter else gallery.GenerationFilter(),
        )
        return GenerationConnection.of(page, order)

    @strawberry.field(description="Everybody's lines of the ledger, newest first.")
    async def transactions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: TransactionFilter | None = None,
    ) -> CreditTransactionConnection:
        page = await info.context.services.billing.ledger.all_transactions(
            page_request(str, first, after, last, before),
            filter.wanted() if filter else ledger.TransactionFilter(),
        )
        return CreditTransactionConnection.of(page)

    @strawberry.field(description="What admins did, newest first; lines are never changed.")
    async def audit_log(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> AuditEntryConnection:
        request = page_request(str, first, after, last, before)
        return AuditEntryConnection.of(await info.context.services.events.audit_log.entries(request))

    @strawberry.field(description="The figures of a window; the last 24 hours where neither end is given.")
    async def metrics(
        self,
        info: Info,
        from_: Annotated[datetime | None, strawberry.argument(name="from")] = None,
        to: datetime | None = None,
    ) -> Metrics:
        return Metrics(window=info.context.services.operations.analytics.between(from_, to))

    @strawberry.field(description="Every collection and style that is offered, as adminImportCatalogue takes it.")
    async def catalogue(self, info: Info) -> JSON:
        return JSON(await info.context.services.catalogue.import_export.export())

    @strawberry.field(description="What is switched off, and what providers cost today.")
    async def maintenance(self, info: Info) -> Maintenance:
        return Maintenance.of(await info.context.services.operations.maintenance.read())

    @strawberry.field(description="Whether the books are right.")
    async def ledger_check(self) -> LedgerCheck:
        return LedgerCheck()
