"""Text models at OpenRouter: one answer to one text, by chat completions."""

import json
from dataclasses import dataclass

import httpx2

from models.enum import ErrorCode
from services.integrations.providers.openrouter.chat_request import PATH
from services.integrations.providers.openrouter.connection import Connection
from services.integrations.providers.openrouter.response import ResponseReader

_MAX_ANSWER_BYTES = 256 * 1024  # of the whole body; the text is limited by tokens
_CUT = "length"  # the reason of an answer that was longer than its tokens


@dataclass(frozen=True)
class TextAnswer:
    """A model's answer, trimmed and not empty. Its text is untrusted."""

    text: str
    cost: float | None  # US dollars as the provider reported


class TextModel:
    """One text model. The caller limits the time."""

    def __init__(self, connection: Connection, model: str) -> None:
        self._connection = connection
        self._model = model

    async def aclose(self) -> None:
        """Close connections."""
        await self._connection.aclose()

    async def answer(self, instructions: str, text: str, *, max_tokens: int) -> TextAnswer:
        """Send a user's text to the model, as a JSON string that it cannot leave; one call, never retried.

        Raises:
            ProviderError: no text, or one that was cut off.
        """
        body = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": instructions},
                {"role": "user", "content": json.dumps(text, ensure_ascii=False)},
            ],
            "max_tokens": max_tokens,
            "stream": False,
        }
        secrets = self._connection.secrets(text)
        async with self._connection.post(PATH, body, secrets) as response:
            reader = ResponseReader(response.headers, _MAX_ANSWER_BYTES)
            try:
                async for chunk in response.aiter_bytes():
                    reader.feed(chunk)
            except (httpx2.RequestError, OSError):
                if not reader.response.ended:
                    raise
        parsed = reader.finish(secrets)
        answer = "".join(parsed.text).strip()
        if not answer or _CUT in parsed.reasons:
            raise parsed.failed(ErrorCode.GENERATION_FAILED, "no text" if not answer else "the text was cut off")
        return TextAnswer(answer, parsed.cost)
