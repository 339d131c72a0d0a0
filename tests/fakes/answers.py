"""Answers as the reader hands them over, and a client that gives one of them."""

from __future__ import annotations

import json
from typing import Any

from fakes.clock import START
from multidict import CIMultiDict

from syncd.outbound.answers import Response
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import parse_leniently
from syncd.outbound.request import Request


def answer(status: int = 200, data: Any = None, *, body: bytes = b"", **headers: str) -> Response:
    """An answer with `data` as its JSON, or with any other body; `_` in a header stands for `-`."""
    body = body if data is None else json.dumps(data).encode()
    return Response(
        status=status,
        headers=CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}),
        body=body,
        data=parse_leniently(body),
        received_at=START,
    )


class OneAnswer:
    """Stands where the client does: keeps what was asked, gives one answer to everything."""

    def __init__(
        self, response: Response, credential: Credential, base_url: str = "https://api.github.com"
    ) -> None:
        self.asked: list[Request] = []
        self.credential = credential
        self.base_url = base_url
        self._response = response

    async def request(self, request: Request) -> Response:
        self.asked.append(request)
        return self._response
