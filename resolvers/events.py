"""Everything that happens in the deployment, live, for admins."""

from collections.abc import AsyncGenerator

from resolvers.subscription import ChannelReader
from schema.events import AdminActivity
from schema.runtime.context import Info
from services.core.message import message
from services.events.activity import CHANNEL, Activity
from services.events.activity_message import describe
from services.integrations.messaging.bus import Gap


async def admin_activity(info: Info) -> AsyncGenerator[AdminActivity, None]:
    """What happens from now on; there is no row that says what was missed, so that is all that is said of it."""
    async with ChannelReader(info.context, CHANNEL) as watch:
        while True:
            news = await watch.hear()
            if isinstance(news, Gap):
                missed = message("Some activity may have been missed here; read the lists again.")
                found = [(Activity.alert(missed), missed)]
            else:
                found = describe(news) if news is not None else []
            for activity, text in found:
                info.context.require_admin()  # a role that was taken, or a sign-in that ended, ends the stream
                yield AdminActivity.of(activity, info.context.translate(text))
            info.context.require_admin()
