"""Queries of the gallery and of the ledger, page by page."""

from typing import Any

from tests.support.client import Api

ARGUMENTS = "$first: Int, $after: String, $last: Int, $before: String"
PAGE = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
GALLERY = f"""
query({ARGUMENTS}, $filter: GenerationFilter, $orderBy: GenerationOrder) {{
  viewer {{
    list: generations(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {{
      nodes {{ id status createdAt }} {PAGE}
    }}
  }}
}}"""
LEDGER = f"""
query({ARGUMENTS}, $filter: TransactionFilter) {{
  viewer {{
    list: transactions(first: $first, after: $after, last: $last, before: $before, filter: $filter) {{
      nodes {{ id sequence type createdAt }} {PAGE}
    }}
  }}
}}"""


async def create(api: Api, count: int) -> list[str]:
    """Create generations and return their ids, oldest first."""
    ids: list[str] = []
    while len(ids) < count:
        made = await api.create(prompt="A fox", count=min(4, count - len(ids)))
        ids += [generation["id"] for generation in made["generations"]]
    return ids


async def page(api: Api, query: str, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await api.one(query, **arguments))["list"]
    assert [edge["node"]["id"] for edge in found["edges"]] == [node["id"] for node in found["nodes"]]
    cursors = [edge["cursor"] for edge in found["edges"]]
    ends = [found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]]
    assert ends == ([cursors[0], cursors[-1]] if cursors else [None, None])
    return found


async def ids(api: Api, query: str = GALLERY, **arguments: Any) -> list[str]:
    return [node["id"] for node in (await page(api, query, **{"first": 100, **arguments}))["nodes"]]
