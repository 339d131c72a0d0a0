"""Runs that are claimed and wait for their turn, job by job."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from syncd.engine.base import Engine
from syncd.model.run import Run


class Lines:
    """One line a job: its first run begins as soon as none of the job is active.

    While a job is paused nothing of its line begins. Runs about single users neither wait nor
    are waited for. Every run in a line has its row: nothing is lost with it.

    Args:
        engine: tells what is active.
        start: hands runs to the engine.
        is_paused: tells whether a pause of a job, or of everything, stands.
    """

    def __init__(
        self,
        engine: Engine,
        start: Callable[[Sequence[Run]], None],
        is_paused: Callable[[str], bool],
    ) -> None:
        self._engine = engine
        self._start = start
        self._is_paused = is_paused
        self._waiting: dict[str, deque[Run]] = {}
        self._held: dict[str, datetime] = {}
        self._beside: list[Run] = []

    def active(self) -> dict[str, Run]:
        """Return the active run of each job."""
        orders = self._engine.active()
        return {order.run.job: order.run for order in orders if not order.run.options.only}

    def jobs(self) -> Collection[str]:
        """Name the jobs of which something waits."""
        return self._waiting.keys()

    def waiting(self, job: str) -> Sequence[Run]:
        """Return the runs in a job's line."""
        return tuple(self._waiting.get(job, ()))

    def ahead(self, job: str) -> Sequence[Run]:
        """Return the active run of a job and those that wait."""
        active = self._engine.find_active(job)
        return (*([active] if active else []), *self.waiting(job))

    def add(self, run: Run) -> None:
        """Let a run wait, unless it does so already."""
        line = self._waiting.get(run.job)
        if line is None:
            self._waiting[run.job] = deque((run,))
        elif all(run.id != other.id for other in line):
            line.append(run)

    def add_beside(self, runs: Iterable[Run]) -> None:
        """Let runs begin without waiting for their jobs' turns."""
        self._beside.extend(runs)

    def hold(self, job: str, until: datetime) -> None:
        """Let nothing of a job begin before `until`."""
        self._held[job] = until

    def release(self, job: str, until: datetime) -> None:
        """Let a job begin what waits, if it was held back until then."""
        if self._held.get(job) == until:
            del self._held[job]

    def ready(self) -> Sequence[Run]:
        """Return the runs whose turn has come, one of each line."""
        if not self._waiting:
            return []
        busy = self.active().keys() | {run.job for run in self._beside if not run.options.only}
        return [
            line[0]
            for job, line in self._waiting.items()
            if job not in busy and job not in self._held and not self._is_paused(job)
        ]

    def begin(self) -> None:
        """Start every run whose turn has come."""
        beside, self._beside = self._beside, []
        self._start(beside)
        ready = self.ready()
        for run in ready:
            line = self._waiting[run.job]
            line.popleft()
            if not line:
                del self._waiting[run.job]
        self._start(ready)

    def drop(self, job: str) -> Sequence[Run]:
        """Empty a job's line and return what waited."""
        self._held.pop(job, None)
        return list(self._waiting.pop(job, ()))

    def forget(self, run_id: int) -> None:
        """Take a run that will not begin out of its line."""
        for job, line in list(self._waiting.items()):
            left = deque(run for run in line if run.id != run_id)
            if len(left) < len(line):
                self._waiting[job] = left
            if not left:
                self.drop(job)

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._held.clear()
        self._beside.clear()
