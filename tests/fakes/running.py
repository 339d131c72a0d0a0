"""Runs over a real store: engine, scheduler and a platform whose answers a test decides."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from syncd.clock import Clock
from syncd.engine.local import LocalEngine
from syncd.jobs.admission import Admission
from syncd.jobs.base import JobKind, RunContext, Stores, Surroundings
from syncd.jobs.grants import Grants
from syncd.jobs.profiles import Profiles, ProfilesOptions
from syncd.jobs.stop import Stop
from syncd.model.account import Account, UserEntry
from syncd.model.address import RedisAddress
from syncd.model.profile import Fetched, Profile, Unchanged
from syncd.model.run import Cause, Fire, Outcome, Run, RunId, RunOptions, SkipReason
from syncd.model.score import Scale
from syncd.outbound.answers import judge_by_status
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.meter import current_meter
from syncd.outbound.request import Endpoint
from syncd.platforms.base import Platform
from syncd.runs.job import Job
from syncd.runs.runner import Order, Runner
from syncd.schedule.loop import Scheduler
from syncd.schedule.roster import Schedule
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
from syncd.telemetry.events import Event

JOB = "sync"
PLAY = "play"
Answering = Callable[[Account], Awaitable[Fetched | Unchanged]]


def profile_of(account: Account, **raw: Any) -> Fetched:
    """A good answer about an account; `raw` goes into the stored answer."""
    whole = {"login": account.handle, **raw}
    return Fetched(
        profile=Profile(external_id=f"id-{account.handle}", handle=account.handle, raw=whole)
    )


class ScriptedPlatform(Platform):
    """Answers as `answering` says, without a socket, and counts who was asked for."""

    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"[\w.-]+")

    def __init__(self, clock: Clock, bus: Bus, *, name: str = PLAY, slots: int = 10) -> None:
        limits = Limits(rate=math.inf, burst=1, slots=slots)
        endpoint = Endpoint(
            platform=name,
            base_url="http://127.0.0.1:9",
            credential=Credential.bearer("main", "token"),
            limits=Limits(rate=1_000, slots=slots, reserve=0.2),
            allow_private=True,
        )
        client = PlatformClient(endpoint, judge_by_status, clock=clock, bus=bus, random=Random(1))
        super().__init__(name, client, limits)
        self.asked: Counter[str] = Counter()
        self.under_way = 0
        self.most_under_way = 0
        self.answering: Answering = self.agree

    async def agree(self, account: Account) -> Fetched:
        await asyncio.sleep(0)
        return profile_of(account)

    async def fetch(self, account: Account) -> Fetched | Unchanged:
        self.asked[account.handle] += 1
        meter = current_meter.get()
        assert meter is not None
        meter.calls += 1
        breaker = self.client.gate.breaker
        breaker.check()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            with breaker.judging(account.handle):
                return await self.answering(account)
        finally:
            self.under_way -= 1


class Running:
    """One process: its stores, engine and scheduler, and everything it told."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        holder: str,
        accounts: type[AccountStore] = AccountStore,
        redis: RedisAddress | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.bus = Bus()
        self.events: list[Event] = []
        fence = Fence()
        self.users = UserStore(database, fence)
        runs = RunStore(database, holder, fence)
        scores = ScoreStore(
            database, {PLAY: Scale(rating_from=0, rating_to=100, solved_full=100)}, fence
        )
        self.platform = ScriptedPlatform(clock, self.bus)
        # Nothing here grants anything.
        nowhere = Path("/nonexistent")
        sealer = Sealer(KeyFile(nowhere / "token-keys"))
        grants = GrantStore(database, fence, sealer, self.users)
        self.around = Surroundings(
            clock=clock,
            bus=self.bus,
            stores=Stores(
                database=database,
                runs=runs,
                accounts=accounts(database, runs.fence),
                sync=SyncStore(database, runs, scores),
                mirror=MirrorStore(database, runs, self.users),
                scores=scores,
                leaderboards=LeaderboardStore(database, runs),
                plans=PlanStore(database, runs.fence),
                grants=grants,
                listening=ListeningStore(database, runs.fence),
                cleanup=CleanupStore(database, runs),
                notifications=NotificationStore(database, runs),
                contests=ContestStore(database, runs),
            ),
            platforms={PLAY: [self.platform]},
            admission=Admission(clock),
            grants=Grants(
                grants, RefreshJournal(nowhere / "journal", sealer), clock, self.bus, holder
            ),
            redis=redis or RedisAddress(),
        )
        self.runner = Runner(self.around)
        self.engine = LocalEngine(self.runner)
        self._ended: dict[int, asyncio.Future[Run]] = {}
        self.engine.on_end(lambda run: self._ending(run.id).set_result(run))

    @property
    def runs(self) -> RunStore:
        return self.around.stores.runs

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def scheduler(self, *schedules: Schedule, is_firing: bool = True) -> Scheduler:
        return Scheduler(schedules, self.engine, self.around, is_firing=is_firing)

    async def link(self, count: int, *, first: int = 0) -> list[str]:
        """Link users u0000, u0001, ... whose handles are h0000, h0001, ..."""
        numbers = range(first, first + count)
        await self.users.put(
            [UserEntry(key=f"u{n:04}", accounts={PLAY: f"h{n:04}"}) for n in numbers]
        )
        return [f"u{n:04}" for n in numbers]

    async def relink(self, user: str, handle: str) -> None:
        """Link another handle, or none where it is empty."""
        await self.users.put([UserEntry(key=user, accounts={PLAY: handle})])

    async def start_nothing(self) -> RunId:
        """Create a run that nobody executes."""
        return await self.runs.create(draft(self.clock))

    async def start(
        self,
        work: JobKind[Any] | None = None,
        *,
        deadline: float | None = None,
        **options: Any,
    ) -> RunId:
        """Start a run of the job `sync` at once and return its number."""
        job = to_job(work)
        run_id = await self.runs.create(draft(self.clock, RunOptions(**options)))
        run = await self.runs.read(run_id)
        assert run is not None
        self.engine.start(Order(run=run, job=job, stop=Stop(), deadline=lambda _: deadline))
        return run_id

    async def retry(self, work: JobKind[Any] | None = None) -> Run:
        """Run the job as a retry of its last pass, to its end."""
        run_id = await self.runs.create(draft(self.clock, cause=Cause.RETRY))
        run = await self.runs.read(run_id)
        assert run is not None
        self.engine.start(Order(run=run, job=to_job(work), stop=Stop()))
        return await self.end_of(run_id)

    async def go_on(self, run: Run, work: JobKind[Any] | None = None) -> Run:
        """Go on with a run that was interrupted, to its end."""
        self.engine.start(Order(run=run, job=to_job(work), stop=Stop()))
        return await self.end_of(run.id)

    async def end_of(self, run_id: int, seconds: float = 20.0) -> Run:
        """Return a run of this process once it has ended."""
        async with asyncio.timeout(seconds):
            return await self._ending(run_id)

    async def run(self, work: JobKind[Any] | None = None, **options: Any) -> Run:
        return await self.end_of(await self.start(work, **options))

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def value(self, query: str, *values: Any) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *values)

    def _ending(self, run_id: int) -> asyncio.Future[Run]:
        loop = asyncio.get_running_loop()
        return self._ended.setdefault(run_id, loop.create_future())


