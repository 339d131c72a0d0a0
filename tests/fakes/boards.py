"""Leaderboards for tests: how a platform fills them, and what a reader made of them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from syncd.cache.boards import BoardReader
from syncd.clock import SystemClock
from syncd.model.address import RedisAddress
from syncd.model.leaderboard import Board, Page, Poisoned

NAMES = ("daily", "weekly", "monthly", "yearly")
BOARDS = tuple(Board(name=name, key=f"leaderboard:{name}") for name in NAMES)
ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}


def board_reader(address: RedisAddress, **options: Any) -> BoardReader:
    """A reader of the four boards, in small pages."""
    settings = {
        "details": "user:details:",
        "details_field": "updated_at",
        "page": 100,
        "pause": 0.0,
        "id_length": 128,
        "clock": SystemClock(),
    }
    return BoardReader(address, options.pop("boards", BOARDS), **{**settings, **options})


@dataclass
class Reading:
    """What pages say: per user the scores and the instant as COPY would take them."""

    users: dict[str, tuple[str | None, ...]] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)
    poisoned: list[Poisoned] = field(default_factory=list)
    unreadable: int = 0
    rows: int = 0
    pages: int = 0

    def add(self, page: Page) -> None:
        lines = page.lines.decode().split("\n")
        assert lines.pop() == ""
        assert len(lines) == page.rows
        for line in lines:
            user, *values = line.split("\t")
            self.users[unescaped(user)] = tuple(
                None if value == r"\N" else value for value in values
            )
        counts = self.members or [0] * len(page.members)
        self.members = [so_far + more for so_far, more in zip(counts, page.members, strict=True)]
        self.poisoned += page.poisoned
        self.unreadable += page.unreadable
        self.rows += page.rows
        self.pages += 1


async def read_all(pages: AsyncIterable[Page]) -> Reading:
    reading = Reading()
    async for page in pages:
        reading.add(page)
    return reading


async def fill(
    client: redis.asyncio.Redis, boards: Mapping[str, Mapping[str | bytes, float | str]]
) -> None:
    """Add scores to boards, by their names."""
    for board, scores in boards.items():
        pairs = list(scores.items())
        for begin in range(0, len(pairs), 5_000):
            some = pairs[begin : begin + 5_000]
            words = [word for user, score in some for word in (score, user)]
            await client.execute_command("ZADD", f"leaderboard:{board}", *words)


def unescaped(text: str) -> str:
    """What COPY makes of a word."""
    plain, rest = "", text
    while rest:
        size = 2 if rest[:2] in ESCAPES else 1
        plain, rest = plain + ESCAPES.get(rest[:size], rest[:size]), rest[size:]
    return plain
