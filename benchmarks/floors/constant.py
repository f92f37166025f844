"""The floor of any server on uvicorn: an ASGI function that reads the request and answers with constant bytes."""

import json
import sys
from typing import Any

import uvicorn


class Constant:
    """An ASGI application with one answer."""

    def __init__(self, size: int) -> None:
        self._body = body = json.dumps({"data": "-" * (size - 12)}).encode()
        self._headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def main() -> None:
    port, size = sys.argv[1:]
    uvicorn.run(Constant(int(size)), port=int(port), log_level="error", access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
