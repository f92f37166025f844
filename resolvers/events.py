"""Resolvers of events: the activity of the whole deployment, for admins."""

from collections.abc import AsyncGenerator

from resolvers.subscription import ChannelReader
from schema.events import AdminActivity
from schema.runtime.context import Info
from services.core.message import message
from services.events.activity import CHANNEL, Activity
from services.events.activity_message import describe
from services.integrations.messaging.bus import Gap


async def admin_activity(info: Info) -> AsyncGenerator[AdminActivity, None]:
    """Yield all activity from now on. Lost messages cannot be read again, so an alert reports them."""
    async with ChannelReader(info.context, CHANNEL) as reader:
        while True:
            event = await reader.receive()
            if isinstance(event, Gap):
                missed = message("Some activity may have been missed here; read the lists again.")
                found = [(Activity.alert(missed), missed)]
            else:
                found = describe(event) if event is not None else []
            for activity, text in found:
                info.context.require_admin()  # the stream ends with the role or the session
                yield AdminActivity.of(activity, info.context.translate(text))
            info.context.require_admin()
