"""The floor of a server without GraphQL: Starlette, asyncpg and orjson, with the gallery page written by hand."""

import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.floors.statements import FIRST, PAGE, SESSION, cursor

_SESSION = SESSION.format(hash="$1")
_PAGE = PAGE.format(user="$1")


def node(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "status": row["status"],
        "stage": row["stage"],
        "progress": row["progress"],
        "prompt": row["prompt"],
        "size": row["size"],
        "quality": row["quality"],
        "cost": row["cost"],
        "isFavorite": row["is_favorite"],
        "createdAt": row["created_at"].isoformat().replace("+00:00", "Z"),
    }


async def gallery(request: Request) -> Response:
    await request.json()
    token = request.headers["authorization"].removeprefix("Bearer ")
    pool: asyncpg.Pool[asyncpg.Record] = request.state.pool
    viewer = await pool.fetchrow(_SESSION, hashlib.sha256(token.encode()).hexdigest())
    if viewer is None:
        return Response(status_code=401)
    rows = await pool.fetch(_PAGE, viewer["id"])
    edges = [{"cursor": cursor(row["id"]), "node": node(row)} for row in rows[:FIRST]]
    info = {"hasNextPage": len(rows) > FIRST, "endCursor": edges[-1]["cursor"] if edges else None}
    page = {"edges": edges, "pageInfo": info}
    body = orjson.dumps({"data": {"viewer": {"credits": viewer["credits"], "generations": page}}})
    return Response(body, media_type="application/json")


async def ready(request: Request) -> Response:
    return Response()


def main() -> None:
    port, database_url = sys.argv[1:]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with asyncpg.create_pool(database_url, min_size=10, max_size=10) as pool:
            yield {"pool": pool}

    routes = [Route("/graphql", gallery, methods=["POST"]), Route("/", ready)]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
