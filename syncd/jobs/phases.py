"""The phases of a run that goes step by step: what it is at, and how long each took."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator

from syncd.jobs.base import RunContext
from syncd.model.leaderboard import Page
from syncd.model.run import Report
from syncd.telemetry.events import PhaseFinished, RunProgressed

Pages = AsyncGenerator[Page, None]
_TELL_EVERY_SECONDS = 0.25


class Phases:
    """Measures phases and tells of them on the bus.

    Args:
        context: the run.
        total: how many rows are expected to go through it.
    """

    def __init__(self, context: RunContext) -> None:
        self._run = context.run
        self._clock = context.around.clock
        self._bus = context.around.bus
        self._begun = self._clock.monotonic()
        self._told_at = float("-inf")
        self._done = 0
        self.total = 0
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str, waits_for: str = "") -> Iterator[None]:
        """Measure one; `waits_for` says in words what the run waits for meanwhile."""
        begun = self._clock.monotonic()
        self._tell(waits_for or name)
        yield
        took = round(self._clock.monotonic() - begun, 4)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 4)
        self._bus.emit(
            PhaseFinished(run_id=self._run.id, job=self._run.job, phase=name, duration_seconds=took)
        )

    async def counted(self, pages: Pages) -> Pages:
        """Yield the pages as they come, and tell how many rows came."""
        async with contextlib.aclosing(pages):
            async for page in pages:
                self.add(page.rows)
                yield page

    def add(self, rows: int) -> None:
        """Count rows, and tell how many there were unless that was told a moment ago."""
        self._done += rows
        if self._clock.monotonic() - self._told_at >= _TELL_EVERY_SECONDS:
            self._tell("")

    def restart(self, total: int) -> None:
        """Count from nothing, up to `total`."""
        self._done, self.total = 0, total

    def _tell(self, waits_for: str) -> None:
        now = self._clock.monotonic()
        self._told_at = now
        rate = self._done / (now - self._begun) if now > self._begun else 0.0
        left = max(0, self.total - self._done)
        self._bus.emit(
            RunProgressed(
                run_id=self._run.id,
                job=self._run.job,
                platform="leaderboard",
                done=self._done,
                total=max(self.total, self._done),
                report=Report(),
                rate=rate,
                eta_seconds=left / rate if rate else None,
                waits_for=waits_for,
            )
        )
