"""The ledger, as its owner reads it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import models
from schema.allowance import Pass
from schema.connection import PageInfo, encode_cursor
from schema.context import Info
from schema.enum import TransactionStatus, TransactionType
from schema.generation import Generation
from schema.input import given
from schema.membership import Membership
from schema.node import Node
from services.billing import ledger, ledger_description
from services.billing.benefits import Rights
from services.core.pagination import Page

if TYPE_CHECKING:
    from schema.user import User


@strawberry.type(description="One line of the ledger; it never changes.")
class CreditTransaction(Node):
    row: strawberry.Private[models.CreditTransaction]
    sequence: int = strawberry.field(description="Per account, without gaps, in the order of commits.")
    type: TransactionType
    status: TransactionStatus
    amount: int = strawberry.field(description="Credits, negative when they leave.")
    balance: int = strawberry.field(description="Credits after this line.")
    metadata: JSON | None
    price: int | None = strawberry.field(description="What was paid for a purchase or a month, in minor units.")
    currency: str | None = strawberry.field(description="ISO 4217, in lower case.")
    created_at: datetime

    @strawberry.field(description="In the caller's language.")
    def description(self, info: Info) -> str:
        return info.context.translate(ledger_description.describe(self.row))

    @strawberry.field
    async def user(self, info: Info) -> Annotated["User", strawberry.lazy("schema.user")]:
        from schema.user import User as UserType  # the two types name each other

        return await UserType.by_id(info, self.row.user_id)

    @strawberry.field(description="What was paid for or refunded; null when it is gone.")
    async def generation(self, info: Info) -> Generation | None:
        if self.row.generation_id is None:
            return None
        found = await info.context.generation_by_id.load(self.row.generation_id)
        return Generation.of(found) if found else None

    @classmethod
    def of(cls, row: models.CreditTransaction) -> "CreditTransaction":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            sequence=row.sequence,
            type=row.type,
            status=row.status,
            amount=row.amount,
            balance=row.balance,
            metadata=JSON(row.metadata) if row.metadata is not None else None,
            price=row.price,
            currency=row.currency,
            created_at=row.created_at,
        )


@strawberry.type
class CreditTransactionEdge:
    cursor: str
    node: CreditTransaction


@strawberry.type
class CreditTransactionConnection:
    page: strawberry.Private[Page[models.CreditTransaction, int] | Page[models.CreditTransaction, str]]
    edges: list[CreditTransactionEdge]
    nodes: list[CreditTransaction]
    page_info: PageInfo

    @strawberry.field(description="Counted only when asked for.")
    async def total_count(self) -> int:
        return await self.page.count()

    @classmethod
    def of(
        cls, page: Page[models.CreditTransaction, int] | Page[models.CreditTransaction, str]
    ) -> "CreditTransactionConnection":
        nodes = [CreditTransaction.of(row) for row in page.items]
        edges = [
            CreditTransactionEdge(cursor=encode_cursor(key), node=node)
            for key, node in zip(page.keys, nodes, strict=True)
        ]
        return cls(page=page, edges=edges, nodes=nodes, page_info=PageInfo.of(page))


@strawberry.input(description="Which lines to show; what is left out does not matter.")
class TransactionFilter:
    type: list[TransactionType] | None = strawberry.UNSET
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET

    def wanted(self) -> ledger.TransactionFilter:
        """What the service is asked for."""
        types: list[TransactionType] | None = given(self.type, None)
        return ledger.TransactionFilter(
            types=tuple(types) if types is not None else None,
            created_after=given(self.created_after, None),
            created_before=given(self.created_before, None),
        )


@strawberry.type(description="A change of an account's credits, pass or membership, or its present state.")
class CreditsChange:
    credits: int
    version: int = strawberry.field(description="The account's.")
    transaction: CreditTransaction | None = strawberry.field(
        description="Null on the opening message, and when only an entitlement changed."
    )
    pass_: Pass | None = strawberry.field(
        name="pass", description="Told whenever an allowance is used or given back, or a pass starts or ends."
    )
    membership: Membership | None = strawberry.field(description="Told whenever it starts, changes or ends.")

    @classmethod
    def of(cls, credits: int, version: int, line: models.CreditTransaction | None, rights: Rights) -> "CreditsChange":
        return cls(
            credits=credits,
            version=version,
            transaction=CreditTransaction.of(line) if line else None,
            pass_=Pass.of(rights.holder) if rights.holder else None,
            membership=Membership.of(rights.membership) if rights.membership else None,
        )
