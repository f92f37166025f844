"""The obvious server: Strawberry and Tortoise as their documentation shows them, on Darkroom's tables."""

import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from tortoise import Tortoise

from benchmarks.floors.statements import cursor
from models import Generation, Session, User


@strawberry.type(name="Generation")
class GenerationType:
    """The ten fields of a generation that the page shows."""

    id: strawberry.ID
    status: str
    stage: str
    progress: float
    prompt: str | None
    size: str
    quality: str
    cost: int
    is_favorite: bool
    created_at: datetime


@strawberry.type
class Edge:
    """A generation with its position."""

    cursor: str
    node: GenerationType


@strawberry.type
class PageInfo:
    """The position of the page."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Connection:
    """One page."""

    edges: list[Edge]
    page_info: PageInfo


def node(row: Generation) -> GenerationType:
    return GenerationType(
        id=strawberry.ID(row.id),
        status=row.status.value,
        stage=row.stage.value,
        progress=row.progress,
        prompt=row.prompt,
        size=row.size.value,
        quality=row.quality.value,
        cost=row.cost,
        is_favorite=row.is_favorite,
        created_at=row.created_at,
    )


@strawberry.type
class Viewer:
    """The signed-in account."""

    user: strawberry.Private[User]
    credits: int

    @strawberry.field
    async def generations(self, first: int) -> Connection:
        found = await Generation.filter(user_id=self.user.id, deleted_at=None).order_by("-id").limit(first + 1)
        edges = [Edge(cursor=cursor(row.id), node=node(row)) for row in found[:first]]
        end = edges[-1].cursor if edges else None
        return Connection(edges=edges, page_info=PageInfo(has_next_page=len(found) > first, end_cursor=end))


@strawberry.type
class Query:
    """The only query."""

    @strawberry.field
    async def viewer(self, info: strawberry.Info) -> Viewer | None:
        token = info.context["request"].headers["authorization"].removeprefix("Bearer ")
        hashed = hashlib.sha256(token.encode()).hexdigest()
        session = (
            await Session.filter(token_hash=hashed, expires_at__gt=datetime.now(UTC)).prefetch_related("user").first()
        )
        return Viewer(user=session.user, credits=session.user.credits) if session else None


async def ready(request: Request) -> Response:
    return Response()


def main() -> None:
    port, database_url = sys.argv[1:]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        url = database_url.replace("postgresql://", "asyncpg://") + "?minsize=10&maxsize=10"
        await Tortoise.init(db_url=url, modules={"models": ["models"]}, _enable_global_fallback=True)
        yield
        await Tortoise.close_connections()

    routes = [Route("/graphql", GraphQL(strawberry.Schema(Query))), Route("/", ready)]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
