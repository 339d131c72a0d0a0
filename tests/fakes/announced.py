"""Contests as platforms announce them, and a run that stores lists of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

from fakes.batches import begin
from fakes.running import JOB, Running, ScriptedPlatform

from syncd.jobs.contests import Contests, ContestsOptions
from syncd.model.contest import Contest, ContestList
from syncd.model.run import Report, RunId
from syncd.outbound.meter import current_meter
from syncd.store.contests import Look, Recorded

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME = "codeforces"


def contest(number: int | str, *, hours: float | None = None, **fields: Any) -> Contest:
    """A contest of two hours that starts so many hours after NOW: its number of them."""
    starts_at = NOW + timedelta(hours=float(number) if hours is None else hours)
    starts_at = fields.pop("starts_at", starts_at)
    duration = fields.pop("duration_seconds", 7_200)
    whole: dict[str, Any] = {
        "platform": HOME,
        "external_id": str(number),
        "name": f"Round {number}",
        "url": f"https://codeforces.com/contest/{number}",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(seconds=duration),
        "duration_seconds": duration,
        "kind": "CF",
        "raw": {"id": number},
    }
    return Contest(**(whole | fields))


def listing(
    contests: Sequence[Contest], *, source: str = HOME, is_whole: bool = True, **fields: Any
) -> ContestList:
    return ContestList(source=source, contests=contests, is_whole=is_whole, **fields)


class Almanac:
    """Looks at lists, each by a run of its own and ten minutes after the one before."""

    def __init__(self, world: Running) -> None:
        self.world = world
        self.store = world.around.stores.contests
        self.at = NOW
        self.run_id = RunId(0)

    async def look(
        self, contests: Sequence[Contest], *, is_whole: bool = True, **changes: Any
    ) -> Recorded:
        """Store a list; what is not about the list is about the look."""
        source = changes.pop("source", HOME)
        unread = changes.pop("unread", ())
        found = listing(contests, source=source, is_whole=is_whole, unread=unread)
        return await self.record(found, **changes)

    async def record(self, found: ContestList, **changes: Any) -> Recorded:
        self.at += timedelta(minutes=10)
        self.run_id = await begin(self.world, self.at)
        whole: dict[str, Any] = {
            "run_id": self.run_id,
            "source": found.source,
            "began_at": self.at,
            "at": self.at + timedelta(seconds=1),
            "calls": 1,
        }
        return await self.store.record(Look(**(whole | changes)), found)

    async def report(self) -> Report:
        run = await self.world.runs.read(self.run_id)
        assert run is not None
        return run.report

    async def rows(self) -> dict[str, dict[str, Any]]:
        """Every contest by the platform's own id."""
        rows = await self.world.rows("SELECT * FROM contests ORDER BY starts_at, external_id")
        return {row["external_id"]: row for row in rows}

    async def row(self, number: int | str) -> dict[str, Any]:
        return (await self.rows())[str(number)]

    async def changes(self) -> list[tuple[str, str, str, str]]:
        """What changed: id, what, before, after, oldest first."""
        rows = await self.world.rows(
            "SELECT external_id, what, before, after FROM contest_changes"
            " JOIN contests ON contests.id = contest_id ORDER BY contest_changes.id"
        )
        return [tuple(row.values()) for row in rows]


class Herald(ScriptedPlatform):
    """Announces what a test says, or fails as it says, without a socket."""

    announces_contests: ClassVar[bool] = True

    def __init__(self, world: Running, name: str, told: ContestList) -> None:
        super().__init__(world.clock, world.bus, name=name)
        self.told = told
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_asked = asyncio.Event()

    async def fetch_contests(self) -> ContestList:
        self.asked[self.name] += 1
        meter = current_meter.get()
        assert meter is not None
        meter.calls += 1
        self.is_asked.set()
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return self.told


def job_over(world: Running, *heralds: Herald, **options: Any) -> Contests:
    """Let a process have these platforms, and return a job that asks them."""
    platforms = cast("dict[str, list[ScriptedPlatform]]", world.around.platforms)
    platforms.update({herald.name: [herald] for herald in heralds})
    names = tuple(herald.name for herald in heralds)
    return Contests(JOB, ContestsOptions(platforms=names, **options))
