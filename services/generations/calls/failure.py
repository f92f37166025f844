"""How a generation ends without a result."""

from models.enum import ErrorCode


class GenerationFailedError(Exception):
    """A generation ends without a result. `called`: a request has, or may have, left for the provider.

    `lost`: what was called may have made something, and no answer says whether, or what it cost.

    `waits`: no model has begun its work, and the provider of the ordered one refuses every call for now, or is off.
    `is_busy`: none was called, and one only because others took all slots of its provider in turn.
    """

    def __init__(
        self,
        code: ErrorCode,
        *,
        called: bool,
        cost: float | None = None,
        request_id: str | None = None,
        lost: bool = False,
        waits: bool = False,
        is_busy: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.called = called
        self.cost = cost
        self.request_id = request_id
        self.lost = lost
        self.waits = waits
        self.is_busy = is_busy
