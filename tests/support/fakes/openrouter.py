"""A local OpenRouter on a raw socket: sends scripted responses, including broken and hostile ones, and records calls.

    async with ScriptedOpenRouter() as fake:
        fake.script(status(429, retry_after="7"), picture())  # in turn; the last one repeats
        ... OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None) ...
        assert len(fake.calls) == 2

Without a script, every call gets a good image. A call that the real service would refuse (path, key, body) is
refused in the same way, without using up the script; it is recorded as well.
"""

import asyncio
from collections import deque

from tests.support.fakes import moderations, openrouter_images
from tests.support.fakes.openrouter_response import json_200, message, picture, status
from tests.support.fakes.raw_server import Call, RawServer, Response

CHAT_PATH = "/api/v1/chat/completions"
KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


class ScriptedOpenRouter(RawServer):
    """A local server. `calls` holds every request; `called` is set by the first.

    While `answering` is cleared, calls arrive and wait for their responses; each response takes `delay` seconds.
    """

    def __init__(self, key: str = KEY) -> None:
        super().__init__()
        self.key = key
        self.calls: list[Call] = []
        self.key_calls = 0  # questions about the key, which are not in `calls`
        self.limit_remaining: float | None = 74.5  # what is left of the key's limit; None: it has none
        self.called = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()
        self.delay = 0.0
        self._script: deque[Response] = deque()
        self._texts: deque[Response] = deque()
        self.by_model: dict[str, Response] = {}  # for calls of these models, instead of the script

    def script(self, *responses: Response) -> None:
        """Respond to the next calls with these, in turn; the last one repeats."""
        self._script = deque(responses)

    def script_texts(self, *responses: Response) -> None:
        """Respond to the next calls for a text, in turn; the last one repeats."""
        self._texts = deque(responses)

    @property
    def text_calls(self) -> list[Call]:
        """The calls of text models, which ask for no image."""
        return [call for call in self.calls if is_for_text(call)]

    @property
    def base_url(self) -> str:
        """The value for OPENROUTER_BASE_URL."""
        return f"{self.origin}/api/v1"

    async def answer(self, call: Call) -> Response:
        if (call.method, call.path) == ("GET", "/api/v1/key"):
            self.key_calls += 1
            return self._about_key(call)
        self.calls.append(call)
        self.called.set()
        await self.answering.wait()
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.respond(call)

    def _about_key(self, call: Call) -> Response:
        if call.headers.get("authorization") != f"Bearer {self.key}":
            return status(401, "authentication", text="No auth credentials found")
        left = self.limit_remaining
        return json_200({"data": {"label": "sk-or-v1-012...def", "limit": 100, "limit_remaining": left, "usage": 25.5}})

    def respond(self, call: Call) -> Response:
        """Return the response to a call."""
        return _validate(call, self.key) or self._next(call)

    def _next(self, call: Call) -> Response:
        own = self.by_model.get(call.body["model"])
        if own is not None:
            return own
        script = self._texts if is_for_text(call) else self._script
        if not script:
            if call.path == moderations.PATH:
                return moderations.judged(*(False for _ in call.body["input"]))
            if is_for_text(call):
                return message(content="A fox, painted with care.")
            return openrouter_images.images() if call.path == openrouter_images.PATH else picture()
        return script.popleft() if len(script) > 1 else script[0]


def is_for_text(call: Call) -> bool:
    """Return whether a call asks a text model or a moderation model, and for no image."""
    is_text = call.path == CHAT_PATH and isinstance(call.body, dict) and "max_tokens" in call.body
    return is_text or call.path == moderations.PATH


def _validate(call: Call, key: str) -> Response | None:
    if call.method != "POST" or call.path not in (CHAT_PATH, openrouter_images.PATH, moderations.PATH):
        return status(404, "not_found", text="Not Found")
    if call.headers.get("authorization") != f"Bearer {key}":
        return status(401, "authentication", text="No auth credentials found")
    body = call.body if isinstance(call.body, dict) else {}
    if call.path == openrouter_images.PATH:
        return openrouter_images.refusal_of(body)
    if call.path == moderations.PATH:
        return moderations.refusal_of(body)
    wanted = {"model": str, "messages": list, **({} if is_for_text(call) else {"modalities": list})}
    missing = [name for name, kind in wanted.items() if not isinstance(body.get(name), kind) or not body[name]]
    return status(400, "invalid_request", text=f"Invalid {', '.join(missing)}") if missing else None
