"""The context of an operation: data loaders are created when they are first used, and belong to one context."""

import pytest

from schema.runtime.access import Audience
from schema.runtime.context import Context
from tests.conftest import Running

pytestmark = pytest.mark.any_database


def context_of(server: Running) -> Context:
    return Context(
        server.services,
        token=None,
        is_cookie=False,
        client="unknown",
        accept_language="",
        is_socket=False,
        introspection=Audience.EVERYONE,
    )


async def test_data_loaders_are_created_when_first_used(module_server: Running) -> None:
    context, other = context_of(module_server), context_of(module_server)
    assert context.loaders == {}
    assert await context.style_by_id.load("sty_none") is None
    assert context.loaders == {"style_by_id": context.style_by_id}
    assert context.style_by_id is not other.style_by_id
    assert await context.stats_by_user.load("usr_none") is not None
    assert set(context.loaders) == {"style_by_id", "stats_by_user"}
