"""A local OpenRouter that lists models of images and of videos, with its documented wire format."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def listed(id: str, *, inputs: tuple[str, ...] = ("text", "image"), **parameters: Any) -> dict[str, Any]:
    """Return an item of `GET /images/models`; `parameters` are the supported ones."""
    return {
        "id": id,
        "name": id.title(),
        "description": "A text-to-image model.",
        "created": 1692901234,
        "architecture": {"input_modalities": list(inputs), "output_modalities": ["image", "text"]},
        "supported_parameters": {"seed": {"type": "boolean"}, **parameters},
        "supports_streaming": False,
        "endpoints": f"/api/v1/images/models/{id}/endpoints",
    }


def endpoints(id: str, *prices: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of `GET /images/models/{id}/endpoints`, with one endpoint."""
    endpoint = {
        "provider_name": "Acme",
        "provider_slug": "acme",
        "provider_tag": "acme",
        "supported_parameters": {},
        "allowed_passthrough_parameters": [],
        "supports_streaming": False,
        "pricing": list(prices),
    }
    return {"id": id, "endpoints": [endpoint]}


def listed_video(id: str, **changes: Any) -> dict[str, Any]:
    """Return an item of `GET /videos/models`."""
    return {
        "id": id,
        "canonical_slug": f"{id}-20260930",
        "name": id.title(),
        "description": "A text-to-video model.",
        "created": 1692901234,
        "supported_resolutions": ["480p", "720p", "768p", "1080p"],
        "supported_aspect_ratios": ["16:9", "9:16"],
        "supported_durations": [8, 4, 6],
        "supported_sizes": None,
        "supported_frame_images": ["first_frame", "last_frame"],
        "generate_audio": True,
        "seed": None,
        "pricing_skus": {"duration_seconds_with_audio_720p": "0.1", "duration_seconds_without_audio_720p": "0.05"},
        "allowed_passthrough_parameters": [],
        **changes,
    }


@contextmanager
def serving(answers: dict[str, Any]) -> Iterator[str]:
    """Serve these answers by path below /api/v1, and everything else as an error; yield the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.removeprefix("/api/v1"))
            body = answer if answer is not None else {"error": {"code": 404, "message": "Resource not found"}}
            data = json.dumps(body).encode()
            self.send_response(200 if answer is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
