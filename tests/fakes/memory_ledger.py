"""A ledger of runs in memory: what `RunStore` promises the scheduler, without PostgreSQL."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncd.errors import LeaseLost, StoreUnavailable
from syncd.model.run import Ending, Fire, Outcome, Run, RunId
from syncd.model.schedule import Known, Registered

_OPEN = {Outcome.CLAIMED, Outcome.INTERRUPTED}
_TELLING = {Outcome.SUCCEEDED, Outcome.PARTIAL, Outcome.FAILED, Outcome.HELD, Outcome.ABANDONED}


@dataclass
class Kept:
    """What is kept of a job."""

    anchor_at: datetime
    counts_from: datetime
    schedule: str
    enabled: bool


@dataclass
class Tables:
    """What every process sees; one holder at a time runs a run."""

    runs: dict[int, Run] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    fires: dict[tuple[str, datetime], int] = field(default_factory=dict)
    fire_times: dict[str, list[datetime]] = field(default_factory=dict)
    follows: dict[tuple[int, str, str], int] = field(default_factory=dict)
    jobs: dict[str, Kept] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, run: Run, holder: str) -> Run:
        number = RunId(len(self.runs) + 1)
        ended = run.claimed_at if run.skip_reason else None
        outcome = Outcome.SKIPPED if run.skip_reason else Outcome.CLAIMED
        self.holders[number] = holder
        if run.origin is not None:
            self.follows[run.origin, run.job, run.cause] = number
        return self.put(replace(run, id=number, outcome=outcome, finished_at=ended))

    def add_fire(self, fire: Fire, holder: str, now: datetime) -> Run:
        number = RunId(len(self.runs) + 1)
        self.holders[number] = holder
        self.fires[fire.job, fire.fire_time] = number
        bisect.insort(self.fire_times.setdefault(fire.job, []), fire.fire_time)
        run = Run(
            id=number,
            outcome=Outcome.SKIPPED if fire.skip_reason else Outcome.CLAIMED,
            claimed_at=now,
            finished_at=now if fire.skip_reason else None,
            **fire._asdict(),
        )
        return self.put(run)

    def put(self, run: Run) -> Run:
        self.runs[run.id] = run
        (self.open.discard if run.outcome.is_final else self.open.add)(run.id)
        options = run.options
        narrowed = options.only or options.platform or options.dry_run
        if run.outcome in _TELLING and not narrowed:
            self.last[run.job] = max(run.id, self.last.get(run.job, 0))
        return run


class MemoryLedger:
    """The ledger as one process sees it."""

    def __init__(self, tables: Tables, holder: str) -> None:
        self._tables = tables
        self._holder = holder
        self._is_cut = False

    async def settle(
        self, jobs: Sequence[Registered], now: datetime, *, catch_up: Collection[str] = ()
    ) -> Mapping[str, Known]:
        kept = self._tables.jobs
        for job in jobs:
            before = kept.get(job.job)
            if before is None:
                kept[job.job] = Kept(now, now, job.schedule, job.enabled)
                continue
            changed = before.schedule != job.schedule or (job.enabled and not before.enabled)
            if changed and job.job not in catch_up:
                before.counts_from = now
            before.counts_from = min(before.counts_from, now)
            before.schedule, before.enabled = job.schedule, job.enabled
        for name in kept.keys() - {job.job for job in jobs}:
            kept[name].enabled = False
        return {job.job: self._known(job.job, now) for job in jobs}

    def _known(self, job: str, now: datetime) -> Known:
        kept = self._tables.jobs[job]
        fires = self._tables.fire_times.get(job, [])
        place = bisect.bisect_right(fires, now)
        decided = max(kept.counts_from, fires[place - 1]) if place else kept.counts_from
        return Known(anchor_at=kept.anchor_at, counts_from=kept.counts_from, decided_until=decided)

    async def claim(self, fires: Sequence[Fire], now: datetime) -> Sequence[Run]:
        return [run for each in fires if (run := self._claim(each, now)) is not None]

    def _claim(self, fire: Fire, now: datetime) -> Run | None:
        number = self._tables.fires.get((fire.job, fire.fire_time))
        if number is None:
            return self._tables.add_fire(fire, self._holder, now)
        found = self._tables.runs[number]
        if found.outcome is not Outcome.CLAIMED or self._tables.holders[number] != self._holder:
            return None
        return self._tables.put(
            replace(
                found,
                outcome=Outcome.SKIPPED if fire.skip_reason else Outcome.CLAIMED,
                skip_reason=fire.skip_reason,
                fires_since=fire.fires_since,
                finished_at=now if fire.skip_reason else None,
            )
        )

    async def create(self, run: Run) -> RunId:
        return self._tables.add(run, "").id

    async def follow(self, run: Run) -> RunId | None:
        assert run.origin is not None
        number = self._tables.follows.get((run.origin, run.job, run.cause))
        if number is None:
            return self._tables.add(run, "").id
        found = self._tables.runs[number]
        if found.outcome is not Outcome.CLAIMED:
            return None
        if run.skip_reason is not None:
            skipped = replace(found, outcome=Outcome.SKIPPED, skip_reason=run.skip_reason)
            self._tables.put(replace(skipped, finished_at=run.claimed_at))
        return found.id

    async def recover(self) -> Sequence[Run]:
        for number in list(self._tables.open):
            run = self._tables.runs[number]
            if run.outcome is Outcome.RUNNING and self._tables.holders[number] != self._holder:
                self._tables.put(replace(run, outcome=Outcome.INTERRUPTED))
                self._tables.holders[number] = ""
        left = [self._tables.runs[number] for number in sorted(self._tables.open)]
        return [run for run in left if run.outcome in _OPEN]

    async def abandon(
        self, run_id: RunId, at: datetime, why: str, outcome: Outcome = Outcome.ABANDONED
    ) -> None:
        run = self._tables.runs[run_id]
        if not run.outcome.is_final:
            ended = replace(run, outcome=outcome, finished_at=at, error=why)
            self._tables.put(ended)

    async def verdicts(self, limits: Mapping[str, int | None]) -> Mapping[str, Run]:
        last = self._tables.last
        return {job: self._tables.runs[last[job]] for job in limits if job in last}

    async def cycle_start(self, job: str) -> datetime | None:
        del job
        return None

    async def begin(self, run_id: RunId, at: datetime) -> Run:
        run = self._tables.runs[run_id]
        is_ours = self._tables.holders[run_id] == self._holder
        if run.outcome not in _OPEN and not (run.outcome is Outcome.RUNNING and is_ours):
            raise LeaseLost(f"run {run_id} is no longer waiting to start")
        self._tables.holders[run_id] = self._holder
        resumed = run.resumed + (run.started_at is not None and run.outcome in _OPEN)
        begun = replace(run, outcome=Outcome.RUNNING, started_at=run.started_at or at)
        return self._tables.put(replace(begun, resumed=resumed))

    async def finish(self, run_id: RunId, ending: Ending, at: datetime) -> Run | None:
        run = self._tables.runs[run_id]
        if self._tables.holders[run_id] != self._holder or run.outcome is not Outcome.RUNNING:
            return None
        ended = replace(run, outcome=ending.outcome, error=ending.error, hint=ending.hint)
        is_retryable = ending.retryable and ending.outcome is Outcome.FAILED
        return self._tables.put(replace(ended, finished_at=at, retryable=is_retryable))

    def cut(self) -> None:
        """Let this process reach the ledger no more, as one that is dead."""
        self._is_cut = True

    async def interrupt(self, run_id: RunId) -> Run | None:
        if self._is_cut:
            raise StoreUnavailable("this process is dead")
        run = self._tables.runs[run_id]
        is_ours = self._tables.holders[run_id] == self._holder
        if not is_ours or run.outcome not in {Outcome.RUNNING, Outcome.INTERRUPTED}:
            return None
        return self._tables.put(replace(run, outcome=Outcome.INTERRUPTED))

    async def read(self, run_id: int) -> Run | None:
        return self._tables.runs.get(run_id)

    async def list_newest(self, job: str | None, before: int | None, limit: int) -> list[Run]:
        found = [
            run
            for number, run in sorted(self._tables.runs.items(), reverse=True)
            if job in {None, run.job} and (before is None or number < before)
        ]
        return found[:limit]
