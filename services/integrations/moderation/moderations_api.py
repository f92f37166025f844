"""A moderator that speaks OpenAI's moderation API: `POST /moderations`."""

from collections.abc import Sequence

from models.enum import ErrorCode
from services.integrations.providers.json_body import dicts_of, read_object
from services.integrations.providers.openrouter.connection import Connection
from services.integrations.providers.protocol import ProviderError

_PATH = "/moderations"
_MAX_ANSWER_BYTES = 1_000_000  # categories and scores of each text


class ModerationsApi:
    """A Moderator. `connection`: with the base URL and the key of the API; the model is one of its own."""

    def __init__(self, connection: Connection, model: str) -> None:
        self._connection = connection
        self._model = model

    async def rejected(self, texts: Sequence[str]) -> frozenset[int]:
        """Return the positions of the texts that are flagged.

        Raises:
            ProviderError: there is no judgement of each of them.
        """
        body = {"model": self._model, "input": list(texts)}
        answer = bytearray()
        async with self._connection.post(_PATH, body, self._connection.secrets("\n".join(texts))) as response:
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > _MAX_ANSWER_BYTES:
                    raise _unexpected(f"the body is over {_MAX_ANSWER_BYTES} bytes")
        results = dicts_of((read_object(answer) or {}).get("results"))
        flags = [result.get("flagged") for result in results]
        if len(flags) != len(texts) or not all(isinstance(flag, bool) for flag in flags):
            raise _unexpected(f"{len(flags)} results of {len(texts)} texts, {len(answer)} bytes")
        return frozenset(position for position, flag in enumerate(flags) if flag)

    async def aclose(self) -> None:
        """Close connections."""
        await self._connection.aclose()


def _unexpected(detail: str) -> ProviderError:
    return ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, f"unexpected body: {detail}")
