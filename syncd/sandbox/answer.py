"""One HTTP answer as a value, and its delivery: at once, late, slowly, in part or never."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from syncd.clock import Clock

DRIPS_PER_SECOND = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent, and what happens on the way.

    `cut_after` closes the connection after so many bytes of the body although more were announced;
    `bytes_per_second` lets the body drip; `hangs` sends nothing until the caller gives up.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_seconds: float = 0.0
    bytes_per_second: int | None = None
    cut_after: int | None = None
    hangs: bool = False


def encoded(data: Any) -> bytes:
    """Return JSON as the services write it: tight, in UTF-8."""
    # What UTF-8 cannot hold (a lone surrogate) becomes an escape, which is how JSON writes it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", errors="backslashreplace")


async def deliver(request: web.BaseRequest, answer: Answer, clock: Clock) -> web.StreamResponse:
    """Send the answer as it says."""
    if answer.hangs:
        await asyncio.get_running_loop().create_future()
    if answer.delay_seconds:
        await clock.sleep(answer.delay_seconds)
    if answer.cut_after is None and answer.bytes_per_second is None:
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body or None)
    return await _stream(request, answer, clock)


async def _stream(request: web.BaseRequest, answer: Answer, clock: Clock) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    sent = answer.body[: answer.cut_after]
    size = max(1, (answer.bytes_per_second or len(sent) * DRIPS_PER_SECOND) // DRIPS_PER_SECOND)
    for start in range(0, len(sent), size):
        await response.write(sent[start : start + size])
        if answer.bytes_per_second:
            await clock.sleep(1 / DRIPS_PER_SECOND)
    if answer.cut_after is not None and request.transport is not None:
        request.transport.close()
    return response
