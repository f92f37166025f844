"""Replies of Redis that arrive in one packet, or in parts."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.integrations.redis_client import Batch, BatchParser, RedisError, ResponseError


def message(channel: str, text: str) -> bytes:
    return b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(channel),
        channel.encode(),
        len(text),
        text.encode(),
    )


SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n"


class Connection:
    """What a parser uses of redis-py's connection."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader()
        self.encoder = SimpleNamespace(decode_responses=False)


def connected(parser: BatchParser) -> asyncio.StreamReader:
    connection = Connection()
    parser.on_connect(connection)
    return connection._reader


async def replies(parser: BatchParser, count: int) -> list[Any]:
    async with asyncio.timeout(5):
        return [await parser.read_response() for _ in range(count)]


async def test_messages_of_one_packet_arrive_together_and_other_replies_in_their_order() -> None:
    parser = BatchParser(socket_read_size=65536)
    stream = connected(parser)
    stream.feed_data(message("one", "1") + message("two", "2") + SUBSCRIBED + b"-ERR no\r\n" + message("one", "3"))
    first, subscribed, refused, last = await replies(parser, 4)
    assert isinstance(first, Batch)
    assert first == [[b"message", b"one", b"1"], [b"message", b"two", b"2"]]
    assert subscribed == [b"subscribe", b"one", 1]
    assert isinstance(refused, ResponseError)
    assert last == [[b"message", b"one", b"3"]]


async def test_message_that_arrives_in_parts_is_returned_when_it_is_complete() -> None:
    parser = BatchParser(socket_read_size=65536)
    stream = connected(parser)
    text = message("one", "1") + message("one", "2")
    stream.feed_data(text[:-5])
    assert await replies(parser, 1) == [[[b"message", b"one", b"1"]]]
    reading = asyncio.create_task(replies(parser, 1))
    await asyncio.sleep(0)
    stream.feed_data(text[-5:])
    assert await reading == [[[b"message", b"one", b"2"]]]


async def test_new_connection_begins_without_replies_of_the_former_one() -> None:
    parser = BatchParser(socket_read_size=65536)
    stream = connected(parser)
    stream.feed_data(message("one", "1") + SUBSCRIBED)
    await replies(parser, 1)
    stream = connected(parser)
    stream.feed_data(message("one", "2"))
    assert await replies(parser, 1) == [[[b"message", b"one", b"2"]]]


async def test_error_of_the_connection_after_messages_is_raised() -> None:
    parser = BatchParser(socket_read_size=65536)
    stream = connected(parser)
    stream.feed_data(message("one", "1") + b"-ERR max number of clients reached\r\n")
    await replies(parser, 1)
    with pytest.raises(RedisError, match="max number of clients"):
        await replies(parser, 1)
