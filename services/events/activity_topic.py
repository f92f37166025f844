"""The topic of the whole deployment's activity, for admins."""

from services.core.message import Message as Text
from services.core.message import message
from services.events.activity import CHANNEL, Activity
from services.events.activity_message import describe
from services.events.topic import Item, Position, Topic
from services.integrations.messaging.bus import MISSED, Message


class ActivityTopic(Topic[tuple[Activity, Text]]):
    """Every activity from now on, in the order of arrival; an alert where some were lost, which no row holds."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        super().__init__(CHANNEL, "")
        self._count = 0

    @property
    def position(self) -> Position:
        """The position of a subscriber that receives what comes from now on."""
        return (self._count,)

    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        if not isinstance(message, dict):
            self.read_again()
            return
        for found in describe(message):
            self._count += 1
            self.add(Item(self.position, found))

    def read_again(self) -> None:
        self._count += 1
        self.add(Item(self.position, _alert()))

    async def missed_items(self, position: Position) -> list[Item[tuple[Activity, Text]]]:
        return [Item(self.position, _alert())]


def _alert() -> tuple[Activity, Text]:
    missed = message("Some activity may have been missed here; read the lists again.")
    return Activity.alert(missed), missed
