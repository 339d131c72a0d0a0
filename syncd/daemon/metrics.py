"""What a scrape measures: the gates as they are, and what PostgreSQL said last.

A scrape never waits for PostgreSQL: it is asked in the background, while somebody scrapes.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from syncd import __version__
from syncd.config.models import Config
from syncd.daemon.core import Core, clients_of
from syncd.daemon.drift import KIND, board_reading
from syncd.daemon.settings import fresh_for
from syncd.errors import StoreUnavailable
from syncd.model.notification import DeliveryState
from syncd.model.pause import PauseScope
from syncd.outbound.client import PlatformClient
from syncd.store.drift import DriftStore
from syncd.store.metrics import QUANTILES, MetricStore, Synced
from syncd.telemetry.events import Event
from syncd.telemetry.logs import Logs
from syncd.telemetry.metrics import Metrics
from syncd.telemetry.readings import (
    BoardReading,
    GateReading,
    OutboxReading,
    Reading,
    StoreReading,
    Values,
)

# Whoever scrapes, and however often, PostgreSQL is asked no oftener than this.
_ASK_EVERY_SECONDS = 15.0
# Who has not scraped for so long is gone, and PostgreSQL is left alone.
_SCRAPED_WITHIN_SECONDS = 300.0
_PATIENCE_SECONDS = 10.0


class Scraper:
    """Counts what the bus tells, and measures the parts when somebody scrapes.

    `logs` is set by whoever writes log lines in this process.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._metrics = Metrics(__version__, core.config.jobs, core.around.platforms)
        self._store = MetricStore(core.database)
        self._drift = DriftStore(core.database)
        self._stored: StoreReading | None = None
        self._scraped = asyncio.Event()
        self._scraped_at = -math.inf
        self.logs: Logs | None = None

    def note(self, event: Event) -> None:
        """Count an event; a bus subscriber."""
        self._metrics.note(event)

    def know(self, config: Config) -> None:
        """Count what is about the jobs of this configuration as well."""
        self._metrics.know(config.jobs)

    async def scrape(self, *, is_config_ok: bool = True) -> bytes:
        """Return every metric; what PostgreSQL said is some seconds old, in an outage more."""
        self._scraped_at = self._core.clock.monotonic()
        self._scraped.set()
        reading = Reading(
            at=self._core.clock.now(),
            is_store_up=self._is_store_up(),
            is_config_ok=is_config_ok,
            gates=[self._gate_reading(client) for client in clients_of(self._core.around)],
            store=self._stored,
            waits_given_up=self._core.database.waits_given_up,
            is_leader=self._core.leadership.is_leading,
            lines_dropped=0 if self.logs is None else self.logs.lines_dropped,
        )
        return self._metrics.render(reading)

    def _gate_reading(self, client: PlatformClient) -> GateReading:
        """Measure a gate; what a person paused is closed until that ends, if it does."""
        gate = client.gate
        paused = self._core.around.admission.standing(PauseScope.PLATFORM, gate.platform)
        ends_at = gate.closed_until()
        if paused is not None:
            ends = (ends_at, paused.until)
            ends_at = None if paused.until is None else max(filter(None, ends))
        return GateReading(
            platform=gate.platform,
            credential=client.credential.name,
            # Requests under way may yet turn out not to have left, and a counter never goes down.
            calls=gate.calls - gate.in_flight,
            saved=gate.saved,
            quotas_left={resource.name: resource.quota.left() for resource in gate.resources},
            pause_ends_at=ends_at,
            is_held=paused is not None,
            pause_cause="" if gate.pause is None else gate.pause.cause,
        )

    async def keep(self) -> None:
        """Ask PostgreSQL for ever: once at first, then every 15 s as long as somebody scrapes."""
        await self._core.health.ready.wait()
        while True:
            if self._is_store_up():
                await self._ask()
            await self._core.clock.sleep(_ASK_EVERY_SECONDS)
            if self._core.clock.monotonic() - self._scraped_at > _SCRAPED_WITHIN_SECONDS:
                self._scraped.clear()
                await self._scraped.wait()

    def _is_store_up(self) -> bool:
        health = self._core.health
        return health.ready.is_set() and not health.error

    async def _ask(self) -> None:
        """Ask; what is not answered leaves what was said before."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._stored = await self._read()
        except TimeoutError:
            # Not everybody who waits for PostgreSQL may be as patient: let its health be asked.
            self._core.database.trouble.set()
        except StoreUnavailable:
            return

    async def _read(self) -> StoreReading:
        now, contests = self._core.clock.now(), self._core.around.stores.contests
        synced = self._synced(now)
        counted = await self._core.around.stores.accounts.count_by_state()
        since = await self._store.freshness_since(synced)
        names = self._core.scheduler.names()
        return StoreReading(
            at=now,
            accounts={(row["platform"], row["state"]): row["accounts"] for row in counted},
            letters=await self._letters(synced),
            stale_since={
                (platform, quantile): instant
                for platform, instants in since.items()
                for quantile, instant in zip(QUANTILES, instants, strict=True)
            },
            fresh_shares=await self._store.fresh_shares(synced),
            last_successes=await self._store.last_successes(names),
            last_completed=await self._store.last_completed(names),
            boards=await self._boards(),
            contests=await contests.count(now),
            looked_at={
                look["source"]: look["looked_at"]
                for look in await contests.looks()
                if look["looked_at"] is not None
            },
            outbox=await self._outbox(),
        )

    async def _boards(self) -> BoardReading:
        """Measure the leaderboards; a board that its job does not have any more is left out."""
        jobs = [each.job for each in self._core.scheduler.schedules()]
        boards = {job.name: job.work.options.boards for job in jobs if job.kind == KIND}
        found = await self._drift.followed(list(boards)) if boards else {}
        return board_reading(found, boards)

    async def _outbox(self) -> OutboxReading:
        """Measure what is not delivered yet; a channel without anything pending is not behind."""
        store = self._core.around.stores.notifications
        rows = await store.outbox(self._core.around.clock.now())
        return OutboxReading(
            deliveries={(row["channel"], row["state"]): row["deliveries"] for row in rows},
            due_since={
                (row["channel"],): row["oldest_due_at"]
                for row in rows
                if row["state"] == DeliveryState.PENDING and row["oldest_due_at"]
            },
            dead={(name,): count for name, count in (await store.dead_addresses()).items()},
        )

    async def _letters(self, synced: Sequence[Synced]) -> Values:
        """Count the open dead letters; where there is none stands 0, to see the first one come.

        Those of a job that is not in config.toml any more have no job.
        """
        counts: Counter[tuple[str, ...]] = Counter({(one.platform, one.job): 0 for one in synced})
        for row in await self._core.letters.count_open():
            job = row["job"] if row["job"] in self._core.config.jobs else ""
            counts[row["platform"], job] += row["letters"]
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
            for platform in schedule.job.work.followed
        ]
