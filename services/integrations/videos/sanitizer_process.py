"""The resource-limited process that reads one untrusted video: a framed job on stdin, a framed response on stdout.

Started by sanitizer.py as a plain file with `python -I`; it imports only the standard library, PyAV, Pillow and the
files beside it. The frames are those of images/sanitizer_process.py:

    job       {"size": bytes, "limits": [of VideoLimits, in its order]}  the video
    response  {"format", "width", "height", "details": {"seconds", "frames", "codec", "audio"}, "parts": [bytes, bytes]}
              the video, the poster
    refusal   {"reason": a BadVideo, "details": {"detail": what was found}}
"""

import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

sys.path.append(str(Path(__file__).parents[3]))  # `-I` leaves it out

from services.integrations.confinement import allow_cpu, limit_allocator, restrict
from services.integrations.videos.inspection import inspect_video
from services.integrations.videos.refusal import BadVideo, VideoLimits, VideoRefusedError
from services.integrations.videos.sample import tiny_video

Response = tuple[dict[str, Any], list[bytes]]


def run_job(job: dict[str, Any], data: bytes) -> Response:
    """Read the video; every problem with it becomes the reason of a refusal."""
    try:
        found = inspect_video(data, VideoLimits(*job["limits"]))
    except VideoRefusedError as refused:
        return {"reason": refused.reason, "details": {"detail": refused.detail[:500]}}, []
    except MemoryError:
        return {"reason": BadVideo.TOO_MANY_PIXELS, "details": {"detail": "there is not enough memory"}}, []
    except ImportError:
        raise  # a bug: a module was not imported before the limits were set
    except Exception as error:  # noqa: BLE001 - demuxers and decoders raise any exception on malformed data
        return {"reason": BadVideo.DAMAGED, "details": {"detail": repr(error)[:500]}}, []
    details = {"seconds": found.seconds, "frames": found.frames, "codec": found.codec, "audio": found.audio}
    head = {"format": found.format, "width": found.width, "height": found.height, "details": details}
    return head, [found.data, found.poster]


def read_exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SystemExit  # the parent has exited
    return data


def main(memory_mib: int, cpu_seconds: int) -> None:
    limit_allocator()
    inspect_video(tiny_video(), VideoLimits())  # loads modules and codecs while files can still be opened
    restrict(memory_mib)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    job = json.loads(read_exactly(source, int.from_bytes(read_exactly(source, 4), "big")))
    data = read_exactly(source, job["size"])
    allow_cpu(cpu_seconds)
    header, parts = run_job(job, data)
    head = json.dumps(header | {"parts": [len(part) for part in parts]}).encode()
    sink.write(len(head).to_bytes(4, "big") + head)
    for part in parts:
        sink.write(part)
    sink.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
