"""Other ways to fire many jobs in one second: a bare heap with one timer, and two packages.

Each is a context in which `jobs` jobs wait for `due` and every hour after it; a job's body is the
call `ran`.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be fired."""

    jobs: int
    due: datetime
    ran: Callable[[], object]

    @property
    def cron(self) -> str:
        """The hourly schedule that fires at `due`, seconds first."""
        return f"{self.due.second} {self.due.minute} * * * *"


@dataclass(frozen=True, slots=True)
class Ready:
    """What waits; `parts` tells seconds of some parts of the work apart, by name, when asked."""

    parts: Callable[[], dict[str, float]] = dict


Way = Callable[[Task], AbstractAsyncContextManager[Ready]]


class BareLoop:
    """The floor: pop what is due, start a coroutine for each, push its next fire time, one timer.

    It does what any scheduler of cron jobs has to: it asks each job's schedule when it fires next,
    the way syncd does, and starts nothing beside a run of the same job.
    """

    def __init__(self, task: Task) -> None:
        # The packages' ways do not load syncd.
        from syncd.schedule.cron import parse_cron

        self._task = task
        self._crons = [parse_cron(task.cron, "UTC") for _ in range(task.jobs)]
        self._heap = [(task.due, number) for number in range(task.jobs)]
        self._running: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def arm(self) -> None:
        left = max(0.0, self._heap[0][0].timestamp() - time())
        self._timer = asyncio.get_running_loop().call_later(left, self._wake)

    def disarm(self) -> None:
        assert self._timer is not None
        self._timer.cancel()

    async def _job(self, number: int) -> None:
        self._task.ran()
        del self._running[number]

    def _wake(self) -> None:
        loop, now = asyncio.get_running_loop(), datetime.fromtimestamp(time(), UTC)
        while self._heap[0][0] <= now:
            due, number = heapq.heappop(self._heap)
            if number not in self._running:
                self._running[number] = loop.create_task(self._job(number))
            following = self._crons[number].next_after(due)
            assert following is not None  # it fires every hour
            heapq.heappush(self._heap, (following, number))
        self.arm()


@contextlib.asynccontextmanager
async def bare(task: Task) -> AsyncIterator[Ready]:
    loop = BareLoop(task)
    loop.arm()
    yield Ready()
    loop.disarm()


@contextlib.asynccontextmanager
async def apscheduler_3(task: Task, **options: Any) -> AsyncIterator[Ready]:
    """APScheduler 3 as its documentation shows it."""
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.triggers.cron import CronTrigger

    # It warns of every fire it drops; the table counts them.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = AsyncIOScheduler(timezone="UTC")

    async def job() -> None:
        task.ran()

    for number in range(task.jobs):
        trigger = CronTrigger(minute=task.due.minute, second=task.due.second, timezone="UTC")
        scheduler.add_job(job, trigger, id=f"job {number}", **options)
    scheduler.start()
    yield Ready()
    scheduler.shutdown(wait=False)


def apscheduler_3_patient(task: Task) -> AbstractAsyncContextManager[Ready]:
    """APScheduler 3, told not to drop what is late."""
    return apscheduler_3(task, misfire_grace_time=None)


@contextlib.asynccontextmanager
async def apscheduler_4(task: Task) -> AsyncIterator[Ready]:
    """APScheduler 4 as its documentation shows it; a task a job, so that none waits for another."""
    from apscheduler import AsyncScheduler
    from apscheduler.triggers.cron import CronTrigger

    logging.getLogger("apscheduler").setLevel(logging.ERROR)

    async def job() -> None:
        task.ran()

    async with AsyncScheduler() as scheduler:
        for number in range(task.jobs):
            name = f"job {number}"
            trigger = CronTrigger(minute=task.due.minute, second=task.due.second, timezone="UTC")
            await scheduler.configure_task(name, func=job)
            await scheduler.add_schedule(name, trigger, id=name)
        await scheduler.start_in_background()
        yield Ready()


PEERS: dict[str, Way] = {
    "bare": bare,
    "aps3": apscheduler_3,
    "aps3-patient": apscheduler_3_patient,
    "aps4": apscheduler_4,
}
