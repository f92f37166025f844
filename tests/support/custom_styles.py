"""Operations on custom styles, and inputs for them."""

from typing import Any

from tests.support.client import Api

STYLE = """
id slug title description category collection { slug } membersOnly locked cost referenceImage previewUrl isOwn prompt
usesSize variables { name label options default required maxLength }
"""
CREATE_STYLE = f"""
mutation($input: StyleInput!) {{
  createStyle(input: $input) {{ style {{ {STYLE} }} errors {{ code message field }} }}
}}"""
UPDATE_STYLE = f"""
mutation($id: ID!, $input: UpdateStyleInput!) {{
  updateStyle(id: $id, input: $input) {{ style {{ {STYLE} }} errors {{ code message field }} }}
}}"""
DELETE_STYLE = "mutation($id: ID!) { deleteStyle(id: $id) { deletedIds errors { code message field } } }"
NODE = f"query($id: ID!) {{ node(id: $id) {{ ... on Style {{ {STYLE} }} }} }}"
QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost } }"
LIST = """
query($first: Int, $after: String, $last: Int, $before: String, $filter: StyleFilter) {
  styles(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    nodes { id title } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
  }
}"""
RAIN = {"title": "Rain", "prompt": "Rain over a city at night."}
COLOUR = {"name": "colour", "label": "Colour", "options": ["teal", "rose"], "default": "teal"}
WEATHER = {"name": "weather", "label": "Weather", "required": True, "maxLength": 20}
CASTLE = {
    "title": "Castle",
    "prompt": "A {size} castle, {colour}, in {weather}: {instruction}. Keep {{braces}}.",
    "description": "Castles\nand more",
    "category": "Fantasy",
    "variables": [COLOUR, WEATHER],
    "translations": [{"locale": "zh-CN", "title": "城堡", "category": "奇幻"}],
}


async def create(api: Api, **input: Any) -> dict[str, Any]:
    made = await api.one(CREATE_STYLE, input={**RAIN, **input})
    assert made["errors"] == [], made
    return dict(made["style"])


async def update(api: Api, style: str, **input: Any) -> dict[str, Any]:
    changed = await api.one(UPDATE_STYLE, id=style, input=input)
    assert changed["errors"] == [], changed
    return dict(changed["style"])


async def delete(api: Api, style: str) -> None:
    assert await api.one(DELETE_STYLE, id=style) == {"deletedIds": [style], "errors": []}


async def titles(api: Api, **filter: Any) -> list[str]:
    found = await api.one(LIST, first=100, filter=filter)
    assert found["totalCount"] == len(found["nodes"])
    return [node["title"] for node in found["nodes"]]


# Creation and use
