"""Sees that the event loop is blocked, and says by what."""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from syncd.clock import Clock
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import LoopStalled
from syncd.telemetry.stacks import stacks_of_threads

BLOCKED_SECONDS = 5.0
LOOK_SECONDS = 1.0
# Who keeps the interpreter's lock keeps this thread from looking; after so long faulthandler,
# which needs no lock, writes the stacks to standard error.
_DEAF_SECONDS = 10.0
_STDERR = 2

log = structlog.get_logger()


class Watchdog:
    """Looks from a thread of its own whether the event loop still beats.

    A loop that has not beaten for five seconds is told at once, with the stacks of all threads, in
    the log and on standard error; when it beats again, an event tells how long it was blocked. It
    does not matter which loop it is, nor whether Python or C blocks it.

    What it cannot see: code that keeps the interpreter's lock (a regular expression that explodes)
    stops this thread as well. Its stack stands on standard error after ten seconds, and the stall
    is counted when it is over and took the processor; a process that was merely frozen is not
    blamed.

    Args:
        clock: its monotonic side measures.
        bus: told in the event loop, when a stall is over.
        used: returns the seconds of processor time that this process has used.
    """

    def __init__(
        self, clock: Clock, bus: Bus, *, used: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._bus = bus
        self._used = used
        self._beat_at = self._looked_at = self._awake_since = clock.monotonic()
        self._used_at_beat = used()
        self._is_told = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        # Also for what blocks before the first look.
        faulthandler.dump_traceback_later(_DEAF_SECONDS, file=_STDERR)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def beat(self) -> None:
        """Tell that the event loop turns: called in it, every second."""
        now, used = self._clock.monotonic(), self._used()
        gap, busy = now - self._beat_at, used - self._used_at_beat
        was_blocked = self._is_told or (gap > BLOCKED_SECONDS and busy > gap / 2)
        self._beat_at, self._used_at_beat, self._is_told = now, used, False
        if was_blocked:
            self._bus.emit(LoopStalled(duration_seconds=round(gap, 1)))

    def look(self) -> str:
        """See whether the loop beats; return the stacks once when it has stopped."""
        now, last = self._clock.monotonic(), self._looked_at
        self._looked_at = now
        if now - last > LOOK_SECONDS * 2:
            self._awake_since = now
        silent = now - max(self._beat_at, self._awake_since)
        if self._is_told or silent < BLOCKED_SECONDS:
            return ""
        self._is_told = True
        return stacks_of_threads()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            faulthandler.dump_traceback_later(_DEAF_SECONDS, file=_STDERR)
            stack = self.look()
            if stack:
                faulthandler.dump_traceback(_STDERR)
                hint = "the stack of MainThread shows what blocks; runs and the control port wait"
                log.error("loop.blocked", duration_seconds=BLOCKED_SECONDS, stack=stack, hint=hint)
