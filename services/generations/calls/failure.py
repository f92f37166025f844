"""How a generation ends without a result."""

from models.enum import ErrorCode


class GenerationFailedError(Exception):
    """A generation ends without a result. `called`: a request has, or may have, left for the provider.

    `waits`: no model has begun its work, and the provider of the ordered one refuses every call for now, or is off.
    """

    def __init__(
        self,
        code: ErrorCode,
        *,
        called: bool,
        cost: float | None = None,
        request_id: str | None = None,
        waits: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.called = called
        self.cost = cost
        self.request_id = request_id
        self.waits = waits
