"""Plays an ntfy server: topics, and who may publish to them.

Answers as its server/errors.go and https://docs.ntfy.sh/publish/#publish-as-json say.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from syncd.clock import Clock
from syncd.sandbox.answer import Answer
from syncd.sandbox.receiving import Receiving, read_json
from syncd.sandbox.service import told

_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_DISALLOWED = frozenset({"docs", "static", "file", "app", "account", "settings"})
_LONGEST_MESSAGE = 4_096
_DOCS = "https://ntfy.sh/docs/publish/"


class Ntfy(Receiving):
    """Keeps what is published in `messages`, by topic.

    Args:
        authorization: the header that callers must send; empty: anybody may publish.
        clock: tells the time.
    """

    def __init__(self, *, authorization: str = "", clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.authorization = authorization
        self.reserved: set[str] = set()
        self.messages: dict[str, list[dict[str, Any]]] = {}

    def take(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Publish what came as JSON."""
        if request.method not in {"POST", "PUT"} or request.path != "/":
            return refusal(40401, "page not found", "")
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return refusal(40101, "unauthorized", "https://ntfy.sh/docs/publish/#authentication")
        if len(body) > 2 * _LONGEST_MESSAGE:
            return refusal(41303, "JSON body too large", "")
        data = read_json(body)
        if data is None:
            return refusal(40024, "invalid request: request body must be valid JSON", _DOCS)
        return self._publish(data)

    def _publish(self, data: dict[str, Any]) -> Answer:
        topic, message = data.get("topic"), data.get("message", "triggered")
        if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
            return refusal(40009, "invalid request: topic invalid", "")
        if topic in _DISALLOWED:
            return refusal(40010, "invalid request: topic name is not allowed", "")
        if topic in self.reserved:
            return refusal(40301, "forbidden", "https://ntfy.sh/docs/publish/#authentication")
        if not isinstance(message, str) or len(message.encode()) > _LONGEST_MESSAGE:
            # The real one would make a file of it, which no phone shows as a message.
            return refusal(41301, "attachment too large, or bandwidth limit reached", "")
        kept = self.messages.setdefault(topic, [])
        kept.append(data)
        now = int(self.clock.now().timestamp())
        answer = {"id": f"sandbox{len(kept):05}", "time": now, "event": "message", **data}
        return told(answer)


def refusal(code: int, error: str, link: str) -> Answer:
    """Return an error as ntfy tells it."""
    status = code // 100
    return told({"code": code, "http": status, "error": error, "link": link}, status)
