"""What every recorded answer of the coding platforms must come to, and a server that gives it.

A line tells for whom a file is the answer, to which request, what is answered beside it, and what
is stored of it; a file that no platform asks for is given as an answer all the same, and nothing
may be stored of it. The lines are in the modules `recorded_lines*`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from aiohttp import web
from fakes.payloads import Recorded

from syncd.sandbox.answer import Answer

Change = Callable[[bytes], bytes]
Made = Callable[[Recorded], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer beside the recorded one that is no JSON."""

    text: str
    status: int = 200

    def sent(self) -> web.Response:
        return web.Response(status=self.status, text=self.text, content_type="text/html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One recorded file.

    `handle` is who is asked for, `to` the requests (a pattern with `*` of path and query) that the
    file answers. `outcome` is the word for what comes of it; where it is empty, `stored` are
    columns of the row. `beside` are other answers that the same fetch gets, by their pattern;
    `made` turns a file that is no answer by itself into one.
    """

    handle: str
    to: str = "*"
    outcome: str = ""
    stored: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    made: Made | None = None
    status: int | None = None


class Lines:
    """Answers as a line says, with what is in the file changed by `change`."""

    def __init__(self, recorded: Recorded, line: Line) -> None:
        self.recorded = recorded
        self.line = line
        self.change: Change = lambda body: body
        self.asked: list[str] = []

    @property
    def answer(self) -> Answer:
        """What is in the file, as it is sent."""
        recorded, line = self.recorded, self.line
        if line.made is not None:
            return line.made(recorded)
        kind = "text/html" if recorded.file.endswith(".html") else "application/json"
        status = line.status or recorded.status or 200
        return Answer(status=status, headers={"Content-Type": kind}, body=recorded.body)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        body = (await request.read()).decode()
        asked = f"{request.path_qs} {body}"
        for pattern, data in self.line.beside.items():
            if fnmatchcase(asked, f"{pattern}*"):
                return data.sent() if isinstance(data, Page) else web.json_response(data)
        if not fnmatchcase(asked, f"{self.line.to}*"):
            return web.Response(status=501, text=f"nothing recorded for {asked[:200]}")
        answer = self.answer
        return web.Response(
            status=answer.status, headers=answer.headers, body=self.change(answer.body)
        )


def patched(**values: Any) -> Made:
    """Answer with the file's object with some keys set: what its authors cut away."""

    def make(recorded: Recorded) -> Answer:
        body = json.dumps({**recorded.json(), **values}).encode()
        return Answer(headers={"Content-Type": "application/json"}, body=body)

    return make
