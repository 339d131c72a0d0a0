"""Finds what is to be told, and writes it down before anybody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from syncd.alerts.conditions import decide
from syncd.clock import Clock
from syncd.model.alert import AlertState, Condition, Topic
from syncd.model.run import Outcome
from syncd.schedule.follow_ups import is_repeated
from syncd.schedule.roster import Roster
from syncd.store.alerts import AlertStore
from syncd.store.runs import RunStore
from syncd.telemetry.events import GrantsExpiring, LargeChange

# Of thousands of jobs, so many are read and judged without letting others work.
_JOBS_AT_ONCE = 200

_Known = Mapping[tuple[str, Topic], AlertState]


class Watch:
    """Compares what was told with what the ledger says.

    Args:
        store: what was told.
        runs: the ledger.
        roster: the jobs; one that is off, or wants no alerts, is not watched.
        clock: where time comes from.
    """

    def __init__(self, store: AlertStore, runs: RunStore, roster: Roster, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._roster = roster
        self._clock = clock
        self._turn = asyncio.Lock()
        self._noted: dict[tuple[str, Topic], AlertState] = {}
        # What could not be told in this process, until another run says it again.
        self._dropped: dict[tuple[str, Topic], int] = {}

    def note(self, event: LargeChange | GrantsExpiring) -> None:
        """Take note of what no row of a run says; of several of one job the newest is told."""
        state = self._large(event) if isinstance(event, LargeChange) else self._expiring(event)
        self._noted[state.job, state.topic] = state

    async def look(self, jobs: Collection[str] | None = None) -> Sequence[AlertState]:
        """Return what is to be told now, in the order of the runs that say so.

        Args:
            jobs: of which a run has ended; None looks at all.

        Raises:
            StoreUnavailable, LeaseLost: what was not written down is found again.
        """
        async with self._turn:
            known = {(state.job, state.topic): state for state in await self._store.read()}
            noted = dict(self._noted)
            watched = self._watched()
            asked = [job for job in watched if jobs is None or job in jobs]
            found = [state for (job, _), state in noted.items() if job in watched]
            for start in range(0, len(asked), _JOBS_AT_ONCE):
                page = {job: watched[job] for job in asked[start : start + _JOBS_AT_ONCE]}
                found += await self._trouble(page, known)
            for state in found:
                await self._store.keep(state)
                known[state.job, state.topic] = state
            for key, state in noted.items():
                if self._noted.get(key) is state:
                    del self._noted[key]
        due = [s for s in known.values() if s.told_at is None and s.job in watched]
        return sorted(due, key=lambda state: state.run_id)

    async def told(self, state: AlertState) -> None:
        """Write down that something was told."""
        await self._store.keep(state)

    async def drop(self, state: AlertState) -> None:
        """Give up telling something; the next run that says the same is told of again."""
        self._dropped[state.job, state.topic] = state.run_id
        await self._store.drop(state.job, state.topic)

    def _watched(self) -> dict[str, int | None]:
        """Return the limit of each job that is watched."""
        jobs = [schedule.job for schedule in self._roster.schedules()]
        return {job.name: job.limit for job in jobs if job.enabled and job.alerts}

    async def _trouble(self, limits: Mapping[str, int | None], known: _Known) -> list[AlertState]:
        verdicts = await self._runs.verdicts(limits)
        held = [job for job, run in verdicts.items() if run.outcome is Outcome.HELD]
        plans = await self._store.newest_plans(held) if held else {}
        now, found = self._clock.now(), []
        for job, run in verdicts.items():
            told = known.get((job, Topic.RUNS))
            is_waiting = told is not None and told.told_at is None
            is_dropped = self._dropped.get((job, Topic.RUNS)) == run.id
            if is_waiting or is_dropped or is_repeated(self._roster, run, now):
                continue
            state = decide(told, run, plans.get(job), now)
            found += [] if state is None else [state]
        return found

    def _expiring(self, event: GrantsExpiring) -> AlertState:
        return AlertState(
            job=event.job,
            topic=Topic.GRANTS,
            condition=Condition.EXPIRING,
            run_id=event.run_id,
            first_run=event.run_id,
            since=self._clock.now(),
            detail={"platform": event.platform, "users": event.users, "days": event.days},
        )

    def _large(self, change: LargeChange) -> AlertState:
        return AlertState(
            job=change.job,
            topic=Topic.CHANGE,
            condition=Condition.CHANGED,
            run_id=change.run_id,
            first_run=change.run_id,
            since=self._clock.now(),
            detail={"changed": change.changed, "base": change.base, "backup": change.backup},
        )
