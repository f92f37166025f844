"""The audit log, as admins read it."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

import models
from schema.connection import PageInfo, encode_cursor
from schema.context import Info
from schema.node import Node
from schema.user import User
from services.core.pagination import Page


@strawberry.type(description="What an admin did: one line, written together with it.")
class AuditEntry(Node):
    row: strawberry.Private[models.AuditEntry]
    at: datetime
    action: str
    target: strawberry.ID | None = strawberry.field(description="What was changed; null: the whole deployment.")
    detail: JSON = strawberry.field(description="What was asked for, the reason, and what it was before.")

    @strawberry.field(description="Null: the command line or the settings.")
    async def actor(self, info: Info) -> User | None:
        return await User.by_id(info, self.row.actor_id) if self.row.actor_id is not None else None

    @classmethod
    def of(cls, row: models.AuditEntry) -> "AuditEntry":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            at=row.created_at,
            action=row.action.value,
            target=strawberry.ID(row.target) if row.target is not None else None,
            detail=JSON(row.detail),
        )


@strawberry.type
class AuditEntryEdge:
    cursor: str
    node: AuditEntry


@strawberry.type
class AuditEntryConnection:
    edges: list[AuditEntryEdge]
    nodes: list[AuditEntry]
    page_info: PageInfo

    @classmethod
    def of(cls, page: Page[models.AuditEntry, str]) -> "AuditEntryConnection":
        nodes = [AuditEntry.of(row) for row in page.items]
        edges = [
            AuditEntryEdge(cursor=encode_cursor(key), node=node) for key, node in zip(page.keys, nodes, strict=True)
        ]
        return cls(edges=edges, nodes=nodes, page_info=PageInfo.of(page))
