"""People as a small service reaches them: one link, one channel."""

from __future__ import annotations

from typing import Any

from syncd.errors import BadInput, NotKnown
from syncd.web.service import Json

LINK_TOKEN = "k-1.ZW1haWw.c2lnbmF0dXJl"
PUBLIC_HOST = "notify.example.org"


class MemoryReach:
    """Knows the channel `email` and one link; whoever pressed the button is in `left`."""

    orders: list[tuple[Any, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.left: list[str] = []
        self.sampled: Json = {
            "channel": "email",
            "delivered": True,
            "reference": "2.0.0 Ok: queued as 4711",
            "error": "",
            "hint": "",
            "duration_seconds": 0.2,
        }

    def public_host(self) -> str:
        return PUBLIC_HOST

    def linked_channel(self, link: str) -> str | None:
        return "email" if link == LINK_TOKEN else None

    async def unsubscribe(self, link: str) -> str | None:
        self.left += [link] if link == LINK_TOKEN else []
        return self.linked_channel(link)

    async def test_channel(self, channel: str, address: str) -> Json:
        self.orders.append(("test_channel", channel, address))
        if channel != "email":
            raise NotKnown(f"there is no channel {channel!r}", hint="channels that are on: email")
        if "@" not in address:
            raise BadInput("address: must be one mail address")
        return self.sampled
