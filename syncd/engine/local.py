"""Runs as coroutines of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import Self

from syncd.engine.base import Engine
from syncd.jobs.stop import StopReason
from syncd.model.run import Run
from syncd.runs.runner import Order, Runner
from syncd.telemetry.stacks import stack_of_task

# Of the drain time, how much requests under way get before they are cancelled; the rest is for
# committing what came back.
_GRACE_SHARE = 0.6
_CANCEL_GRACE_SECONDS = 10.0
# Who has not ended so long after it was cancelled never will.
_CANCELLED_SECONDS = 2.0


class LocalEngine(Engine):
    """One task a run; leaving the context cancels what was not drained.

    A run that swallows its cancellation is reported and left behind: at the end the caller must
    end the process then, because the event loop cannot be closed.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._listeners: list[Callable[[Run], None]] = []
        self._active: dict[int, tuple[Order, asyncio.Task[Run | None]]] = {}
        self._by_job: dict[str, dict[int, Order]] = {}
        self._group = asyncio.TaskGroup()
        self._is_hurried = False
        self._settled = asyncio.Event()
        self._stuck: list[tuple[Order, asyncio.Task[Run | None]]] = []

    @property
    def has_stuck(self) -> bool:
        """Tell whether something that was cancelled goes on."""
        return bool(self.stuck())

    def stuck(self) -> list[Order]:
        """Return the runs that were cancelled and go on."""
        return [order for order, task in self._stuck if not task.done()]

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cancel_all()
        if not self.has_stuck:
            await self._group.__aexit__(None, None, None)

    def start(self, order: Order) -> None:
        """Begin to execute a run, unless it is active; returns at once."""
        if order.run.id in self._active:
            return
        name = f"run {order.run.id} of {order.job.name}"
        task = self._group.create_task(self._execute(order), name=name)
        self._active[order.run.id] = (order, task)
        self._by_job.setdefault(order.job.name, {})[order.run.id] = order

    async def _execute(self, order: Order) -> Run | None:
        try:
            ended = await self._runner.execute(order)
        finally:
            self._forget(order)
        if ended is not None:
            for listener in self._listeners:
                listener(ended)
        return ended

    def _forget(self, order: Order) -> None:
        active = self._active.get(order.run.id)
        if active is None or active[0] is not order:
            return  # it was left behind, and may have been started again
        del self._active[order.run.id]
        if not self._active:
            self._settled.set()
        beside = self._by_job.get(order.job.name, {})
        beside.pop(order.run.id, None)
        if not beside:
            self._by_job.pop(order.job.name, None)

    async def end_of(self, run_id: int) -> Run | None:
        """Wait for an active run and return it as stored; None when it was not ours to end."""
        _, task = self._active[run_id]
        return await asyncio.shield(task)

    def on_end(self, listener: Callable[[Run], None]) -> None:
        """Tell `listener` of every run that ended here, as it is stored."""
        self._listeners.append(listener)

    def active(self) -> Collection[Order]:
        """Return the runs that have not ended."""
        return [order for order, _ in self._active.values()]

    def active_of(self, job: str) -> Collection[Order]:
        """Return the runs of a job that have not ended, without a look at any other."""
        return list(self._by_job.get(job, {}).values())

    def cancel(self, run_id: int, why: str = "") -> bool:
        """Ask an active run to end: requests under way may finish and are stored."""
        found = self._active.get(run_id)
        if found is None:
            return False
        found[0].stop.request(StopReason.CANCEL, _CANCEL_GRACE_SECONDS, why)
        return True

    def ask_to_drain(self, seconds: float) -> None:
        """Ask every run to end within `seconds`; what they have not asked stays due."""
        for order, _ in self._active.values():
            order.stop.request(StopReason.DRAIN, seconds * _GRACE_SHARE)

    async def abort(self, seconds: float) -> None:
        """Cancel every run and wait at most `seconds` for them; their rows stay as they are.

        Who does not mind is reported and left behind: the run can be started again.
        """
        await self._cancel(seconds)

    async def cancel_and_leave(self) -> None:
        """Cancel every run at once, and leave all of it to the next start."""
        await self._cancel_all()

    async def drain(self, seconds: float) -> None:
        """Ask every run to end and wait at most `seconds`; what is left is cancelled."""
        self.ask_to_drain(seconds)
        if self._active and not self._is_hurried:
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._settled.wait()
        await self._cancel_all()

    def hurry(self) -> None:
        """End the wait of a drain, this one or the next, now."""
        self._is_hurried = True
        self._settled.set()

    async def _cancel_all(self) -> None:
        """Cancel what runs; report who does not mind, and leave all of it to the next start."""
        await self._runner.leave(await self._cancel(_CANCELLED_SECONDS))

    async def _cancel(self, seconds: float) -> list[Order]:
        """Cancel what runs, report and forget who does not mind, and return all that ran."""
        left = list(self._active.values())
        if not left:
            return []
        for _, task in left:
            task.cancel()
        await asyncio.wait([task for _, task in left], timeout=seconds)
        for order, task in left:
            if not task.done():
                self._runner.tell_stuck(order, _stacks(task))
                # Should it come to itself, it asks for nothing more and leaves the rest.
                order.stop.request(StopReason.DRAIN, 0)
                self._stuck.append((order, task))
                self._forget(order)
        return [order for order, _ in left]


def _stacks(run: asyncio.Task[Run | None]) -> str:
    """Return where a run stands, and every task that was cancelled and goes on.

    A run waits for the tasks it has started, and one of these may be what does not end. Whose
    task it is nobody knows: where several runs are stuck, each is told with the tasks of all.
    """
    others = [task for task in asyncio.all_tasks() if task.cancelling() and task is not run]
    return "\n".join(map(stack_of_task, [run, *others]))
