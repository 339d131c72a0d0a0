"""What the service manager is told of a daemon: when it is up, how it is, that it lives."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Self

from syncd.daemon.core import Core
from syncd.daemon.systemd import Notifier
from syncd.daemon.watchdog import Watchdog
from syncd.model.run import Outcome
from syncd.telemetry.events import (
    DaemonStarted,
    Event,
    RunFinished,
    StoreLost,
    StoreRecovered,
)

_BEAT_SECONDS = 1.0
_FIRST_BEAT_SECONDS = 0.1
# As long as syncd starts or stops it asks for time, so far ahead.
_EXTENSION_SECONDS = 60.0
_EXTEND_EVERY_SECONDS = 10.0


class Supervision:
    """The pulse of the event loop: it feeds the watchdog and the service manager.

    syncd is up when its control port answers, its own servers run and the database was reached or
    found to be away: then it is up all the same, says so, and goes on trying. Nothing here asks
    the database. Subscribe `note` to the bus.
    """

    def __init__(self, core: Core, notifier: Notifier, watchdog: Watchdog) -> None:
        self._core = core
        self._notifier = notifier
        self._watchdog = watchdog
        self._pulse = asyncio.TaskGroup()
        self._beating: asyncio.Task[None] | None = None
        self._has_servers = False
        self._is_up = False
        self._is_stopping = False
        self._lost = ""
        self._failing: set[str] = set()
        self._extended_at = self._pinged_at = -_EXTENSION_SECONDS

    async def __aenter__(self) -> Self:
        await self._pulse.__aenter__()
        self._beating = self._pulse.create_task(self._beat_on(), name="pulse")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._beating is not None
        self._beating.cancel()
        await self._pulse.__aexit__(None, None, None)

    def note(self, event: Event) -> None:
        """Follow what happens; a bus subscriber."""
        match event:
            case DaemonStarted():
                self._has_servers = True
            case StoreLost(error=error):
                self._lost = error
            case StoreRecovered():
                self._lost = ""
            case RunFinished(run=run) if not (run.options.only or run.options.dry_run):
                is_failing = run.outcome in {Outcome.FAILED, Outcome.ABANDONED}
                (self._failing.add if is_failing else self._failing.discard)(run.job)

    def reloading(self) -> None:
        """Tell that the configuration is read again; `reloaded` must follow, whatever comes of it.

        Before syncd is up there is nothing to tell: the start is not over.
        """
        if self._is_up:
            self._notifier.reloading()

    def reloaded(self) -> None:
        """Tell that a reload is over, and how things are now; not once the end has begun."""
        if self._is_up and not self._is_stopping:
            self._notifier.ready(self._words())

    def stopping(self) -> None:
        """Tell that the end has begun, before anything else of it happens."""
        self._is_stopping = True
        self._notifier.stopping(self._words())

    async def _beat_on(self) -> None:
        while True:
            self._beat()
            wait = _BEAT_SECONDS if self._is_up or self._is_stopping else _FIRST_BEAT_SECONDS
            await self._core.clock.sleep(wait)

    def _beat(self) -> None:
        now = self._core.clock.monotonic()
        self._watchdog.beat()
        if now - self._pinged_at >= min(_EXTEND_EVERY_SECONDS, self._notifier.watchdog_seconds / 3):
            self._pinged_at = now
            self._notifier.alive()
        is_known = self._core.health.ready.is_set() or bool(self._lost)
        if not self._is_up and self._has_servers and is_known and not self._is_stopping:
            self._is_up = True
            self._notifier.ready(self._words())
        self._notifier.status(self._words())
        is_changing = self._is_stopping or not self._is_up
        if is_changing and now - self._extended_at >= _EXTEND_EVERY_SECONDS:
            self._extended_at = now
            self._notifier.extend(_EXTENSION_SECONDS)

    def _words(self) -> str:
        """Say how things are: `3 running, 1 failing, next github-profiles 12:00Z`."""
        running = f"{len(self._core.engine.active())} running"
        if self._is_stopping:
            return f"stopping, {running}"
        if self._lost:
            return f"degraded, {running}: {self._lost}; syncd keeps trying"
        if not self._is_up:
            return f"starting: {'the database' if self._has_servers else 'servers'}"
        return f"{running}, {len(self._failing)} failing, {self._next()}"

    def _next(self) -> str:
        entry = self._core.scheduler.upcoming()
        if entry is None:
            return "nothing is due"
        return f"next {entry.job} {_clock_time(entry.at, self._core.clock.now())}"


def _clock_time(at: datetime, now: datetime) -> str:
    """Write an instant as short as it is understood: the day only where it is another one."""
    return f"{at:%H:%MZ}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%MZ}"
