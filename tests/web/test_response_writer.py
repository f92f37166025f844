"""The writes of a response: its head goes with the beginning of its body."""

import asyncio
import gc

from web.response_writer import ResponseWriter
from web.server import tune_garbage_collection


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def writer() -> tuple[Transport, ResponseWriter]:
    transport = Transport()
    return transport, ResponseWriter(transport, asyncio.get_running_loop())


async def test_head_and_body_of_one_step_are_one_write() -> None:
    transport, response = writer()
    response.write(b"head ")
    response.write(b"body")
    response.write(b" rest")
    await asyncio.sleep(0)
    assert transport.written == [b"head body", b" rest"]


async def test_head_without_body_is_written_in_the_next_step() -> None:
    transport, response = writer()
    response.write(b"head")
    await asyncio.sleep(0)
    assert transport.written == [b"head"]
    response.write(b"body")
    assert transport.written == [b"head", b"body"]


async def test_head_without_body_is_written_before_the_connection_is_closed() -> None:
    transport, response = writer()
    response.write(b"head")
    response.close()
    await asyncio.sleep(0)
    assert transport.written == [b"head"]
    assert response.is_closing()


async def test_head_of_a_lost_connection_is_dropped() -> None:
    transport, response = writer()
    response.write(b"head")
    transport.close()
    await asyncio.sleep(0)
    assert transport.written == []


def test_tuned_garbage_collection_leaves_old_objects_out() -> None:
    before = gc.get_threshold()
    try:
        tune_garbage_collection()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
