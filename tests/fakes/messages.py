"""Messages about contests, as somebody would be sent them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fakes.clock import START

from syncd.model.contest import Occasion
from syncd.model.notification import ContestNotice, Message

POISONED = {
    "line feeds": "Round 1\r\nBcc: everybody@example.org\n\nhello",
    "line separators": "Round\u2028One\u2029Two\u0085Three",
    "other directions": "Round \u202etxt.exe\u2066 \u200f1",
    "ten thousand": "Round " + "x" * 10_000,
    "half a character": "Round \ud83d 1 \udc00",
    "nothing": "\x00\x07\x1b[31m",
    "markup": "<b>Round</b> & <!channel> [free](https://evil.example) `*_~|@everyone",
    "wide": "競技プログラミング" * 700,
}


def notice(name: str = "Round 1", *, starts_at: datetime | None = None) -> ContestNotice:
    starts_at = starts_at or START + timedelta(hours=3)
    return ContestNotice(
        platform="codeforces",
        name=name,
        url="https://codeforces.com/contests/2100",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=2),
    )


def message(channel: str, address: str, *contests: ContestNotice, **changes: Any) -> Message:
    shown = contests or (notice(),)
    values: dict[str, Any] = {
        "key": "7f3c2a51-0000-4000-8000-000000000001",
        "occasion": Occasion.REMINDER,
        "channel": channel,
        "address": address,
        "contests": shown,
        "lead_hours": 3,
        "expires_at": shown[0].starts_at,
    }
    return Message(**{**values, **changes})
