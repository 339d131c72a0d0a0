"""Plays webhooks: Slack's at /services/..., Discord's at /api/webhooks/..., anybody's elsewhere."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from syncd.clock import Clock
from syncd.sandbox.answer import Answer
from syncd.sandbox.receiving import Receiving, read_json
from syncd.sandbox.service import told

SLACK = "/services/T0SANDBOX/B0SANDBOX/s3cretOfTheSlackHook"
DISCORD = "/api/webhooks/1199887766554433221/s3cretOfTheDiscordHook"
PLAIN = "/hooks/s3cretOfThePlainHook"

_LONGEST_CONTENT = 2_000


class Webhooks(Receiving):
    """Keeps what was posted in `posts`, by path; one in `dead` was deleted by its owner.

    Args:
        clock: tells the time.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.dead: set[str] = set()
        self.posts: dict[str, list[dict[str, Any]]] = {}
        self.idempotency_keys: list[str] = []

    def take(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Take what was posted, as the service at this path does."""
        data = read_json(body)
        if request.path.startswith("/services/"):
            return self._slack(request, data)
        if request.path.startswith("/api/webhooks/"):
            return self._discord(request, data)
        if request.path in self.dead:
            return told({"error": "gone"}, 410)
        if data is None:
            return told({"error": "no JSON"}, 400)
        self.idempotency_keys.append(request.headers.get("Idempotency-Key", ""))
        self._keep(request, data)
        return told({"taken": True})

    def _slack(self, request: web.BaseRequest, data: dict[str, Any] | None) -> Answer:
        if request.path in self.dead:
            return _text("no_service", 404)
        if data is None:
            return _text("invalid_payload", 400)
        if not data.get("text"):
            return _text("no_text", 400)
        self._keep(request, data)
        return _text("ok", 200)

    def _discord(self, request: web.BaseRequest, data: dict[str, Any] | None) -> Answer:
        if request.path in self.dead:
            return told({"message": "Unknown Webhook", "code": 10015}, 404)
        content = (data or {}).get("content")
        units = len(content.encode("utf-16-le")) // 2 if isinstance(content, str) else 0
        if not 0 < units <= _LONGEST_CONTENT:
            return told({"message": "Invalid Form Body", "code": 50035}, 400)
        assert data is not None, "it has content"
        kept = self._keep(request, data)
        if request.query.get("wait") != "true":
            return Answer(status=204)
        return told({"id": f"9{len(kept):017}", "type": 0, "content": content})

    def _keep(self, request: web.BaseRequest, data: dict[str, Any]) -> list[dict[str, Any]]:
        kept = self.posts.setdefault(request.path, [])
        kept.append(data)
        return kept


def _text(text: str, status: int) -> Answer:
    return Answer(
        status=status, headers={"Content-Type": "text/html; charset=utf-8"}, body=text.encode()
    )
