"""Resolvers of events: the activity of the whole deployment, for admins."""

from collections.abc import AsyncGenerator

from schema.events import AdminActivity
from schema.runtime.context import Context, Info
from schema.runtime.feed import follow
from services.core.message import Message
from services.events.activity import CHANNEL, Activity
from services.events.activity_topic import ActivityTopic


async def admin_activity(info: Info) -> AsyncGenerator[AdminActivity, None]:
    """Yield all activity from now on."""
    topics = info.context.services.events.topics
    async with follow(info.context, topics.join(CHANNEL, ActivityTopic), _activity, is_for_admins=True) as feed:
        feed.position = feed.topic.position
        async for activity in feed.events():
            yield activity


def _activity(found: tuple[Activity, Message], context: Context) -> list[AdminActivity]:
    activity, text = found
    return [AdminActivity.of(activity, context.translate(text))]