def draft(clock: Clock, options: RunOptions | None = None, **changes: Any) -> Run:
    """A run that is not stored yet."""
    whole: dict[str, Any] = {
        "id": RunId(0),
        "job": JOB,
        "kind": "profiles",
        "cause": Cause.MANUAL,
        "outcome": Outcome.CLAIMED,
        "options": options or RunOptions(),
        "claimed_at": clock.now(),
    }
    return Run(**(whole | changes))


def fire_at(at: datetime, **changes: Any) -> Fire:
    """A fire time of the job `sync` that is decided; it runs unless a reason is given."""
    fire = Fire(job=JOB, kind="profiles", cause=Cause.SCHEDULE, fire_time=at, due_at=at)
    return fire._replace(**changes)


async def claim_fire(
    runs: RunStore, fire: Fire, *, skip_reason: SkipReason | None = None
) -> RunId | None:
    """Claim one fire time when it is due; its run's number where it is ours."""
    claimed = await runs.claim([fire._replace(skip_reason=skip_reason)], fire.due_at)
    return claimed[0].id if claimed else None


def context_of(world: Running, run: Run) -> RunContext:
    """What a job kind sees of a run that nobody executes."""
    return RunContext(run=run, around=world.around, stop=Stop(), deadline=None)


def profiles(**options: Any) -> Profiles:
    return Profiles(JOB, ProfilesOptions(platforms=(PLAY,), **options))


def to_job(work: JobKind[Any] | None = None, **changes: Any) -> Job:
    return Job(name=JOB, kind="profiles", work=work or profiles(), **changes)


@asynccontextmanager
async def running(
    database: Database,
    clock: Clock,
    *,
    holder: str = "one",
    accounts: type[AccountStore] = AccountStore,
    redis: RedisAddress | None = None,
) -> AsyncIterator[Running]:
    world = Running(database, clock, holder, accounts, redis)
    with world.bus.subscribed(world.events.append):
        async with world.engine:
            yield world


def handles(numbers: Iterable[int]) -> Sequence[str]:
    return [f"h{n:04}" for n in numbers]
