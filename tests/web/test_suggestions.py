"""Errors of documents: what was probably meant is said only where anyone may read the schema."""

from setting_types import Access
from settings import Settings
from tests.conftest import running


async def test_unknown_names_are_refused_with_a_suggestion_only_where_anyone_may_read_the_schema(
    settings: Settings,
) -> None:
    documents = [
        ("{ viewe { id } }", "viewer"),
        ("{ style(slu: 1) { id } }", "slug"),
        ("{ quote(input: {quality: STANDAR}) { cost } }", "STANDARD"),
        ('query($i: QuoteInput = {qualitty: "HD"}) { quote(input: $i) { cost } }', "quality"),
    ]
    for access in (Access.ON, Access.ADMINS):
        async with running(settings.model_copy(update={"introspection": access}), idle=True) as server:
            for document, meant in documents:
                errors = (await server.api.raw(document)).json()["errors"]
                assert errors[0]["extensions"]["code"] == "INVALID_INPUT"
                suggested = any("Did you mean" in one["message"] and meant in one["message"] for one in errors)
                assert suggested is (access is Access.ON), document
