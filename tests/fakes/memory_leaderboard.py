"""What a service in memory tells of its leaderboard job; a test changes it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from syncd.errors import CacheUnavailable, NotKnown
from syncd.web.service import Json

SYNCED_AT = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


class MemoryLeaderboard:
    """Has the job that `leaderboard` names; none where that is empty."""

    leaderboard = ""
    is_redis_up = True

    def __init__(self) -> None:
        self.facts: Json = {}
        self.counts: Json = {"postgres_users": 3, "boards": {"daily": 2, "weekly": 3}}
        self.ends: Json = {"outcome": "succeeded"}
        self.waits: list[float] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    def first_leaderboard(self) -> str:
        if not self.leaderboard:
            raise NotKnown("config.toml has no job of kind leaderboard", hint="add one")
        return self.leaderboard

    async def leaderboard_service(self) -> Json:
        return {
            "job": self.first_leaderboard(),
            "enabled": True,
            "is_stopped": False,
            "is_running": True,
            "why": "",
            "is_alive": True,
            "redis_connected": self.is_redis_up,
            "postgres_connected": True,
            "synced_at": SYNCED_AT,
            "next_fire_time": None,
            **self.facts,
        }

    async def leaderboard_counts(self) -> Json:
        return self.counts

    async def check_cache(self) -> None:
        if not self.is_redis_up:
            raise CacheUnavailable("cannot use Redis here: ConnectionError", hint="start it")

    async def ended_run(self, run_id: int, seconds: float) -> Json:
        self.waits.append(seconds)
        await self.may_end.wait()
        whole: dict[str, Any] = {
            "id": run_id,
            "job": self.leaderboard,
            **dict.fromkeys(("created", "updated", "unchanged", "deleted", "failed"), 0),
            "failures": {},
            "error": "",
            "hint": "",
            "retryable": False,
            "duration_seconds": 1.5,
        }
        return {**whole, **self.ends}
