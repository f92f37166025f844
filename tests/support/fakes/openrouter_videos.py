"""A local OpenRouter that also makes videos: jobs with states, contents behind the key, and signed callbacks.

    async with ScriptedVideos(clip) as fake:
        fake.ends_after(2, failed("content_policy_violation"))  # the third question about a job finds it failed
        ...
        assert fake.jobs[0].body["frame_images"]
        await fake.call_back(address, fake.jobs[0])

Without a script, a job is complete when it is first asked about. What the real service would refuse is refused
in the same way. `jobs` is its own count of what it accepted: nothing that the server under test says is taken for it.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.fakes.openrouter import KEY, ScriptedOpenRouter
from tests.support.fakes.openrouter_response import content, json_response, status
from tests.support.fakes.raw_server import Call, Response

SECRET = "whsec-of-the-workspace-0815"
COST = 0.4  # US dollars
_VIDEO = re.compile(r"/api/v1/videos/([^/?]+)(/content\?index=0)?")
_STATES = {"pending", "in_progress", "completed", "failed", "cancelled", "expired"}
_RATIOS = {"16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21"}
_RESOLUTIONS = {"480p", "720p", "1080p", "1K", "2K", "4K"}


@dataclass(frozen=True)
class State:
    """How a job ends."""

    status: str
    error: str | Mapping[str, Any] | None = None
    cost: float | None = COST


COMPLETED, CANCELLED, EXPIRED = State("completed"), State("cancelled", cost=0.0), State("expired", cost=0.0)


def failed(text: str = "The model failed.", error_type: str | None = None, code: int | None = None) -> State:
    """A job that failed: with a text, as documented, or with an error object."""
    if error_type is None and code is None:
        return State("failed", text, 0.0)
    return State("failed", {"code": code, "message": text, "metadata": {"error_type": error_type}}, 0.0)


@dataclass
class Job:
    """An accepted submission."""

    id: str
    body: dict[str, Any]
    end: State
    questions_left: int  # answered as still running
    asked: int = 0
    fetched: int = 0


@dataclass
class ScriptedVideos(ScriptedOpenRouter):
    """A local server. `jobs` holds what was accepted, in order; `calls` holds every request.

    `polling_url`: makes what a submission names from the job's id; `find_end`: how the job of a request ends and after
    how many questions, by its body; `refuse`: the answer to a request that is not accepted, by its body.
    """

    clip: bytes
    key: str = KEY
    secret: str = SECRET
    jobs: list[Job] = field(default_factory=list)
    polling_url: Callable[[str], str | None] = "/api/v1/videos/{}".format
    find_end: Callable[[Mapping[str, Any]], tuple[int, State]] = lambda _: (0, COMPLETED)
    refuse: Callable[[Mapping[str, Any]], Response | None] = lambda _: None
    unsigned_urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__init__(self.key)
        self._submissions: list[Response] = []
        self._questions: list[Response] = []
        self._contents: list[Response] = []

    def ends_after(self, questions: int, end: State = COMPLETED) -> None:
        """Let every later job end so, after so many questions that find it running."""
        self.find_end = lambda _: (questions, end)

    def script_submissions(self, *responses: Response) -> None:
        """Answer the next submissions so; no job is accepted by them."""
        self._submissions += responses

    def script_questions(self, *responses: Response) -> None:
        """Answer the next questions about jobs so."""
        self._questions += responses

    def script_contents(self, *responses: Response) -> None:
        """Answer the next requests for contents so."""
        self._contents += responses

    @property
    def prompts(self) -> list[str]:
        """The prompt of every accepted submission, in order: one that occurs twice was submitted twice."""
        return [job.body["prompt"] for job in self.jobs]

    def respond(self, call: Call) -> Response:
        """Return the response to a call."""
        if not call.path.startswith("/api/v1/videos"):
            return super().respond(call)
        if call.headers.get("authorization") != f"Bearer {self.key}":
            return status(401, "authentication", text="No auth credentials found")
        if (call.method, call.path) == ("POST", "/api/v1/videos"):
            return self._submit(call)
        found = _VIDEO.fullmatch(call.path)
        job = next((job for job in self.jobs if found and job.id == found[1]), None)
        if call.method != "GET" or found is None or job is None:
            return status(404, "not_found", text="Video not found")
        return self._content(job) if found[2] else self._describe(job)

    def _submit(self, call: Call) -> Response:
        if self._submissions:
            return self._submissions.pop(0)
        if problem := _problem(call.body):
            return status(400, "invalid_request", text=problem)
        if refusal := self.by_model.get(call.body["model"]) or self.refuse(call.body):
            return refusal
        questions, end = self.find_end(call.body)
        assert end.status in _STATES
        job = Job(f"vid-{len(self.jobs) + 1:06d}", call.body, end, questions)
        self.jobs.append(job)
        answer = {"id": job.id, "polling_url": self.polling_url(job.id), "status": "pending"}
        return json_response(202, {**answer, "generation_id": f"gen-{job.id}"})

    def _describe(self, job: Job) -> Response:
        if self._questions:
            return self._questions.pop(0)
        job.asked += 1
        is_running = job.questions_left > 0
        job.questions_left -= is_running
        if is_running:
            return json_response(200, self._state(job, "in_progress"))
        return json_response(200, self._state(job, job.end.status))

    def _state(self, job: Job, status: str) -> dict[str, Any]:
        state: dict[str, Any] = {"id": job.id, "generation_id": f"gen-{job.id}", "status": status}
        state["polling_url"] = f"/api/v1/videos/{job.id}"
        if status == job.end.status:
            state["usage"] = {"cost": job.end.cost, "is_byok": False}
            if job.end.error is not None:
                state["error"] = job.end.error
            if status == "completed":
                state["unsigned_urls"] = [*self.unsigned_urls]
        return state

    def _content(self, job: Job) -> Response:
        if self._contents:
            return self._contents.pop(0)
        if job.end.status != "completed" or job.questions_left:
            return status(404, "not_found", text="The video is not ready")
        job.fetched += 1
        return content(self.clip, "video/mp4")

    async def call_back(self, address: str, job: Job, **changes: Any) -> httpx.Response:
        """Send the callback of a job's end to a server. `changes`: of `signed_callback`."""
        body, headers = self.signed_callback(job, **changes)
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.post(f"{address}/webhooks/openrouter", content=body, headers=headers)

    def signed_callback(
        self, job: Job, *, secret: str | None = None, at: float | None = None, kind: str | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of a callback. `at`: when it was signed, in seconds; None: now."""
        event = {
            "type": kind or f"video.generation.{job.end.status}",
            "created_at": "2026-11-29T12:00:00Z",
            "data": self._state(job, job.end.status),
        }
        body, moment = json.dumps(event).encode(), str(int(time.time() if at is None else at))
        digest = hmac.new((secret or self.secret).encode(), moment.encode() + b"," + body, hashlib.sha256).hexdigest()
        return body, {
            "content-type": "application/json",
            "x-openrouter-idempotency-key": f"{job.id}-{job.end.status}",
            "x-openrouter-signature": f"t={moment},v1={digest}",
        }


def _problem(body: Any) -> str | None:
    """Return what the real service would refuse in a submission."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        return "model is required"
    if not isinstance(body.get("prompt"), str) or not body["prompt"]:
        return "prompt is required"
    if not isinstance(body.get("duration", 1), int):
        return "duration must be an integer"
    if body.get("resolution", "720p") not in _RESOLUTIONS or body.get("aspect_ratio", "16:9") not in _RATIOS:
        return "resolution or aspect_ratio is unknown"
    if not body.get("callback_url", "https://").startswith("https://"):
        return "callback_url must be https"
    for frame in body.get("frame_images", []):
        is_image = frame.get("type") == "image_url" and isinstance(frame.get("image_url", {}).get("url"), str)
        if not is_image or frame.get("frame_type") not in ("first_frame", "last_frame"):
            return "frame_images is malformed"
    return None
