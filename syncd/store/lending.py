"""Who holds the connections of a pool: what a person must know when there is no free one."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Iterator
from types import FrameType

import structlog

from syncd.clock import Clock
from syncd.errors import StoreUnavailable

log = structlog.get_logger()

# What stands between whoever asks for a connection and us.
_BETWEEN = {"contextlib", "syncd.store.database", __name__}


class Lending:
    """Notes who borrows; `exhausted` counts the waits that ended without a connection.

    Args:
        most: how many connections the pool lends at a time.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._numbers = itertools.count()
        self._held: dict[int, tuple[str, float]] = {}
        self._is_told = False
        self.exhausted = 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Note that the caller holds a connection as long as the context lasts."""
        number = next(self._numbers)
        self._held[number] = (_borrower(), self._clock.monotonic())
        self._is_told = False
        try:
            yield
        finally:
            del self._held[number]

    def refuse(self, waited_seconds: float) -> StoreUnavailable | None:
        """Return the error of a wait that ended without a connection; None: the pool has more.

        It is counted, and told once until somebody gets a connection again.
        """
        if len(self._held) < self._most:
            return None
        self.exhausted += 1
        holders = self.holders()
        if not self._is_told:
            self._is_told = True
            log.warning("store.exhausted", waited_seconds=waited_seconds, holders=holders)
        return StoreUnavailable(
            f"no connection to PostgreSQL was free within {waited_seconds:g} s: all {self._most}"
            f" are in use, the longest by {holders[0]}",
            hint="see `syncd logs` for who holds them; raise [database] pool if this comes again",
        )

    def holders(self) -> list[str]:
        """Name who holds a connection and for how long, the longest first."""
        now = self._clock.monotonic()
        return [f"{name} for {now - since:.1f} s" for name, since in self._held.values()]


def _borrower() -> str:
    """Name the method that asked for a connection, and the run it does so for."""
    # Names that callers would have to hand down are wrong after the first copy; frames are not.
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    name = "somebody" if frame is None else frame.f_code.co_qualname
    run = structlog.contextvars.get_contextvars().get("run_id")
    return name if run is None else f"{name} of run {run}"
