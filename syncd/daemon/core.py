"""The parts every mode needs: servers, stores, platforms, engine, scheduler."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from syncd import __version__
from syncd.alerts.courier import Courier
from syncd.alerts.desk import AlertDesk
from syncd.alerts.watch import Watch
from syncd.cache.connection import Cache
from syncd.clock import Clock
from syncd.config.models import Config
from syncd.config.values import suggestion
from syncd.daemon.changes import Changes
from syncd.daemon.channels import Channels
from syncd.daemon.gates import GateKeeper
from syncd.daemon.health import StoreHealth
from syncd.daemon.leadership import Leadership
from syncd.daemon.outlets import Outlets, clients_among
from syncd.daemon.scoring import Scoring
from syncd.daemon.servers import Servers
from syncd.daemon.settings import to_database, to_schedules
from syncd.daemon.stores import Ground, make_surroundings
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.embedded.server import EmbeddedServer
from syncd.embedded.valkey import EmbeddedValkey
from syncd.engine.local import LocalEngine
from syncd.errors import NotKnown
from syncd.jobs.base import Surroundings
from syncd.jobs.clocks import forget_ahead
from syncd.model.lease import Candidate
from syncd.outbound.client import PlatformClient
from syncd.runs.runner import Runner
from syncd.schedule.loop import Scheduler
from syncd.store.alerts import AlertStore
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.freshness import FreshnessStore
from syncd.store.gates import GateStore
from syncd.store.leases import LeaseStore
from syncd.store.letters import LetterStore
from syncd.store.overrides import OverrideStore
from syncd.store.pauses import PauseStore
from syncd.store.plans import PlanStore
from syncd.store.users import UserStore
from syncd.telemetry.bus import Bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What a configuration builds; `assemble` makes it, `servers.start` brings it to life."""

    changes: Changes
    clock: Clock
    bus: Bus
    servers: Servers
    database: Database
    # Of its own: a pool that is busy must not cost the lease.
    lease_database: Database
    cache: Cache
    health: StoreHealth
    users: UserStore
    pauses: PauseStore
    gates: GateKeeper
    freshness: FreshnessStore
    letters: LetterStore
    around: Surroundings
    outlets: Outlets
    channels: Channels
    engine: LocalEngine
    scheduler: Scheduler
    leadership: Leadership
    scoring: Scoring
    alerts: AlertDesk
    stack: contextlib.AsyncExitStack = field(repr=False)

    @property
    def plans(self) -> PlanStore:
        """Return what waits for a person."""
        return self.around.stores.plans

    @property
    def config(self) -> Config:
        """Return config.toml as it was applied last."""
        return self.changes.config

    async def __aenter__(self) -> Self:
        """Enter what needs no other machine; servers are started when asked."""
        databases = (self.database, self.lease_database)
        for part in (self.servers, *databases, self.cache, self.gates):
            await self.stack.enter_async_context(part)
        for way in (self.outlets, self.channels):
            await self.stack.enter_async_context(way)
        await self.stack.enter_async_context(self.engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave in reverse: runs, platforms, connections, servers."""
        await self.stack.aclose()

    async def load_pauses(self) -> None:
        """Read from the database what a person paused."""
        self.around.admission.load(await self.pauses.read())

    async def learn(self) -> None:
        """Learn what another process decided while this one did not lead."""
        await self.gates.restore()
        await self.load_pauses()
        await self.changes.load()
        await self.around.stores.runs.drop_unsure()
        await self.around.grants.replay()
        await forget_ahead(self.around)
        self.scoring.look()

    async def settle(self) -> None:
        """Learn when jobs fire, while another process lets them."""
        await self.changes.load()
        anchors = await self.around.stores.runs.anchors(self.scheduler.names())
        for name, anchor in anchors.items():
            self.scheduler.settle(name, anchor)
        await self.load_pauses()

    def check_platform(self, name: str) -> None:
        """Refuse a platform that is not in config.toml.

        Raises:
            NotKnown: there is none of that name.
        """
        if name not in self.around.platforms:
            known = ", ".join(self.around.platforms)
            near = suggestion(name, self.around.platforms)
            raise NotKnown(f"there is no platform {name!r}{near}", hint=f"platforms: {known}")


def assemble(config: Config, clock: Clock, bus: Bus, *, is_firing: bool) -> Core:
    """Build every part of syncd but the control port; nothing is connected or started yet."""
    own_postgres, own_valkey = _own_servers(config, clock, bus)
    postgres = config.database.address() or own_postgres.address
    database = Database(to_database(config, postgres), clock)
    fence, outlets = Fence(), Outlets(config.platforms, clock, bus)
    users, channels = UserStore(database, fence), Channels(config, clock, bus)
    redis = config.redis.address() or own_valkey.address
    ground = Ground(database=database, fence=fence, users=users, clock=clock, bus=bus)
    around = channels.join(make_surroundings(config, ground, outlets.platforms, redis))
    gates = GateKeeper(clients_of(around), GateStore(database, fence), clock, bus)
    health = _health(database, clock, bus, gates)
    engine, lease_database = LocalEngine(Runner(around)), _lease_database(database, clock)
    leadership = _leadership(config, around, engine, LeaseStore(lease_database))
    leadership.before_release = gates.flush
    scheduler = Scheduler(to_schedules(config), engine, around, is_firing=is_firing)
    return Core(
        changes=Changes(config, scheduler, OverrideStore(database, fence), clock, bus),
        clock=clock,
        bus=bus,
        servers=_servers(config, own_postgres, own_valkey),
        database=database,
        lease_database=lease_database,
        cache=Cache(redis, clock),
        health=health,
        users=users,
        pauses=PauseStore(database, fence),
        gates=gates,
        freshness=FreshnessStore(database),
        letters=LetterStore(database, fence),
        around=around,
        outlets=outlets,
        channels=channels,
        engine=engine,
        scheduler=scheduler,
        leadership=leadership,
        scoring=Scoring(around, leadership),
        alerts=_alerts(config, around, scheduler, leadership),
        stack=contextlib.AsyncExitStack(),
    )


def _own_servers(config: Config, clock: Clock, bus: Bus) -> tuple[EmbeddedPostgres, EmbeddedValkey]:
    """Return what stands in for servers that config.toml does not name."""
    folder = config.daemon.state_dir
    return EmbeddedPostgres(folder, bus, clock), EmbeddedValkey(folder, bus, clock)


def _health(database: Database, clock: Clock, bus: Bus, gates: GateKeeper) -> StoreHealth:
    """Watch PostgreSQL; while it is away, gates keep what they would write."""
    health = StoreHealth(database, clock, bus, at_first=gates.restore)
    gates.may_write = lambda: not health.error
    return health


def _servers(config: Config, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> Servers:
    """Start only what config.toml does not name."""
    servers: list[EmbeddedServer] = [postgres] if config.database.address() is None else []
    return Servers([*servers, valkey] if config.redis.address() is None else servers)


def _lease_database(database: Database, clock: Clock) -> Database:
    """Keep a connection for the lease: a pool that is busy must not cost it."""
    return Database(replace(database.settings, pool=1), clock)


def _leadership(
    config: Config, around: Surroundings, engine: LocalEngine, leases: LeaseStore
) -> Leadership:
    runs, ttl = around.stores.runs, config.daemon.lease

    async def let_go() -> None:
        await engine.abort(ttl.total_seconds() / 3)

    leadership = Leadership(
        leases,
        runs.fence,
        Candidate(holder=f"{socket.gethostname()}:{os.getpid()}", version=__version__),
        ttl=ttl,
        let_go=let_go,
        clock=around.clock,
        bus=around.bus,
    )
    leadership.on_renewed = runs.drop_unsure
    return leadership


def _alerts(
    config: Config, around: Surroundings, scheduler: Scheduler, leadership: Leadership
) -> AlertDesk:
    runs, clock = around.stores.runs, around.clock
    store = AlertStore(around.stores.database, runs.fence)
    watch = Watch(store, runs, scheduler, clock)
    courier = Courier(watch, store, runs, clock, around.bus)
    desk = AlertDesk(watch, courier, lambda: not leadership.refusal, clock)
    desk.adopt(config.alerts)
    return desk


def clients_of(around: Surroundings) -> Sequence[PlatformClient]:
    """List every way out: one per platform and credential, and those of their companions."""
    return clients_among(around.platforms.values())
