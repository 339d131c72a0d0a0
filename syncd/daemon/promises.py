"""How fresh jobs promise to keep accounts, each account counted once."""

from __future__ import annotations

from datetime import timedelta

from syncd.daemon.answers import Json, total_freshness
from syncd.daemon.core import Core
from syncd.daemon.settings import fresh_for
from syncd.schedule.loop import Scheduler
from syncd.store.freshness import Reading


def promises(scheduler: Scheduler) -> dict[Reading, timedelta]:
    """Return how old an answer may be by the strictest job that is on, by kind and platform."""
    found: dict[Reading, timedelta] = {}
    for schedule in scheduler.schedules():
        job = schedule.job
        age = fresh_for(job) + scheduler.interval(job.name)
        for platform in job.work.followed if job.enabled else ():
            reading = (job.kind, platform)
            found[reading] = min(found.get(reading, age), age)
    return found


async def whole_freshness(core: Core) -> Json:
    """Count who is followed by a job that is on, and who of them is as fresh as is promised."""
    now, accounts = core.clock.now(), core.around.stores.accounts
    rows: list[Json] = []
    for (kind, platform), age in promises(core.scheduler).items():
        found = await accounts.freshness(kind, (platform,), now - age)
        rows.extend(found.values())
    return total_freshness(rows)
