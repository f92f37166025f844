"""The balance, live."""

from collections.abc import AsyncGenerator

import strawberry

import models
from models import ids
from resolvers.stream import Watch
from schema.context import Info
from schema.credit import CreditsChange, CreditTransaction
from schema.node import known_id
from services.credit import PAGE
from services.event import account_channel, told_lines


async def credits_changed(info: Info, after: strawberry.ID | None = None) -> AsyncGenerator[CreditsChange, None]:
    """The present state, the lines since `after`, then every new line in the order of commits."""
    viewer, services = info.context.require_viewer(), info.context.services
    async with Watch(info.context, account_channel(viewer.id)) as watch:
        user = await services.users.get(viewer.id)
        seen = user.ledger_sequence
        if after is not None:
            seen = (await services.credits.transaction(viewer.id, known_id(after, ids.TRANSACTION, "after"))).sequence
        yield CreditsChange(credits=user.credits, version=user.version, transaction=None)
        present = user.ledger_sequence
        lines: list[models.CreditTransaction] | None = None
        while True:
            if lines is None:  # at first, after silence or a gap, or where a message does not tell all
                lines = await services.credits.since(viewer.id, seen)
            more = len(lines) == PAGE
            for line in lines:
                seen = line.sequence
                # A replayed line is old news: its own balance and version would tell the client to go back.
                is_replayed = seen <= present
                yield CreditsChange(
                    credits=user.credits if is_replayed else line.balance,
                    version=user.version if is_replayed else line.account_version,
                    transaction=CreditTransaction.of(line),
                )
            lines = None
            if not more:
                news = await watch.next()
                lines = told_lines(news, seen) if news is not None else None
