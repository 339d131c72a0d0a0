"""Whether the wall clock is where it was expected, and if not, what may have happened."""

from __future__ import annotations

from syncd.clock import Clock
from syncd.telemetry.events import ClockJumped

# Steps of a time service below it move no fire time; a loop under load is not late.
_NOISE_SECONDS = 1.0
_LATE_FROM_SECONDS, _LATE_UNTIL_SECONDS = 5.0, 300.0
# What cron takes for a change that people meant to make; a larger one corrects the clock.
_LONGEST_SHIFT_SECONDS = 3 * 3600.0


class Drift:
    """Compares the clocks from one look to the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = self._read()

    def look(self, overslept: float) -> ClockJumped | None:
        """Say what happened to the clock since the last look, None for nothing.

        `overslept` is how many seconds of the monotonic clock a sleep took longer than meant.
        """
        before, self._last = self._last, self._read()
        wall, monotonic, boottime = (
            now - then for now, then in zip(self._last, before, strict=True)
        )
        drift, asleep = wall - monotonic, boottime - monotonic
        kind = _kind(drift, asleep, overslept)
        if not kind:
            return None
        seconds = {"late": drift + overslept, "suspended": asleep + overslept}.get(kind, drift)
        return ClockJumped(kind=kind, seconds=round(abs(seconds), 3))

    def _read(self) -> tuple[float, float, float]:
        clock = self._clock
        return clock.now().timestamp(), clock.monotonic(), clock.boottime()


def _kind(drift: float, asleep: float, overslept: float) -> str:
    if drift < -_NOISE_SECONDS:
        is_shift = -drift <= _LONGEST_SHIFT_SECONDS
        return "backward" if is_shift else "corrected_backward"
    if drift + overslept < _LATE_FROM_SECONDS:
        return ""
    if drift + overslept <= _LATE_UNTIL_SECONDS:
        return "late"
    if asleep + overslept > drift / 2:
        return "suspended"
    return "forward" if drift <= _LONGEST_SHIFT_SECONDS else "corrected_forward"
