"""How far a run is on one platform: told on the bus a few times a second at most."""

from __future__ import annotations

from collections import deque

from syncd.jobs.base import RunContext
from syncd.model.run import Report
from syncd.telemetry.events import ItemsCommitted, RunProgressed

_TELL_EVERY_SECONDS = 0.25
_RATE_OVER_SECONDS = 10.0


class Progress:
    """Counts what is done and forecasts the rest.

    Args:
        context: the run; `platform`: which of its platforms.
        before: what the run did before it was interrupted.
        due: how many items are left to do.
    """

    def __init__(self, context: RunContext, platform: str, before: Report, due: int) -> None:
        self._run = context.run
        self._platform = platform
        self._clock = context.around.clock
        self._bus = context.around.bus
        self._marks = deque([(self._clock.monotonic(), before.seen)])
        self._told_at = float("-inf")
        self.total = before.seen + due
        self.report = before

    def add(self, report: Report, waits_for: str) -> None:
        """Count a batch and tell how far the run is, unless that was told a moment ago.

        That the batch is stored is told each time; of a dry run nothing is.
        """
        if not self._run.options.dry_run:
            self._tell_committed(report)
        now = self._clock.monotonic()
        self.report += report
        self._marks.append((now, self.report.seen))
        while len(self._marks) > 2 and now - self._marks[0][0] > _RATE_OVER_SECONDS:
            self._marks.popleft()
        if self.report.seen >= self.total:
            self.tell(waits_for)
        else:
            self.wait(waits_for)

    def _tell_committed(self, report: Report) -> None:
        self._bus.emit(
            ItemsCommitted(
                run_id=self._run.id, job=self._run.job, platform=self._platform, report=report
            )
        )

    def wait(self, waits_for: str) -> None:
        """Tell what the run waits for, unless something was told a moment ago."""
        if self._clock.monotonic() - self._told_at >= _TELL_EVERY_SECONDS:
            self.tell(waits_for)

    def tell(self, waits_for: str) -> None:
        """Tell how far the run is, now."""
        self._told_at = self._clock.monotonic()
        left = max(0, self.total - self.report.seen)
        rate = self._rate()
        self._bus.emit(
            RunProgressed(
                run_id=self._run.id,
                job=self._run.job,
                platform=self._platform,
                done=self.report.seen,
                total=max(self.total, self.report.seen),
                report=self.report,
                rate=round(rate, 2),
                eta_seconds=round(left / rate, 1) if rate else None,
                waits_for=waits_for,
            )
        )

    def _rate(self) -> float:
        began, count = self._marks[0]
        elapsed = self._clock.monotonic() - began
        return (self.report.seen - count) / elapsed if elapsed > 0 else 0.0
