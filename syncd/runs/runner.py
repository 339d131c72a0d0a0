"""Drive a job kind through one run, and turn whatever happens into an outcome."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog

from syncd.errors import CacheUnavailable, LeaseLost, StoreUnavailable, SyncdError
from syncd.jobs.base import RunContext, Surroundings
from syncd.jobs.stop import Stop, StopReason
from syncd.model.run import Cause, Ending, Outcome, Run
from syncd.runs.cancels import count_cancels, forget_cancels
from syncd.runs.job import Job
from syncd.telemetry.events import RunCrashed, RunFinished, RunHeldUp, RunStarted, RunStuck

_STORE_WAIT_SECONDS = (0.5, 30.0)
# Requests under way when the deadline comes may take this long to end: less than what lies between
# the deadline and the job's next fire, which must not find the run still there.
_DEADLINE_GRACE_SECONDS = 4.0
_LEAVE_SECONDS = 1.0

log = structlog.get_logger()


def _endless(_job: Job) -> None:
    return None


class Order(NamedTuple):
    """A run to execute: which job, until when, and what may ask it to stop.

    `deadline` is asked for the job's deadline when the run begins. It is on the monotonic clock:
    should the wall clock jump, a run takes neither longer nor shorter for that.
    """

    run: Run
    job: Job
    stop: Stop
    deadline: Callable[[Job], float | None] = _endless


class Runner:
    """Executes runs. However a run ends, its row says so, and `execute` returns."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def execute(self, order: Order) -> Run | None:
        """Execute one run to its end and return it as stored; None when it was not ours.

        Being cancelled leaves the row as it is (`leave` may tell more): the next start finds it and
        goes on. So does what nobody foresaw on the way in or out.
        """
        with structlog.contextvars.bound_contextvars(job=order.job.name, run_id=order.run.id):
            try:
                return await self._execute(order)
            except Exception as error:  # nothing a run does may hurt another
                self._tell_crash(order, error)
                return None

    async def leave(self, orders: Sequence[Order]) -> None:
        """Write that cancelled runs wait for the next start, which would find it out by itself."""
        with contextlib.suppress(StoreUnavailable, LeaseLost, TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                for order in orders:
                    await self._around.stores.runs.interrupt(order.run.id)

    def tell_stuck(self, order: Order, stack: str) -> None:
        """Tell that a cancelled run goes on all the same."""
        self._around.bus.emit(RunStuck(run_id=order.run.id, job=order.job.name, stack=stack))

    async def _execute(self, order: Order) -> Run | None:
        deadline = order.deadline(order.job)
        run = await self._patiently(order, lambda: self._begin(order))
        if run is None:
            return None
        self._around.bus.emit(RunStarted(run=run))
        begun = self._around.clock.monotonic()
        ending = await self._ending(order, run, deadline)
        ended = await self._patiently(order, lambda: self._end_ours(run, ending))
        if ended is not None:
            took = self._around.clock.monotonic() - begun
            self._around.bus.emit(
                RunFinished(
                    run=ended,
                    duration_seconds=round(took, 3),
                    away="" if ending is None else ending.away,
                )
            )
        return ended

    async def _begin(self, order: Order) -> Run | None:
        try:
            runs = self._around.stores.runs
            return await runs.begin(order.run.id, self._around.clock.now())
        except LeaseLost as error:
            log.warning("run.refused", error=str(error))
            return None

    async def _end_ours(self, run: Run, ending: Ending | None) -> Run | None:
        try:
            return await self._end(run, ending)
        except LeaseLost as error:
            log.warning("run.lost", error=str(error))
            return None

    async def _end(self, run: Run, ending: Ending | None) -> Run | None:
        """Write the end; a drained run is left interrupted, to be gone on with."""
        runs, now = self._around.stores.runs, self._around.clock.now()
        if ending is None:
            return None
        if ending.outcome is Outcome.INTERRUPTED:
            return await runs.interrupt(run.id)
        current = await runs.read(run.id)
        report = run.report if current is None else current.report
        done = report.created + report.updated + report.unchanged
        outcome = ending.outcome
        if (outcome is Outcome.SUCCEEDED and report.failed) or (outcome is Outcome.FAILED and done):
            outcome = Outcome.PARTIAL
        if outcome is not ending.outcome:
            ending = replace(ending, outcome=outcome)
        return await runs.finish(run.id, ending, now)

    async def _ending(self, order: Order, run: Run, deadline: float | None) -> Ending | None:
        """Run the kind; every way out but cancellation becomes an ending (None: not ours)."""
        cancels = count_cancels()
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._watch_deadline(order, deadline))
                ending = await self._work(order, run, deadline)
                watcher.cancel()
        except Exception as error:  # nothing a run does may hurt another
            forget_cancels(cancels)
            return self._failure(order, run, _first_cause(error))
        return _after_stop(order.stop, ending)

    async def _work(self, order: Order, run: Run, deadline: float | None) -> Ending:
        """Run the kind, and again after a lost connection: what was committed is not due again.

        A dry run leaves no such marks, so it fails instead.
        """
        wait, longest = _STORE_WAIT_SECONDS
        current: Run | None = run
        cancels = count_cancels()
        while True:
            try:
                current = current or await self._around.stores.runs.read(run.id) or run
                return await self._work_once(order, current, deadline)
            except Exception as error:
                forget_cancels(cancels)
                cause = _first_cause(error)
                if not isinstance(cause, StoreUnavailable) or run.options.dry_run:
                    raise
                if order.stop.is_requested:  # the line was cut because of that
                    return Ending(outcome=Outcome.PARTIAL)
                self._tell_held_up(order, cause, wait)
            await self._sleep_unless_stopped(order.stop, wait)
            current, wait = None, min(wait * 2, longest)

    async def _work_once(self, order: Order, run: Run, deadline: float | None) -> Ending:
        if order.stop.is_requested:
            return Ending(outcome=Outcome.PARTIAL)
        runs = self._around.stores.runs
        # Retries alone fill up the pass of another run.
        is_retry = run.cause is Cause.RETRY
        context = RunContext(
            run=run,
            around=self._around,
            stop=order.stop,
            deadline=deadline,
            cycle_start=await runs.cycle_start(order.job.name) if is_retry else None,
        )
        return await order.job.work.run(context)

    async def _sleep_unless_stopped(self, stop: Stop, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._around.clock.sleep(seconds))
            waiter = group.create_task(stop.wait())
            sleeper.add_done_callback(lambda _: waiter.cancel())
            waiter.add_done_callback(lambda _: sleeper.cancel())

    async def _watch_deadline(self, order: Order, deadline: float | None) -> None:
        if deadline is None:
            return
        clock = self._around.clock
        while (left := deadline - clock.monotonic()) > 0:
            await clock.sleep(left)
        order.stop.request(StopReason.DEADLINE, _DEADLINE_GRACE_SECONDS)

    def _failure(self, order: Order, run: Run, cause: BaseException) -> Ending | None:
        if isinstance(cause, LeaseLost):
            log.warning("run.lost", error=str(cause))
            return None
        if isinstance(cause, SyncdError):
            return Ending(
                outcome=Outcome.FAILED,
                error=str(cause),
                hint=cause.hint or "",
                retryable=cause.retryable,
                away=_away(cause),
            )
        self._tell_crash(order, cause)
        return Ending(
            outcome=Outcome.FAILED,
            error=_unforeseen(order, cause),
            hint=f"see the stack in `syncd logs --run {run.id}`",
            # What nobody foresaw, nobody knows to last.
            retryable=True,
        )

    def _tell_held_up(self, order: Order, error: StoreUnavailable, wait: float) -> None:
        self._around.bus.emit(
            RunHeldUp(
                run_id=order.run.id,
                job=order.job.name,
                error=str(error),
                hint=error.hint or "",
                retry_seconds=wait,
            )
        )

    def _tell_crash(self, order: Order, cause: BaseException) -> None:
        stack = "".join(traceback.format_exception(cause))
        self._around.bus.emit(
            RunCrashed(
                run_id=order.run.id,
                job=order.job.name,
                error=_unforeseen(order, cause),
                stack=stack,
            )
        )

    async def _patiently(
        self, order: Order, step: Callable[[], Awaitable[Run | None]]
    ) -> Run | None:
        """Repeat a step as long as the database does not take it."""
        wait, longest = _STORE_WAIT_SECONDS
        while True:
            try:
                return await step()
            except StoreUnavailable as error:
                self._tell_held_up(order, error, wait)
                await self._around.clock.sleep(wait)
                wait = min(wait * 2, longest)


