"""Who is wanted again sooner than others, in spite of a good answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from fakes.clock import FakeClock
from fakes.running import JOB, PLAY, Running, running, to_job
from fakes.scheduling import AT, ended, ended_in_time, firing, hourly

from syncd.jobs.base import RunContext, Surroundings
from syncd.jobs.following import open_at
from syncd.jobs.profiles import Profiles, ProfilesOptions
from syncd.model.run import Cause, Outcome, RunOptions
from syncd.store.database import Database

SEE_AGAIN = """
UPDATE sync_state SET due_at = $1
WHERE account_id = (SELECT id FROM accounts WHERE handle = 'h0003')
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(AT)


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Running]:
    async with running(database, clock) as world:
        yield world


class Hasty(Profiles):
    """Wants to see h0003 again twenty minutes after a run that got everybody."""

    looks_again: ClassVar[bool] = True
    after = Cause.SCHEDULE

    async def after_all(self, context: RunContext) -> None:
        if context.run.cause is self.after:
            due_at = context.around.clock.now() + timedelta(minutes=20)
            async with context.around.stores.database.connection() as connection:
                await connection.execute(SEE_AGAIN, due_at)

    async def next_retry(self, context: Surroundings, cycle_start: datetime) -> datetime | None:
        return await context.stores.accounts.next_look(self.kind, open_at(context, self.platforms))


async def test_who_is_wanted_again_sooner_is_asked_for_alone_after_a_run_that_succeeded(
    world: Running, clock: FakeClock
) -> None:
    await world.link(5)
    work = Hasty(JOB, ProfilesOptions(platforms=(PLAY,)))
    async with firing(world, replace(hourly(), job=to_job(work))):
        await clock.advance(60)
        runs = await ended_in_time(world, clock, 2)

    assert runs[1].claimed_at - runs[0].claimed_at >= timedelta(minutes=20)
    assert [(run.cause, run.outcome, run.report.seen) for run in runs] == [
        (Cause.SCHEDULE, Outcome.SUCCEEDED, 5),
        (Cause.RETRY, Outcome.SUCCEEDED, 1),
    ]
    assert world.platform.asked["h0003"] == 2


async def test_who_is_wanted_again_sooner_after_a_narrowed_run_is_asked_for_as_well(
    world: Running, clock: FakeClock
) -> None:
    await world.link(5)
    work = Hasty(JOB, ProfilesOptions(platforms=(PLAY,)))
    work.after = Cause.MANUAL
    async with firing(world, replace(hourly(), job=to_job(work))) as scheduler:
        await clock.advance(60)
        await ended(world, 1)
        await clock.advance(60)
        await scheduler.trigger(JOB, RunOptions(only=("u0003",)))
        runs = await ended_in_time(world, clock, 3)

    assert [(run.cause, run.report.seen) for run in runs] == [
        (Cause.SCHEDULE, 5),
        (Cause.MANUAL, 1),
        (Cause.RETRY, 1),
    ]
