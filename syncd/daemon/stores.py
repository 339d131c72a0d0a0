"""What runs read and write: every store over one database and one fence."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.clock import Clock
from syncd.config.models import Config
from syncd.daemon.settings import to_parameters
from syncd.jobs.admission import Admission
from syncd.jobs.base import Stores, Surroundings
from syncd.jobs.grants import Grants
from syncd.model.address import RedisAddress
from syncd.platforms.base import Platform
from syncd.store import refresh_journal
from syncd.store.accounts import AccountStore
from syncd.store.cleanup import CleanupStore
from syncd.store.contests import ContestStore
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.grants import GrantStore
from syncd.store.key_file import KeyFile
from syncd.store.leaderboards import LeaderboardStore
from syncd.store.listening import ListeningStore
from syncd.store.mirror import MirrorStore
from syncd.store.notifications import NotificationStore
from syncd.store.plans import PlanStore
from syncd.store.refresh_journal import RefreshJournal
from syncd.store.runs import RunStore
from syncd.store.scores import ScoreStore
from syncd.store.sealing import Sealer
from syncd.store.sync import SyncStore
from syncd.store.users import UserStore
from syncd.telemetry.bus import Bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all stores stand on, and where runs tell what happens."""

    database: Database
    fence: Fence
    users: UserStore
    clock: Clock
    bus: Bus


def make_surroundings(
    config: Config, ground: Ground, platforms: Mapping[str, Sequence[Platform]], redis: RedisAddress
) -> Surroundings:
    """Make what runs share."""
    clock, bus, process = ground.clock, ground.bus, f"{socket.gethostname()}:{os.getpid()}"
    sealer = Sealer(KeyFile(config.tokens.key_file))
    holder = f"{process}:{clock.now():%Y%m%dT%H%M%S}"
    stores = _stores(ground, RunStore(ground.database, holder, ground.fence), config, sealer)
    journal = RefreshJournal(config.daemon.state_dir / refresh_journal.NAME, sealer)
    return Surroundings(
        clock=clock,
        bus=bus,
        stores=stores,
        platforms=platforms,
        admission=Admission(clock),
        grants=Grants(stores.grants, journal, clock, bus, process),
        redis=redis,
    )


def _stores(ground: Ground, runs: RunStore, config: Config, sealer: Sealer) -> Stores:
    database, fence = ground.database, ground.fence
    scores = ScoreStore(database, to_parameters(config), fence)
    return Stores(
        database=database,
        runs=runs,
        accounts=AccountStore(database, fence),
        sync=SyncStore(database, runs, scores),
        mirror=MirrorStore(database, runs, ground.users),
        scores=scores,
        leaderboards=LeaderboardStore(database, runs),
        plans=PlanStore(database, fence),
        grants=GrantStore(database, fence, sealer, ground.users),
        listening=ListeningStore(database, fence),
        cleanup=CleanupStore(database, runs),
        notifications=NotificationStore(database, runs),
        contests=ContestStore(database, runs),
    )
