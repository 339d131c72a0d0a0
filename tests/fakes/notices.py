"""Messages for any channel, about contests that begin in three hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fakes import messages
from fakes.clock import START

from syncd.model.notification import ContestNotice, Message

POISONED = {
    **messages.POISON,
    "markdown": "<!channel> & [free](https://evil.example) `*_~|@everyone",
    "wide": "競技プログラミング" * 700,
}


def notice(name: str = "Round 1", **changes: Any) -> ContestNotice:
    given = {
        "starts_at": START + timedelta(hours=3),
        "url": "https://codeforces.com/contests/2100",
        **changes,
    }
    return messages.notice(name, **given)


def message(channel: str, address: str, *contests: ContestNotice, **changes: Any) -> Message:
    shown = contests or (notice(),)
    given = {
        "contests": shown,
        "lead_hours": 3,
        "expires_at": shown[0].starts_at,
        "unsubscribe_url": "",
        **changes,
    }
    return messages.message("7:9:reminder:3:1", channel=channel, address=address, **given)
