"""Gathers what the parts know about an account: the scheduler, the engine, pauses, platforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from syncd.daemon.core import Core
from syncd.daemon.promises import promises
from syncd.daemon.why import Facts, Reader
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Cause
from syncd.platforms.base import Platform
from syncd.runs.runner import Order
from syncd.schedule.roster import Schedule
from syncd.store.freshness import Reading

Retries = Mapping[str, tuple[datetime, datetime]]
Row = dict[str, Any]
"""An account for one job kind, as `FreshnessStore` reads it."""

# Accounts that are gone or quarantined are claimed once a week.
_LOOK_AGAIN = timedelta(days=7)
_LOOKED_AT_SELDOM = {"gone", "quarantined"}


async def find_facts(core: Core) -> FactFinder:
    """Begin a question about accounts."""
    retries: dict[str, tuple[datetime, datetime]] = {}
    for name, at in core.scheduler.next_retries().items():
        began_at = await core.around.stores.runs.cycle_start(name)
        if began_at is not None and core.scheduler.knows(name):
            retries[name] = at, began_at
    return FactFinder(core, retries)


def reading_of(row: Row) -> Reading:
    """Return by which kind of jobs, on which platform, the account of a row is read."""
    return row["kind"], row["platform"]


class FactFinder:
    """Facts as of one instant, for one question: fire times are computed once for all rows.

    `retries` are the jobs that will try again what their last pass left undone: when, and when that
    pass began.
    """

    def __init__(self, core: Core, retries: Retries) -> None:
        self.now = core.clock.now()
        self._core = core
        self._around = core.around
        self._fires: dict[tuple[str, datetime], datetime | None] = {}
        self._active = {order.run.id: order for order in core.engine.active()}
        self._readers: dict[Reading, list[Schedule]] = {}
        for schedule in core.scheduler.schedules():
            for platform in schedule.job.work.followed:
                self._readers.setdefault((schedule.job.kind, platform), []).append(schedule)
        self._retries = retries
        self._bounds = promises(core.scheduler)

    def readings(self) -> list[Reading]:
        """List every job kind with every platform that a job of it reads."""
        return list(self._readers)

    def bound(self, reading: Reading) -> timedelta | None:
        """Return how old an answer may be by the strictest job that is on; None where none is."""
        return self._bounds.get(reading)

    def facts(self, row: Row) -> Facts:
        """Return what is known about the account of a row."""
        retry_run = row["retry_run"]
        readers = self._readers.get(reading_of(row), [])
        return Facts(
            user_key=row["user_key"],
            platform=row["platform"],
            state=row["state"],
            state_reason=row.get("state_reason", ""),
            state_since=row.get("state_since"),
            attempted_at=row["attempted_at"],
            due_at=row["due_at"],
            retry_run=retry_run if retry_run in self._active else None,
            is_hasty=_is_hasty(row),
            fail_streak=row["fail_streak"],
            is_in_flight=row["id"] in self._around.in_flight.get(row["kind"], ()),
            is_firing=self._core.scheduler.fires,
            pauses=self._pauses(row),
            server_pause=self._server_pause(row),
            refusal=self._refusal(row),
            readers=tuple(self._reader(schedule, row) for schedule in readers),
        )

    def _pauses(self, row: Row) -> tuple[Pause, ...]:
        standing = self._around.admission.standing
        found = (
            standing(PauseScope.ACCOUNT, f"{row['platform']}:{row['handle']}"),
            standing(PauseScope.PLATFORM, row["platform"]),
        )
        return tuple(pause for pause in found if pause is not None)

    def _ways(self, row: Row) -> Sequence[Platform]:
        """List by which credentials the account may be asked for: one, once a run has bound it."""
        platforms = self._around.platforms.get(row["platform"], ())
        bound = [platform for platform in platforms if platform.credential == row["credential"]]
        return bound or platforms

    def _server_pause(self, row: Row) -> tuple[datetime, str] | None:
        """Return until when the account cannot be asked for, and why."""
        ends = [(platform.paused_until(), platform) for platform in self._ways(row)]
        closed = [(until, platform) for until, platform in ends if until is not None]
        if not closed or len(closed) < len(ends):
            return None
        until, platform = min(closed, key=lambda end: end[0])
        return until, platform.waits_for()

    def _refusal(self, row: Row) -> str:
        refusals = [platform.refusal for platform in self._ways(row)]
        return str(refusals[0]) if refusals and None not in refusals else ""

    def _reader(self, schedule: Schedule, row: Row) -> Reader:
        name = schedule.job.name
        pause = self._around.admission.holding_job(name)
        begin = self.now if pause is None or pause.until is None else max(self.now, pause.until)
        return Reader(
            job=name,
            enabled=schedule.job.enabled,
            pause=pause,
            run_id=self._waiting_run(name, row),
            asks_at=self._asks_at(schedule, row, begin),
            retries_at=self._retries_at(schedule, row),
        )

    def _retries_at(self, schedule: Schedule, row: Row) -> datetime | None:
        at, began_at = self._retries.get(schedule.job.name, (None, self.now))
        fresh_at, needed_since = row["succeeded_at"], schedule.job.work.needed_since
        is_done = fresh_at is not None and fresh_at >= needed_since(began_at, row["succeeded_job"])
        return None if is_done and not _is_hasty(row) else at

    def _asks_at(self, schedule: Schedule, row: Row, begin: datetime) -> datetime | None:
        """Return a job's first fire time behind `begin` whose run asks for the account."""
        job, attempted_at, fresh_at = schedule.job, row["attempted_at"], row["succeeded_at"]
        if not self._core.scheduler.is_firing(job.name):
            return None
        if row["state"] in _LOOKED_AT_SELDOM and attempted_at is not None:
            begin = max(begin, attempted_at + _LOOK_AGAIN)
        fire_time = self._fires_after(job.name, begin)
        if fire_time is None or fresh_at is None:
            return fire_time
        spared_for = fire_time - job.work.needed_since(fire_time, row["succeeded_job"])
        return self._fires_after(job.name, max(begin, fresh_at + spared_for))

    def _fires_after(self, job: str, instant: datetime) -> datetime | None:
        if (job, instant) not in self._fires:
            found = self._core.scheduler.timetable(job).next_after(instant)
            self._fires[job, instant] = found
        return self._fires[job, instant]

    def _waiting_run(self, job: str, row: Row) -> int | None:
        """Return the job's active run that has not come to the account yet."""
        for number, order in self._active.items():
            if order.job.name == job and _is_about(order, row):
                return number
        return None


