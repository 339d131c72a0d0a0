"""What the stand-ins of channels share: they take messages, or refuse them as a test says."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from aiohttp import web

from syncd.clock import Clock, SystemClock
from syncd.sandbox.answer import Answer, deliver
from syncd.sandbox.faults import Faults


class Receiving(ABC):
    """Plays a service that brings messages to people.

    `refusals` are answered first, one a request, and what is refused is not taken. `faults` happen
    to the answer after a message was taken: a cut, a hang.

    Args:
        clock: tells the time.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.requests = 0
        self.refusals: deque[Answer] = deque()
        self.faults = Faults()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.requests += 1
        body = await request.read()
        if self.refusals:
            answer = self.refusals.popleft()
        else:
            answer = self.faults.strike(request.path, self.take(request, body))
        return await deliver(request, answer, self.clock)

    def refuse(self, status: int, says: Any = "", *, times: int = 1, **headers: str) -> None:
        """Refuse the next requests.

        Args:
            status: of the answer.
            says: the body: text, or JSON of anything else.
            times: how many of them.
            headers: further ones, with `_` for `-`.
        """
        is_text = isinstance(says, str)
        kind = "text/plain; charset=utf-8" if is_text else "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = (says if is_text else json.dumps(says)).encode()
        answer = Answer(status=status, headers={"Content-Type": kind, **named}, body=body)
        self.refusals.extend([answer] * times)

    @abstractmethod
    def take(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Take a message and answer as the service does."""


def read_json(body: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None where it is none."""
    try:
        data = json.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
