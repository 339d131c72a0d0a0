"""A schedule changed after the clock was set back: the scheduler and the model say the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from fakes.clock import START
from fakes.pretending import Host, every
from fakes.schedule_model import Model
from fakes.scripted_job import succeed

from syncd.schedule.cron import parse_cron
from syncd.schedule.roster import Schedule
from syncd.schedule.timetable import Every

MINUTE = timedelta(minutes=1)
SEVEN_MINUTES = every("job", succeed, 7 * MINUTE)
HALF_PAST = replace(
    every("job", succeed, None, jitter=40 * MINUTE), cron=parse_cron("30 * * * *", "UTC", "job")
)
"""It fires at 02:30, some minutes late, and at 03:30, which is a multiple of seven minutes too."""


async def fired_by_the_scheduler(host: Host) -> list[datetime | None]:
    """Name the fire times that got a row after the clock was set back from 04:00 to 02:00."""
    async with host.firing(SEVEN_MINUTES) as process:
        await host.clock.advance(4 * 3600)
        before = len(host.runs())
        host.clock.jump_wall(timedelta(hours=-2))
        process.scheduler.apply([HALF_PAST])
        await host.clock.advance(3 * 3600)
        return [run.fire_time for run in host.runs()[before:]]


def fired_in_the_model() -> list[datetime]:
    """Let the model live through the same."""

    def know(schedule: Schedule) -> None:
        timetable = schedule.cron or Every(interval=7 * MINUTE, anchor=START)
        model.know(schedule, timetable)

    model = Model(START, lambda *_: 1.0)
    know(SEVEN_MINUTES)
    model.start()
    model.advance(4 * 3600)
    before = len(model.rows())
    model.jump(timedelta(hours=-2))
    know(HALF_PAST)
    model.change(())
    model.advance(7 * 3600)
    return [row.fire_time for row in model.jobs["job"].rows[before:]]


async def test_rows_of_the_time_before_the_clock_was_set_back_hide_no_fire_of_a_new_schedule(
    host: Host,
) -> None:
    """The old schedule had fired at 02:34, before the fire of 02:30 is due by its jitter."""
    due = [START + timedelta(hours=2, minutes=30), START + timedelta(hours=4, minutes=30)]

    assert await fired_by_the_scheduler(host) == due
    assert fired_in_the_model() == due
