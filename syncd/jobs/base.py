"""The contract of a job kind, and what a run hands to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from syncd.channels.base import Channel
from syncd.clock import Clock
from syncd.errors import BadInput
from syncd.jobs.admission import Admission
from syncd.jobs.channel_gates import ChannelGates
from syncd.jobs.grants import Grants
from syncd.jobs.in_flight import InFlight
from syncd.jobs.stop import Stop
from syncd.model.address import RedisAddress
from syncd.model.forecast import Forecast
from syncd.model.run import Ending, Run, RunOptions
from syncd.platforms.base import Platform
from syncd.store.accounts import AccountStore
from syncd.store.cleanup import CleanupStore
from syncd.store.contests import ContestStore
from syncd.store.database import Database
from syncd.store.grants import GrantStore
from syncd.store.leaderboards import LeaderboardStore
from syncd.store.listening import ListeningStore
from syncd.store.mirror import MirrorStore
from syncd.store.notifications import NotificationStore
from syncd.store.plans import PlanStore
from syncd.store.runs import RunStore
from syncd.store.scores import ScoreStore
from syncd.store.sync import SyncStore
from syncd.telemetry.bus import Bus
from syncd.telemetry.purpose import Purpose

OptionsT = TypeVar("OptionsT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where runs read and write, by subject."""

    database: Database
    runs: RunStore
    accounts: AccountStore
    sync: SyncStore
    mirror: MirrorStore
    scores: ScoreStore
    leaderboards: LeaderboardStore
    plans: PlanStore
    grants: GrantStore
    listening: ListeningStore
    cleanup: CleanupStore
    notifications: NotificationStore
    contests: ContestStore


def _no_link(user: str, channel: str) -> str:
    """Return no address: there is none under which users reach us."""
    del user, channel
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every run of this process shares.

    `platforms` holds each platform once for every credential, in the order of config.toml.
    `in_flight` holds, per job kind, the accounts some run has asked for and not committed yet: two
    runs never ask for one account at the same time. `grants` renews what users granted. `redis` is
    where the leaderboards are. `channels` holds those that are on,
    `channel_gates` what deliveries pass there, `unsubscribe` makes the link by
    which a user (by key) ends a channel, or returns nothing; `only_to` tells to whom alone may be
    written, keys of users or addresses, and nothing where that is everybody.
    """

    clock: Clock
    bus: Bus
    stores: Stores
    platforms: Mapping[str, Sequence[Platform]]
    admission: Admission
    grants: Grants
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    redis: RedisAddress = field(default_factory=RedisAddress)
    channels: Mapping[str, Channel[Any]] = field(default_factory=dict)
    channel_gates: ChannelGates = field(default_factory=ChannelGates)
    unsubscribe: Callable[[str, str], str] = _no_link
    only_to: Callable[[], Collection[str]] = frozenset


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run, as its job kind sees it.

    `deadline` is on the monotonic clock; None means that nothing waits behind the run. A retry
    fills up the pass that began at `cycle_start`.
    """

    run: Run
    around: Surroundings
    stop: Stop
    deadline: float | None
    cycle_start: datetime | None = None


class JobKind(ABC, Generic[OptionsT]):
    """What a job does; one subclass per file in this folder.

    Args:
        name: the job's name in config.toml.
        options: the kind's own options, validated.
    """

    Options: ClassVar[type[BaseModel]]
    """The pydantic model (frozen, extra forbidden) of the kind's own keys in [jobs.NAME]."""

    is_item_driven: ClassVar[bool] = False
    """Whether a run stops before its own next fire time and leaves the rest due."""

    looks_again: ClassVar[bool] = False
    """Whether `next_retry` is asked also after a run that left nothing undone."""

    def __init__(self, name: str, options: OptionsT) -> None:
        self.name = name
        self.options = options

    @property
    @abstractmethod
    def purpose(self) -> Purpose:
        """Name the log file its lines go to."""

    @property
    def platforms(self) -> tuple[str, ...]:
        """Name the platforms a run asks; empty where it asks none."""
        return ()

    @property
    def followed(self) -> tuple[str, ...]:
        """Name the platforms of which it keeps accounts fresh; empty where it follows none."""
        return ()

    def check(self, options: RunOptions) -> None:
        """Refuse a trigger that asks for what this kind cannot do.

        Raises:
            BadInput: it cannot be narrowed in that way.
        """
        if options.platform and options.platform not in self.platforms:
            raise BadInput(
                f"platform: job {self.name} does not read {options.platform!r}",
                hint=f"it reads {', '.join(self.platforms) or 'no platform'}",
            )

    def needed_since(self, began_at: datetime, by: str = "") -> datetime:
        """Return since when an item must have had a success for a pass to be through with it.

        Args:
            began_at: when the pass began.
            by: the job that had it, as far as that is known.
        """
        del by
        return began_at

    @abstractmethod
    async def run(self, context: RunContext) -> Ending:
        """Do the work once; safe to be killed at any line and repeated."""

    async def next_retry(self, context: Surroundings, cycle_start: datetime) -> datetime | None:
        """Return when something the last pass left undone may be tried again, None for nothing."""
        del context, cycle_start
        return None

    async def forecast(self, context: Surroundings) -> Forecast | None:
        """Return what a run that began now would take; None where that cannot be told before."""
        del context
        return None
