"""Alerts over a real store and a real receiver, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from fakes.clock import FakeClock
from fakes.receiver import Receiver
from fakes.running import JOB, Running, draft
from fakes.waiting import until
from pydantic import SecretStr

from syncd.alerts.courier import Courier
from syncd.alerts.desk import AlertDesk
from syncd.alerts.watch import Watch
from syncd.config.models import Alerts
from syncd.model.run import Ending, Outcome, Run, RunOptions
from syncd.schedule.roster import Schedule
from syncd.store.alerts import AlertStore
from syncd.telemetry.events import RunFinished

STEP_SECONDS = 15.0


class Alerting:
    """One process that tells: its desk, and what happens to its job."""

    def __init__(self, world: Running, clock: FakeClock, desk: AlertDesk) -> None:
        self.world = world
        self.clock = clock
        self.desk = desk

    async def ends(
        self,
        outcome: Outcome,
        *,
        error: str = "",
        retryable: bool = False,
        options: RunOptions | None = None,
        attempt: int = 1,
    ) -> Run:
        """Let a run of the job end, and tell the bus."""
        runs, now = self.world.runs, self.clock.now()
        run_id = await runs.create(draft(self.clock, options))
        await self.world.rows("UPDATE runs SET attempt = $2 WHERE id = $1", run_id, attempt)
        if outcome is Outcome.ABANDONED:
            await runs.abandon(run_id, now, error)
            run = await runs.read(run_id)
        else:
            await runs.begin(run_id, now)
            ending = Ending(outcome=outcome, error=error, retryable=retryable)
            run = await runs.finish(run_id, ending, now)
        assert run is not None
        self.world.bus.emit(RunFinished(run=run, duration_seconds=1.0))
        return run

    async def plan(self, deletes: int = 350) -> int:
        """Let a plan of the job wait for a person, in place of the one before."""
        await self.world.rows("UPDATE plans SET state = 'replaced'")
        number = await self.world.value(
            "INSERT INTO plans (job, run_id, state, deletes, updates, holds_updates, base, reasons,"
            " is_hard, digest, sample, created_at, expires_at)"
            " VALUES ($1, 0, 'held', $2, 0, false, 1000, $3, true, 'd', '[]', $4, $4) RETURNING id",
            JOB,
            deletes,
            ["350 of 1,000 users are on no board"],
            self.clock.now(),
        )
        return int(number)

    async def passes(self, seconds: float) -> None:
        """Let time pass, in steps in which the real world may answer."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            await self.clock.advance(STEP_SECONDS)
            await asyncio.sleep(0.02)

    async def passes_until(self, is_so: Callable[[], bool], what: str) -> float:
        """Let time pass until something is so; return how long that took."""
        began = self.clock.monotonic()

        async def ask() -> bool:
            if not is_so():
                await self.clock.advance(STEP_SECONDS)
                await asyncio.sleep(0.02)
            return is_so()

        await until(ask, what=what)
        return self.clock.monotonic() - began

    async def tells(self, receiver: Receiver, *events: str) -> dict[str, Any]:
        """Return the newest alert once exactly these have come, and a while later no more."""
        await self.passes_until(lambda: len(receiver.got) >= len(events), f"{events}")
        await self.passes(3 * 60)
        assert receiver.events() == list(events)
        return receiver.got[-1] if events else {}


def settings(receiver: Receiver | None) -> Alerts:
    url = "" if receiver is None else receiver.url
    return Alerts(webhook_url=SecretStr(url), allow_private=True)


@contextlib.asynccontextmanager
async def alerting(
    world: Running,
    clock: FakeClock,
    receiver: Receiver | None,
    *schedules: Schedule,
    is_leading: Callable[[], bool] = lambda: True,
    anchor: datetime | None = None,
) -> AsyncIterator[Alerting]:
    """Watch and tell as long as the context lasts; to leave it is to be killed."""
    store = AlertStore(world.database, world.runs.fence)
    roster = world.scheduler(*schedules)
    for schedule in schedules:
        roster.settle(schedule.job.name, anchor or clock.now())
    watch = Watch(store, world.runs, roster, clock)
    courier = Courier(watch, store, world.runs, clock, world.bus)
    desk = AlertDesk(watch, courier, is_leading, clock)
    desk.adopt(settings(receiver))
    with world.bus.subscribed(desk.note):
        task = asyncio.create_task(desk.keep())
        try:
            yield Alerting(world, clock, desk)
        finally:
            assert not task.done(), task
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
