"""What a scrape measures: the gates as they are, PostgreSQL at most every 15 seconds."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from syncd import __version__
from syncd.daemon.core import Core
from syncd.daemon.settings import fresh_for
from syncd.errors import StoreUnavailable
from syncd.platforms.base import Platform
from syncd.store.metrics import QUANTILES, MetricStore, Synced
from syncd.telemetry.events import Event
from syncd.telemetry.logs import Logs
from syncd.telemetry.metrics import GateReading, Metrics, Reading, StoreReading, Values

# Whoever scrapes, and however often, PostgreSQL is asked no oftener than this.
_ASK_EVERY_SECONDS = 15.0
# Prometheus gives up after 10 s by default; without PostgreSQL the rest must still get through.
_PATIENCE_SECONDS = 3.0


class Scraper:
    """Counts what the bus tells, and measures the parts when somebody scrapes.

    `logs` is set by whoever writes log lines in this process.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._metrics = Metrics(__version__, core.config.jobs, core.around.platforms)
        self._store = MetricStore(core.database)
        self._turn = asyncio.Lock()
        self._stored: StoreReading | None = None
        self._asked_at = -math.inf
        self.logs: Logs | None = None

    def note(self, event: Event) -> None:
        """Count an event; a bus subscriber."""
        self._metrics.note(event)

    async def scrape(self) -> bytes:
        """Return every metric; what PostgreSQL says is left out while it does not answer."""
        reading = Reading(
            gates=[
                _gate_reading(platform)
                for each in self._core.around.platforms.values()
                for platform in each
            ],
            store=await self._latest(),
            lines_dropped=0 if self.logs is None else self.logs.lines_dropped,
        )
        return self._metrics.render(reading)

    async def _latest(self) -> StoreReading | None:
        health = self._core.health
        if health.error or not health.ready.is_set():
            return None
        async with self._turn:
            now = self._core.clock.monotonic()
            if now - self._asked_at >= _ASK_EVERY_SECONDS:
                self._asked_at = now
                self._stored = await self._ask()
            return self._stored

    async def _ask(self) -> StoreReading | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._read()
        except (StoreUnavailable, TimeoutError):
            return None

    async def _read(self) -> StoreReading:
        now = self._core.clock.now()
        synced = self._synced(now)
        counted = await self._core.around.stores.accounts.count_by_state()
        since = await self._store.freshness_since(synced)
        return StoreReading(
            accounts={(row["platform"], row["state"]): row["accounts"] for row in counted},
            letters=await self._letters(synced),
            ages={
                (platform, quantile): (now - instant).total_seconds()
                for platform, instants in since.items()
                for quantile, instant in zip(QUANTILES, instants, strict=True)
            },
            fresh_shares=await self._store.fresh_shares(synced),
            last_successes=await self._store.last_successes(self._core.scheduler.names()),
        )

    async def _letters(self, synced: Sequence[Synced]) -> Values:
        """Count the open dead letters; where there is none stands 0, to see the first one come."""
        counts: Counter[tuple[str, ...]] = Counter({(one.platform, one.job): 0 for one in synced})
        for row in await self._core.letters.count_open():
            counts[row["platform"], row["job"]] += row["letters"]
        return counts

    def _synced(self, now: datetime) -> Sequence[Synced]:
        """List what each job keeps fresh, in the terms of `syncd status`."""
        scheduler = self._core.scheduler
        return [
            Synced(
                job=schedule.job.name,
                kind=schedule.job.kind,
                platform=platform,
                since=now - fresh_for(schedule.job) - scheduler.interval(schedule.job.name),
            )
            for schedule in scheduler.schedules()
            for platform in schedule.job.work.platforms
        ]


def _gate_reading(platform: Platform) -> GateReading:
    gate = platform.client.gate
    return GateReading(
        platform=platform.name,
        credential=platform.client.credential.name,
        # Requests under way may yet turn out not to have left, and a counter never goes down.
        calls=gate.calls - gate.in_flight,
        saved=gate.saved,
        quota_left=gate.quota.left(),
        pause_ends_at=gate.closed_until(),
    )
