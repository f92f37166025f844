"""A local Hugging Face on a raw socket: the router's models and the Hub's `whoami-v2`; records calls.

    async with ScriptedHuggingFace() as fake:
        fake.script(loading(2.0), image())  # in turn; the last one repeats
        ... HuggingFaceProvider(fake.token, base_url=fake.url, budget=CallBudget(0, None)) ...
        assert len(fake.calls) == 2

Without a script, every call gets a good image. A call that the real service would refuse (path, token, body) is refused
in the same way, without using up the script; it is recorded as well. Calls of models are recorded; `videos` has the
orders of videos.
"""

import asyncio
import base64
import binascii
import json
import re
from collections import deque

from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.huggingface_videos import ScriptedVideos
from tests.support.fakes.raw_server import Call, RawServer, Response

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
_MODEL = re.compile(r"/hf-inference/models/([\w.-]+/[\w.-]+)")
_PARAMETERS = {"width", "height", "seed", "prompt", "target_size"}


class ModelCall(Call):
    """One recorded request to a model."""

    @property
    def model(self) -> str:
        match = _MODEL.fullmatch(self.path)
        return match.group(1) if match else ""


class ScriptedHuggingFace(RawServer):
    """A local server. `calls` holds every request to a model; `called` is set by the first.

    While `answering` is cleared, calls arrive and wait for their responses.
    """

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.role = "read"  # of the token
        self.calls: list[ModelCall] = []
        self.videos = ScriptedVideos()
        self.called = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()
        self._script: deque[Response] = deque()

    def script(self, *responses: Response) -> None:
        """Respond to the next calls with these, in turn; the last one repeats."""
        self._script = deque(responses)

    @property
    def url(self) -> str:
        """The value for HUGGINGFACE_BASE_URL and HUGGINGFACE_HUB_URL."""
        return self.origin

    async def answer(self, call: Call) -> Response:
        if (call.method, call.path) == ("GET", "/api/whoami-v2"):
            return self._who(call.headers)
        about_videos = self.videos.respond(self.url, call.method, call.path, call.headers, call.body)
        if about_videos is not None:
            is_public = call.path.startswith("/video/")
            return about_videos if is_public or self._is_authorized(call.headers) else scripted.invalid_token()
        recorded = ModelCall(call.method, call.path, call.headers, call.body)
        self.calls.append(recorded)
        self.called.set()
        await self.answering.wait()
        return _refusal(recorded, self.token) or self._next()

    def _who(self, headers: dict[str, str]) -> Response:
        if not self._is_authorized(headers):
            return scripted.invalid_token()
        access = {"displayName": "darkroom", "role": self.role, "createdAt": "2026-11-01T00:00:00.000Z"}
        account = {"type": "user", "name": "ada", "isPro": False, "canPay": False}
        body = {**account, "auth": {"type": "access_token", "accessToken": access}}
        return scripted.response(200, "application/json", json.dumps(body).encode())

    def _is_authorized(self, headers: dict[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {self.token}"

    def _next(self) -> Response:
        if not self._script:
            return scripted.image()
        return self._script.popleft() if len(self._script) > 1 else self._script[0]


def _refusal(call: ModelCall, token: str) -> Response | None:
    """Return the response to a call that the service does not take; None if it takes it."""
    if call.method != "POST" or not call.model:
        return scripted.error(404, "Not Found")
    if call.headers.get("authorization") != f"Bearer {token}":
        return scripted.invalid_token()
    body = call.body if isinstance(call.body, dict) else {}
    inputs, parameters = body.get("inputs"), body.get("parameters", {})
    if set(body) - {"inputs", "parameters"} or not isinstance(inputs, str) or not inputs:
        return scripted.error(422, "Error in `inputs`: field required")
    if set(parameters) - _PARAMETERS or any(parameters.get(name, 8) % 8 for name in ("width", "height")):
        return scripted.unprocessable()
    if "prompt" in parameters:  # image to image: `inputs` is the image
        try:
            base64.b64decode(inputs, validate=True)
        except binascii.Error:
            return scripted.error(422, "Error in `inputs`: not an image")
    return None