def _is_hasty(row: Row) -> bool:
    """Tell whether an account is to be looked at sooner in spite of a good answer."""
    is_well = row["fail_streak"] == 0 and row["retry_run"] is None
    return is_well and row["due_at"] is not None


def _is_about(order: Order, row: Row) -> bool:
    """Tell whether an active run is still to ask for an account."""
    run, options = order.run, order.run.options
    began_at = run.started_at or run.claimed_at
    is_named = row["user_key"] in options.only
    is_chosen = (is_named or not options.only) and options.platform in {"", row["platform"]}
    attempted_at = row["attempted_at"]
    if options.dry_run or not is_chosen or (attempted_at and attempted_at >= began_at):
        return False
    if row["state"] in _LOOKED_AT_SELDOM and not is_named:
        return bool(attempted_at and attempted_at < began_at - _LOOK_AGAIN)
    return _is_due(order, row, began_at)


def _is_due(order: Order, row: Row, began_at: datetime) -> bool:
    """Tell whether an account is old enough for a run."""
    if order.run.cause is Cause.RETRY:
        return bool(row["fail_streak"] and row["due_at"] and row["due_at"] <= began_at)
    fresh_at = row["succeeded_at"]
    if order.run.options.full or fresh_at is None:
        return True
    # Whom a person named is asked for whoever got the last answer.
    by = "" if order.run.options.only else row["succeeded_job"]
    return bool(fresh_at < order.job.work.needed_since(began_at, by))
