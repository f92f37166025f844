"""The last messages of a channel, kept for subscribers that come back: in this process, or as a list in Redis."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

MAX_KEPT = 64  # messages of one channel
KEPT_SECONDS = 600  # after the last message of a channel
# Of this process; of more, the channels whose last message is the oldest are dropped.
_MAX_CHANNELS = 1000
_MAX_CHARACTERS = 8 * 1024 * 1024

# Publishes, then keeps: a Redis that cannot write (it is full, or a replica) still publishes. Four commands would take
# the publisher three times as long. Keys: the list. Arguments: the command, the channel, the message, what is kept.
PUBLISH_AND_KEEP = f"""
redis.call(ARGV[1], ARGV[2], ARGV[3])
redis.pcall('RPUSH', KEYS[1], ARGV[4])
redis.pcall('LTRIM', KEYS[1], -{MAX_KEPT}, -1)
redis.pcall('EXPIRE', KEYS[1], {KEPT_SECONDS})
"""


def key_of(channel: str) -> str:
    """Return the key of a channel's list; in a cluster, the server of the (sharded) channel owns it."""
    return f"darkroom:kept:{{{channel}}}"


class KeptMessages:
    """The last messages of the channels of this process, where there is no Redis. `now`: seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._channels: OrderedDict[str, tuple[float, deque[str]]] = OrderedDict()  # in the order of their last message
        self._characters = 0

    def add(self, channel: str, text: str) -> None:
        """Keep a message, and drop what is too old or too much."""
        self._drop_old()
        _, texts = self._channels.pop(channel, (0.0, deque[str]()))
        texts.append(text)
        self._characters += len(text)
        if len(texts) > MAX_KEPT:
            self._characters -= len(texts.popleft())
        self._channels[channel] = (self._now(), texts)
        while len(self._channels) > _MAX_CHANNELS or self._characters > _MAX_CHARACTERS:
            self._drop_oldest()

    def of(self, channel: str) -> list[str]:
        """Return the messages of a channel, the oldest first."""
        self._drop_old()
        found = self._channels.get(channel)
        return list(found[1]) if found is not None else []

    def _drop_old(self) -> None:
        before = self._now() - KEPT_SECONDS
        while self._channels and next(iter(self._channels.values()))[0] <= before:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (_, texts) = self._channels.popitem(last=False)
        self._characters -= sum(map(len, texts))
