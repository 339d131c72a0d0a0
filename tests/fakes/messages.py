"""Messages to invented people about invented contests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fakes.clock import START

from syncd.model.contest import Occasion
from syncd.model.notification import ContestNotice, Message

ADDRESS = "ada@example.org"
LINK = "https://notify.example.org/unsubscribe?t=k-1.Y29udGVzdA." + "c2ln" * 12

POISON = {
    "line feeds": "Round 1\r\nBcc: eve@example.net\r\n\r\nhello",
    "separators": "Round\u2028one\u2029two\x85three\x0bfour\x0cfive\x1csix",
    "directions": "Round \u202e1 dnuoR\u202c \u2066x\u2069 \u200e\u200f\u061c",
    "nothing to see": "R\u200bo\u200bu\u2060n\ufeffd\u00ad 1 \u180e\u3164\u2800",
    "half a character": "Round \ud800 1 \udfff",
    "no characters": "Round\x00 \x1b[31m1\x07 \ufffe\uffff",
    "10 kB": "Round " + "x" * 10_240,
    "marks": "R" + "\u0301" * 500 + "ound",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>Round</b> {{ 7 * 7 }}",
    "nothing": "\u200b\r\n",
}
"""Titles that a contest should not have."""


def notice(name: str = "Sample Round 1", **changes: Any) -> ContestNotice:
    """Return a contest that starts a day from the start of virtual time."""
    starts_at: datetime = changes.pop("starts_at", START + timedelta(hours=24))
    given = {
        "platform": "codeforces",
        "url": "https://codeforces.com/contests",
        "ends_at": starts_at + timedelta(hours=2),
        **changes,
    }
    return ContestNotice(name=name, starts_at=starts_at, **given)


def message(key: str = "1:email:reminder", **changes: Any) -> Message:
    """Return a reminder to somebody in Kolkata."""
    given: dict[str, Any] = {
        "occasion": Occasion.REMINDER,
        "channel": "email",
        "address": ADDRESS,
        "contests": [notice()],
        "lead_hours": 24,
        "timezone": "Asia/Kolkata",
        "expires_at": START + timedelta(hours=24),
        "unsubscribe_url": LINK,
        **changes,
    }
    return Message(key=key, **given)