def _away(cause: SyncdError) -> str:
    """Name the server that did not answer, if that is what a run failed by."""
    if isinstance(cause, CacheUnavailable):
        return "redis"
    return "postgresql" if isinstance(cause, StoreUnavailable) else ""


def _unforeseen(order: Order, cause: BaseException) -> str:
    return f"unforeseen {type(cause).__name__} in job {order.job.name}"


def _after_stop(stop: Stop, ending: Ending) -> Ending:
    """Let the reason for a stop decide the outcome of a run that was stopped."""
    match stop.reason:
        case None:
            return ending
        case StopReason.DRAIN:
            return Ending(outcome=Outcome.INTERRUPTED)
        case StopReason.CANCEL:
            return Ending(outcome=Outcome.CANCELLED, error=stop.why or "cancelled by a person")
        case StopReason.DEADLINE:
            return Ending(
                outcome=Outcome.PARTIAL,
                error="stopped at its deadline; what was not asked stays due, oldest first",
                hint="raise the limits or the interval if every run ends like this",
            )


def _first_cause(error: BaseException) -> BaseException:
    """Return the first error inside nested groups; our own kinds before others."""
    while isinstance(error, BaseExceptionGroup):
        ours = [inner for inner in error.exceptions if isinstance(inner, SyncdError)]
        error = ours[0] if ours else error.exceptions[0]
    return error
