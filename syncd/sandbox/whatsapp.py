"""Plays WhatsApp's Cloud API: numbers, approved templates, and errors told by their code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from syncd.clock import Clock
from syncd.sandbox.answer import Answer
from syncd.sandbox.receiving import Receiving, read_json
from syncd.sandbox.service import told

TOKEN = "EAAsandboxTokenOfTheCloudApi"  # noqa: S105 - of nobody
PHONE_NUMBER_ID = "106540352242922"

_NUMBER = re.compile(r"[1-9][0-9]{7,14}")
_PATH = re.compile(r"/v[0-9]+\.[0-9]+/([0-9]+)/messages")


class WhatsApp(Receiving):
    """Keeps what was accepted in `messages`, by number.

    `templates` are the approved ones, with how many parameters their body takes. `answers` holds
    the code of the error that a number gets. `usage` is what the header about limits says.

    Args:
        clock: tells the time.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.templates: dict[tuple[str, str], int] = {
            (f"contest_{occasion}", "en_US"): 3
            for occasion in ("reminder", "moved", "cancelled", "restored", "digest")
        }
        self.answers: dict[str, int] = {}
        self.usage = ""
        self.messages: dict[str, list[dict[str, Any]]] = {}

    def take(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Accept a template."""
        path = _PATH.fullmatch(request.path)
        if path is None or path[1] != PHONE_NUMBER_ID:
            return error(100, "Unsupported post request. Object does not exist", subcode=33)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return error(190, "Invalid OAuth access token", status=401)
        data = read_json(body) or {}
        number = data.get("to")
        if data.get("messaging_product") != "whatsapp" or not isinstance(number, str):
            return error(131008, "Required parameter is missing")
        if not _NUMBER.fullmatch(number):
            return error(131009, "Parameter value is not valid")
        if code := self.answers.get(number, 0):
            headers = {"X-Business-Use-Case-Usage": self.usage} if self.usage else {}
            return error(code, "scripted", headers=headers)
        return self._template(number, data)

    def _template(self, number: str, data: dict[str, Any]) -> Answer:
        template = data.get("template", {})
        code = template.get("language", {}).get("code")
        expected = self.templates.get((template.get("name"), code))
        if data.get("type") != "template" or expected is None:
            return error(132001, "Template name does not exist in the translation")
        texts = [
            parameter.get("text")
            for component in template.get("components", [])
            if component.get("type") == "body"
            for parameter in component.get("parameters", [])
        ]
        if len(texts) != expected:
            return error(132000, "Number of parameters does not match the expected number")
        if not all(isinstance(text, str) and _is_fit(text) for text in texts):
            return error(131008, "Required parameter is missing, or has line feeds or tabs")
        kept = self.messages.setdefault(number, [])
        kept.append(data)
        return told(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": number, "wa_id": number}],
                "messages": [{"id": f"wamid.{number}.{len(kept)}", "message_status": "accepted"}],
            }
        )


def error(
    code: int,
    message: str,
    *,
    status: int = 400,
    subcode: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an error as Meta tells it: nearly all of them by HTTP 400."""
    details = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code}
    more: dict[str, Any] = {"fbtrace_id": "AsandboxTrace"}
    if subcode is not None:
        more["error_subcode"] = subcode
    return told({"error": {**details, **more}}, status, headers)


def _is_fit(text: str) -> bool:
    return bool(text) and not re.search(r"[\n\t]| {5}", text)
