"""What follows from runs that ended: they are tried again, and other jobs come after them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.jobs.base import Surroundings
from syncd.model.run import Cause, Outcome, Run, RunId, SkipReason
from syncd.model.schedule import Known
from syncd.schedule.agenda import Agenda, Entry, Wake
from syncd.schedule.jitter import share
from syncd.schedule.ledger import Ledger
from syncd.schedule.lines import Lines
from syncd.schedule.roster import Roster, Schedule

_HELD_RETRY = timedelta(minutes=5)
_FIRST_BACKOFF = timedelta(minutes=1)
_UNDONE = {Outcome.PARTIAL, Outcome.FAILED}
_DONE = {Outcome.SUCCEEDED, Outcome.PARTIAL}


class FollowUps:
    """Plans retries and chains, from runs that end here and from the newest ones at the start.

    Args:
        roster: the jobs.
        around: what runs share.
        agenda: wakes what is tried again.
        lines: get what is to run.
    """

    def __init__(self, roster: Roster, around: Surroundings, agenda: Agenda, lines: Lines) -> None:
        self._roster = roster
        self._around = around
        self._agenda = agenda
        self._lines = lines
        self._ledger: Ledger = around.stores.runs
        self._ended: deque[Run] = deque()
        self._counts_from: dict[str, datetime] = {}
        self._retries: dict[str, datetime] = {}

    def learn(self, known: Mapping[str, Known]) -> None:
        """Take over since when each job counts what others did."""
        self._counts_from |= {job: each.counts_from for job, each in known.items()}

    def note(self, runs: Iterable[Run]) -> None:
        """Take note of runs that ended."""
        self._ended.extend(runs)

    def clear(self) -> None:
        """Forget everything; the ledger knows the newest runs."""
        self._ended.clear()
        self._retries.clear()

    def forget(self, job: str) -> None:
        """Try a job no more that is gone or off."""
        self._retries.pop(job, None)

    def next_retries(self) -> Mapping[str, datetime]:
        """Return when jobs are tried again; those that are not are left out."""
        return dict(self._retries)

    def is_due(self, entry: Entry) -> bool:
        """Tell whether a retry still stands: plans change."""
        return self._retries.get(entry.job) == entry.at

    def postpone(self, entry: Entry, at: datetime) -> None:
        """Wake a job later for the same."""
        if entry.wake is Wake.RETRY:
            self._retries[entry.job] = at
        self._agenda.add(at, entry.job, entry.wake, entry.origin)

    async def plan(self) -> None:
        """Find what follows from the runs that ended.

        Raises:
            StoreUnavailable: what was not planned stays noted.
        """
        while self._ended:
            run = self._ended[0]
            if self._roster.knows(run.job) and run.finished_at:
                if self._is_whole(run):
                    self._retries.pop(run.job, None)
                    await self._plan_chains(run)
                if self._is_whole(run) or self._sees_again(run):
                    await self._plan_retry(run, run.finished_at)
            self._ended.popleft()

    def _is_whole(self, run: Run) -> bool:
        """Tell whether a run was about all that its job is about."""
        options = run.options
        narrowed = options.only or options.platform or options.dry_run
        return not narrowed and options.limit == self._roster.job(run.job).limit

    def _sees_again(self, run: Run) -> bool:
        """Tell whether what a narrowed run got may be wanted again sooner."""
        looks_again = self._roster.job(run.job).work.looks_again
        return looks_again and run.outcome in _DONE and not run.options.dry_run

    async def _plan_chains(self, run: Run) -> None:
        if run.outcome not in _DONE:
            return
        for schedule in self._roster.followers(run.job):
            job = schedule.job.name
            counts_from = self._counts_from.get(job)
            is_new = counts_from is not None and run.finished_at and run.finished_at > counts_from
            is_wanted = run.report.created or not schedule.after_created
            if is_new and is_wanted and self._roster.is_firing(job):
                await self._chain(job, run)

    async def _chain(self, job: str, origin: Run) -> None:
        """Let a job follow a run: now, or as the one that waits for its active run."""
        draft = replace(
            self._roster.draft(job, Cause.CHAINED, self._around.clock.now()), origin=origin.id
        )
        ahead = self._lines.ahead(job)
        if any(run.origin == origin.id and run.cause is Cause.CHAINED for run in ahead):
            return
        if self._around.admission.holding_job(job) is not None:
            draft = replace(draft, outcome=Outcome.SKIPPED, skip_reason=SkipReason.PAUSED)
        elif len(ahead) > 1:
            draft = replace(draft, outcome=Outcome.SKIPPED, skip_reason=SkipReason.OVERLAP)
        number = await self._ledger.follow(draft)
        if number is not None and draft.skip_reason is None:
            self._lines.add(replace(draft, id=number))

    async def _plan_retry(self, run: Run, finished_at: datetime) -> None:
        """Plan a retry of what a run left undone, or, where that is unknown, of all of it.

        Of some kinds also what a run got may be wanted again sooner. A retry is dropped when the
        job's next fire comes first.
        """
        schedule = self._roster.schedule(run.job)
        after = _DONE | _UNDONE if schedule.job.work.looks_again else _UNDONE
        if run.outcome not in after or not self._roster.is_firing(run.job):
            return
        at, origin = await self._undone(run), None
        if at is None:
            at, origin = _whole_retry(schedule, run, finished_at), run
        now = self._around.clock.now()
        following = self._roster.timetable(run.job).next_after(finished_at)
        if at is None or (following is not None and following <= max(at, now)):
            return
        if not self._roster.is_firing(run.job):  # it changed while the ledger was asked
            return
        if self._retries.get(run.job, at) < at:
            return
        self._retries[run.job] = at
        self._agenda.add(at, run.job, Wake.RETRY, origin)

    async def _undone(self, run: Run) -> datetime | None:
        """Return when single items that the job's last pass left undone may be tried again."""
        if self._roster.timetable(run.job).next_after(self._around.clock.now()) is None:
            return None
        if run.options.limit is not None:
            return None
        cycle_start = await self._ledger.cycle_start(run.job)
        if cycle_start is None or not self._roster.knows(run.job):
            return None
        return await self._roster.job(run.job).work.next_retry(self._around, cycle_start)

    async def wake(self, entry: Entry) -> None:
        """Try again, or later where the job is held."""
        job, now = entry.job, self._around.clock.now()
        ahead = self._lines.ahead(job)
        is_repeated = any(self._is_whole(run) for run in ahead)
        if entry.origin is not None and (is_repeated or self._is_outrun(entry.origin)):
            self._retries.pop(job, None)
            return
        if ahead or self._around.admission.holding_job(job) is not None:
            self.postpone(entry, now + _HELD_RETRY)
            return
        draft = self._roster.draft(job, Cause.RETRY, now)
        if entry.origin is None:
            number: RunId | None = await self._ledger.create(draft)
        else:
            attempt = entry.origin.attempt + 1
            draft = replace(draft, origin=entry.origin.id, attempt=attempt)
            number = await self._ledger.follow(draft)
        self._retries.pop(job, None)
        if number is not None:
            self._lines.add(replace(draft, id=number))

    def _is_outrun(self, origin: Run) -> bool:
        """Tell whether a fire came after a run that is to be repeated."""
        assert origin.finished_at is not None  # it was planned from that
        following = self._roster.timetable(origin.job).next_after(origin.finished_at)
        return following is not None and following <= self._around.clock.now()


def is_repeated(roster: Roster, run: Run, now: datetime) -> bool:
    """Tell whether a run that failed as a whole was not the last attempt: another one follows."""
    if run.finished_at is None or not roster.is_firing(run.job):
        return False
    at = _whole_retry(roster.schedule(run.job), run, run.finished_at)
    following = roster.timetable(run.job).next_after(run.finished_at)
    return at is not None and (following is None or following > max(at, now))


def _whole_retry(schedule: Schedule, run: Run, finished_at: datetime) -> datetime | None:
    """Return when a run that failed as a whole is repeated; None when it is not.

    Another act than the job's own is a person's order, which nobody gives twice for them.
    """
    if run.options.act:
        return None
    if run.outcome is not Outcome.FAILED or not run.retryable or run.attempt > schedule.retries:
        return None
    backoff: timedelta = _FIRST_BACKOFF * 4 ** (run.attempt - 1)
    return finished_at + backoff + backoff / 4 * share(run.job, run.id)
