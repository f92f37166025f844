"""What comes of one attempt to send a webhook: an answer, or none."""

from dataclasses import dataclass

from models.enum import AttemptFailure


@dataclass(frozen=True)
class Response:
    """What the endpoint answered. `excerpt`: the printable beginning of the body. `retry_after`: seconds, if given."""

    status: int
    excerpt: str
    retry_after: float | None = None


class SendError(Exception):
    """There is no answer. `failure`: why."""

    def __init__(self, failure: AttemptFailure) -> None:
        super().__init__(failure.value)
        self.failure = failure
