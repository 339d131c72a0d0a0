"""How a process of syncd ends: by signals, and in time whatever hangs."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import math
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog

from syncd.telemetry.stacks import stacks_of_threads

SECOND_SIGNAL = 130
# A second signal promises five seconds; the last half is for the exit itself.
_HURRY_SECONDS = 4.5
_STDERR = 2

log = structlog.get_logger()


class Farewell:
    """Ends the process when its time has come, whatever else it does.

    What hangs by then (a task that swallows its cancellation, a generator or a thread that does
    not end) is told with the stacks of all threads. It waits in a thread of its own, which needs
    no event loop; code that keeps the interpreter's lock holds it up.
    """

    def __init__(self) -> None:
        # Its `put` may be called in the middle of itself, as a signal handler does.
        self._orders: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        threading.Thread(target=self._wait, name="farewell", daemon=True).start()

    def leave_within(self, seconds: float, code: int) -> None:
        """End the process after `seconds` unless it has ended; the earliest end counts."""
        self._orders.put((time.monotonic() + seconds, code))

    def _wait(self) -> None:
        leave_at, code = math.inf, 0
        while (left := leave_at - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                order = self._orders.get(timeout=None if math.isinf(left) else left)
                leave_at, code = min((leave_at, code), order)
        faulthandler.dump_traceback(_STDERR)
        hint = "what hangs is in the stack; the process ends without it"
        log.error("daemon.stuck", exit_code=code, stack=stacks_of_threads(), hint=hint)
        os._exit(code)


def watch_signals(drain: Callable[[], object], cancel: Callable[[], object]) -> Farewell:
    """Call `drain` at the first SIGTERM or SIGINT and `cancel` at the second, in the event loop.

    After the second the process ends within five seconds, at the third it leaves at once: nothing
    is lost by that, since a kill may come at any line anyway. Both hold while Python code blocks
    the event loop: these are the interpreter's signal handlers, not the loop's.
    """
    loop = asyncio.get_running_loop()
    farewell = Farewell()
    steps = iter((drain, cancel))

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        step = next(steps, None)
        if step is None:
            os._exit(SECOND_SIGNAL)
        if step is cancel:
            farewell.leave_within(_HURRY_SECONDS, SECOND_SIGNAL)
        with contextlib.suppress(RuntimeError):  # the loop has ended: nothing is left to do
            loop.call_soon_threadsafe(step)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return farewell
