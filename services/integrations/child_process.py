"""One child process that works on untrusted media: its start, the exchange of a job for a response, and its exit."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

MAX_HEADER_BYTES = 4096
MAX_RESPONSE_BYTES = 128 << 20  # 4096 x 4096 pixels of RGBA noise are 64 MiB as a PNG
PIPE_BUFFER = 1 << 20  # bytes read ahead; with asyncio's 64 KiB, one response would pause the pipe hundreds of times
# Of a child, and nothing else: large blocks are backed by pages of 2 MiB where the kernel allows it, which spares one
# page fault for every 4 KiB of pixels. Other C libraries than glibc ignore it.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
EXIT_SECONDS = 1.0  # a child exits within milliseconds after its input has ended


T = TypeVar("T")


class ChildError(Exception):
    """The child exited, or its response is malformed."""


@dataclass(frozen=True)
class Response:
    """A child's response: the reason of a refusal, or an image or a video and its parts."""

    reason: str | None
    format: str
    width: int
    height: int
    widths: list[int]
    parts: list[bytes]
    details: dict[str, Any] = field(default_factory=dict)  # of a refusal, or of a video
    missing: frozenset[str] = frozenset()  # formats without a decoder, in response to that job


class Child:
    """A running child; it does one job at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, program: Path, arguments: list[str], *, niceness: int) -> Self:
        """Start a child. `niceness`: how far its CPU priority is below this process's, 0 to 19. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(program),
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=ENVIRONMENT,
            limit=PIPE_BUFFER,
            start_new_session=True,  # Ctrl-C in a terminal goes to the server only, which then stops its children
        )
        if niceness:
            with contextlib.suppress(OSError):  # it has exited already: the first exchange notices
                os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        return cls(process)

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def exchange(self, job: dict[str, Any], data: bytes) -> Response:
        """Send one frame and read one frame (images/sanitizer_process.py describes them).

        A child is trusted no more than what it decodes: lengths are bounded, and a malformed response is handled
        like an exit of the child. What it says is checked by the caller, who knows the job.

        Raises:
            ChildError: there is no valid response; the child must be stopped.
        """
        try:
            return await self._exchange(job, data)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise ChildError from error

    async def _exchange(self, job: dict[str, Any], data: bytes) -> Response:
        writer, reader = self._process.stdin, self._process.stdout
        if writer is None or reader is None:
            raise ConnectionError
        header = json.dumps(job | {"size": len(data)}).encode()
        writer.write(len(header).to_bytes(4, "big") + header)
        writer.write(data)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > MAX_HEADER_BYTES:
            raise ConnectionError
        result, sizes = _read_header(await reader.readexactly(size))
        if sum(sizes) > MAX_RESPONSE_BYTES or min(sizes, default=0) < 0:
            raise ConnectionError
        for size in sizes:
            result.parts.append(await reader.readexactly(size))
        return result

    def end_input(self) -> None:
        """Close the child's input, after which it exits by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait_for_exit(self, patience: float = EXIT_SECONDS) -> int:
        """Return the exit code; kill the child if it does not exit by itself within `patience` seconds."""
        process = self._process
        if process.returncode is None and process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._drain()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await self._drain()
        return process.returncode if process.returncode is not None else await process.wait()

    async def _drain(self) -> None:
        """Wait for the exit; asyncio reports it only after the pipe has been read to its end."""
        if self._process.stdout is not None:
            while await self._process.stdout.read(PIPE_BUFFER):
                pass
        await self._process.wait()


def _read_header(data: bytes) -> tuple[Response, list[int]]:
    """Return a response without its parts, and their sizes.

    Raises:
        ChildError: it is no JSON object, or has values of other types than a response.
    """
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ChildError from error
    if not isinstance(header, dict) or "parts" not in header:
        raise ChildError("no response")
    reason = header.get("reason")
    response = Response(
        reason=None if reason is None else _typed(reason, str),
        format=_typed(header.get("format", ""), str),
        width=_typed(header.get("width", 0), int),
        height=_typed(header.get("height", 0), int),
        widths=_list(header.get("widths", []), int),
        parts=[],
        details=_typed(header.get("details", {}), dict),
        missing=frozenset(_list(header.get("missing", []), str)),
    )
    return response, _list(header["parts"], int)


def _typed(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ChildError(f"{value!r:.80} is no {kind.__name__}")
    return value


def _list(values: object, kind: type[T]) -> list[T]:
    return [_typed(value, kind) for value in _typed(values, list)]
