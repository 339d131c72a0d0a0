"""Runs that somebody asks for, and the one place where runs are handed to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from syncd.engine.base import Engine
from syncd.errors import AlreadyRunning, Stopping
from syncd.jobs.base import Surroundings
from syncd.jobs.stop import Stop
from syncd.model.run import Cause, Run, RunOptions
from syncd.model.schedule import Overlap
from syncd.runs.runner import Order
from syncd.schedule.ledger import Ledger
from syncd.schedule.lines import Lines
from syncd.schedule.roster import Roster, Schedule


class Triggers(Roster):
    """Starts runs that no fire time asked for; needs no loop.

    Args:
        schedules: every job of config.toml.
        engine: executes the runs.
        around: what runs share.
        is_firing: False means that no job fires by itself.
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        engine: Engine,
        around: Surroundings,
        *,
        is_firing: bool = True,
    ) -> None:
        super().__init__(schedules, around.clock, is_firing=is_firing)
        self._engine = engine
        self._around = around
        self._ledger: Ledger = around.stores.runs
        self._lines = Lines(engine, self._start, self._is_paused)
        self._is_closed = False
        # Between the look at what runs and the start of a run nobody else may start one.
        self._turn = asyncio.Lock()

    async def trigger(self, name: str, options: RunOptions, *, is_beside: bool = False) -> Run:
        """Start a run that no fire time asked for, and return it.

        `is_beside` lets it go beside a run of the same job: it must be about single users then.

        Raises:
            NotKnown: no such job.
            BadInput: its kind cannot be narrowed in that way.
            AlreadyRunning: the job runs, and this run is not to go beside it, nor may it wait.
            Stopping: syncd is on its way down.
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        job = self.job(name)
        job.work.check(options)
        limited = replace(options, limit=options.limit or job.limit)
        async with self._turn:
            if self._is_closed:
                raise Stopping("syncd is stopping: nothing new starts", hint="try again later")
            if not is_beside:
                self._refuse_overlap(name)
            draft = self.draft(name, Cause.MANUAL, self._around.clock.now())
            draft = replace(draft, options=limited)
            run = replace(draft, id=await self._ledger.create(draft))
            if is_beside:
                self._lines.add_beside([run])
            else:
                self._lines.add(run)
            self._begin()
            return run

    def withdraw(self, run_id: int) -> None:
        """Start a run no more that waits for its turn; its row is the caller's."""
        self._lines.forget(run_id)

    async def close(self) -> None:
        """Start nothing any more; what was claimed meanwhile is for the next start."""
        # At once: whose turn it is may wait for a database that does not answer.
        self._is_closed = True
        async with self._turn:
            self._lines.clear()

    def _refuse_overlap(self, name: str) -> None:
        """Refuse a trigger beside a run that is active, or that waits behind one that is."""
        ahead = self._lines.ahead(name)
        may_wait = self.schedule(name).overlap is Overlap.QUEUE
        if not ahead or (may_wait and len(ahead) == 1):
            return
        first = ahead[0]
        raise AlreadyRunning(
            f"job {name} runs already: run {first.id}",
            run_id=first.id,
            hint=f"follow it with `syncd show {first.id}`, or `syncd cancel {first.id}`",
        )

    async def _is_wanted(self, run: Run) -> bool:
        """Tell whether to go on with a run that nobody executes; an unwanted one is ended."""
        if not self.knows(run.job):
            why = "its job is no longer in config.toml"
        elif not self.job(run.job).enabled:
            why = "its job is off"
        elif run.options.dry_run and run.started_at is not None:
            why = "a dry run leaves nothing to go on from"
        else:
            return True
        await self._ledger.abandon(run.id, self._around.clock.now(), why)
        return False

    def _is_paused(self, name: str) -> bool:
        return self._around.admission.holding_job(name) is not None

    def _begin(self) -> None:
        if not self._is_closed:
            self._lines.begin()

    def _start(self, runs: Sequence[Run]) -> None:
        start, schedules, deadline = self._engine.start, self._schedules, self.deadline
        for run in runs:
            start(Order(run, schedules[run.job].job, Stop(), deadline))
