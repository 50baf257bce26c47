"""What a handler gives back: a reply, or a refusal with a status and a message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, final

from pydantic import ValidationError

JSON: Final = "application/json"
TEXT: Final = "text/plain"


@final
@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: str = ""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Any, status: int = 200) -> Reply:
        """A JSON document."""
        return cls(status, json.dumps(document))


class Refusal(Exception):
    """A request that the service refuses; the client shows the message."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    @property
    def reply(self) -> Reply:
        """The answer, in the shape that the client reads messages from."""
        error = {"message": str(self), "code": self.status * 10}
        after = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return Reply(self.status, json.dumps({"error": error}), JSON, after)


def invalid(where: str, error: ValidationError) -> Refusal:
    """A refusal naming each field of a request that does not fit its model."""
    faults = "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()
    )
    return Refusal(400, f"{where}: {faults}")
