"""The inference providers' videos of the scripted Hugging Face: orders, jobs and finished videos, each in its format.

fake.videos.serve("Wan-AI/Wan2.2-T2V-A14B", "fal-ai")
fake.videos.polls = 2  # questions that are answered with "running" before the end
assert len(fake.videos.orders) == 1
"""

import asyncio
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.raw_server import Response

VIDEO = b"\x00\x00\x00\x20ftypisom" + bytes(1024)
_HUB = re.compile(r"/api/models/([\w.-]+/[\w.-]+)\?expand=inferenceProviderMapping")
_ORDERS = {
    "fal-ai": re.compile(r"/fal-ai/(?P<id>[\w./-]+)\?_subdomain=queue"),
    "wavespeed": re.compile(r"/wavespeed/api/v3/(?P<id>[\w./-]+)"),
    "together": re.compile(r"/together/v2/videos"),
    "novita": re.compile(r"/novita/v3/hf/(?P<id>[\w./-]+)"),
    "replicate": re.compile(r"/replicate/v1/models/(?P<id>[\w./-]+)/predictions"),
}
_QUESTIONS = {
    "fal-status": re.compile(r"/fal-ai/[\w./-]+/requests/(?P<job>job-\d+)/status\?_subdomain=queue"),
    "fal-result": re.compile(r"/fal-ai/[\w./-]+/requests/(?P<job>job-\d+)\?_subdomain=queue"),
    "wavespeed": re.compile(r"/wavespeed/api/v3/predictions/(?P<job>job-\d+)/result"),
    "together": re.compile(r"/together/v2/videos/(?P<job>job-\d+)"),
}


@dataclass(frozen=True)
class Order:
    """One order of a video."""

    provider: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedVideos:
    """The videos of one scripted Hugging Face, at `url`."""

    orders: list[Order] = field(default_factory=list)
    ordered: asyncio.Event = field(default_factory=asyncio.Event)  # set by the first
    questions: list[str] = field(default_factory=list)  # the paths
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # set by the first question
    content: bytes = VIDEO  # of every finished video
    content_headers: dict[str, str] = field(default_factory=dict)  # of its answer, besides the usual ones
    polls: int = 1
    error: str | None = None  # with which every job ends
    answer: Response | None = None  # to the next order or question, instead of the usual one
    lookups: int = 0  # questions to the Hub
    lookup: Response | None = None  # the answer to these, instead of the usual one
    _served: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    _jobs: dict[str, int] = field(default_factory=dict)  # questions left until the end
    _numbers: Any = field(default_factory=itertools.count)

    def serve(self, model: str, *providers: str, task: str = "text-to-video", status: str = "live") -> None:
        """Let providers serve a model, in the order of the account's settings."""
        self._served[model] = [
            {
                "provider": provider,
                "providerId": f"vendor/{model.partition('/')[2].lower()}",
                "task": task,
                "status": status,
            }
            for provider in providers
        ]

    def finish(self) -> None:
        """Let every running job end."""
        self._jobs = dict.fromkeys(self._jobs, 0)

    def respond(self, url: str, method: str, path: str, headers: dict[str, str], body: Any) -> Response | None:
        """Return the response to a request; None if it is not about videos."""
        if (found := _HUB.fullmatch(path)) is not None:
            return self._look_up(found.group(1))
        if path.startswith("/video/"):
            return scripted.response(200, "video/mp4", self.content, **self.content_headers)
        patterns = _ORDERS if method == "POST" else _QUESTIONS
        for name, pattern in patterns.items():
            if (match := pattern.fullmatch(path)) is not None:
                answer, self.answer = self.answer, None
                if method == "POST":
                    self.orders.append(Order(name, headers, body))
                    self.ordered.set()
                    return answer or self._accept(name, match.groupdict().get("id", ""), url)
                self.questions.append(path)
                self.asked.set()
                return answer or self._state(name, match.group("job"), url)
        return None

    def _look_up(self, model: str) -> Response:
        self.lookups += 1
        if self.lookup is not None:
            return self.lookup
        if model not in self._served:
            return scripted.error(404, "Repository not found")
        return _json({"id": model, "inferenceProviderMapping": self._served[model]})

    def _accept(self, provider: str, model: str, url: str) -> Response:
        job = f"job-{next(self._numbers)}"
        self._jobs[job] = self.polls
        video = f"{url}/video/{job}.mp4"
        if provider == "fal-ai":
            address = f"https://queue.fal.run/{model}/requests/{job}"
            more = {"status_url": f"{address}/status", "cancel_url": f"{address}/cancel", "queue_position": 0}
            return _json({"status": "IN_QUEUE", "request_id": job, "response_url": address, **more})
        if provider == "wavespeed":
            address = f"https://api.wavespeed.ai/api/v3/predictions/{job}/result"
            data = {"id": job, "model": model, "status": "created", "outputs": [], "urls": {"get": address}}
            return _json({"code": 200, "message": "success", "data": data})
        if provider == "together":
            return _json({"id": job, "object": "video", "status": "queued"})
        if provider == "novita":
            return _json({"video": {"video_url": video, "video_type": "mp4"}})
        return _json({"id": job, "status": "succeeded", "output": video, "error": None}, 201)

    def _state(self, name: str, job: str, url: str) -> Response:
        if job not in self._jobs:
            return scripted.error(404, "Not Found")
        video, is_running = f"{url}/video/{job}.mp4", self._jobs[job] > 0
        if name != "fal-result":
            self._jobs[job] -= 1
        if name == "fal-status":
            return _json(
                {"status": "IN_PROGRESS" if is_running else "COMPLETED", "request_id": job}, 202 if is_running else 200
            )
        if name == "fal-result":
            if self.error is not None:
                return _json({"detail": [{"loc": ["body", "prompt"], "msg": self.error, "type": "value_error"}]}, 422)
            return _json({"video": {"url": video, "content_type": "video/mp4"}, "seed": 1})
        status = "in_progress" if is_running else "failed" if self.error else "completed"
        is_finished = status == "completed"
        if name == "wavespeed":
            data = {"id": job, "status": "processing" if is_running else status, "error": self.error or ""}
            return _json({"code": 200, "data": data | ({"outputs": [video]} if is_finished else {})})
        outputs = {"outputs": {"video_url": video, "cost": 0.4}} if is_finished else {}
        error = {"error": {"message": self.error}} if status == "failed" else {}
        return _json({"id": job, "status": status, **outputs, **error})


def _json(body: object, status: int = 200) -> Response:
    return scripted.response(status, "application/json", json.dumps(body).encode())
