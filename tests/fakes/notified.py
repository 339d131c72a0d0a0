"""Contests, people and channels of a notify run over a real store; the clock is virtual."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, ClassVar

from fakes.clock import FakeClock
from fakes.running import JOB, Running, draft

from syncd.channels.base import Channel
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.jobs.notify import Notify, NotifyOptions
from syncd.jobs.stop import Stop
from syncd.model.notification import Message, Receipt, UnknownPolicy
from syncd.model.run import Run, RunOptions
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.store.database import Database
from syncd.telemetry.bus import Bus

HOUR = timedelta(hours=1)
Sending = Callable[[Message], Awaitable[Receipt]]


class ScriptedChannel(Channel[ChannelSettings]):
    """Keeps what it is given; `sending` decides what comes of it."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, name: str, clock: Clock, bus: Bus, **settings: Any) -> None:
        super().__init__(name, ChannelSettings(**settings), clock=clock, bus=bus)
        self.taken: list[Message] = []
        self.under_way = self.most_under_way = 0
        self.sending: Sending = self.agree

    @classmethod
    def parse_address(cls, address: Any) -> str:
        return str(address)

    async def agree(self, message: Message) -> Receipt:
        await asyncio.sleep(0)
        return Receipt(reference=f"{self.name}-{message.key}")

    async def send(self, message: Message) -> Receipt:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.taken.append(message)
        try:
            return await self.sending(message)
        finally:
            self.under_way -= 1

    @property
    def keys(self) -> Counter[str]:
        return Counter(message.key for message in self.taken)

    @property
    def told(self) -> list[tuple[str, str, int]]:
        """To whom, why, how many hours before."""
        return sorted((each.address, str(each.occasion), each.lead_hours) for each in self.taken)


class Notified:
    """A world with channels; `at` in its methods are hours from the clock's now."""

    def __init__(
        self, world: Running, clock: FakeClock, channels: Sequence[ScriptedChannel]
    ) -> None:
        self.world = world
        self.clock = clock
        self.channels = {each.name: each for each in channels}
        self.world.around = replace(world.around, channels=self.channels)
        self.world.runner._around = self.world.around

    @property
    def store(self) -> Any:
        return self.world.around.stores.notifications

    @property
    def email(self) -> ScriptedChannel:
        return self.channels["email"]

    def told(self, kind: Any) -> list[Any]:
        return self.world.told(kind)

    async def person(self, key: str = "ada", *leads: int, **more: Any) -> int:
        """A user with preferences; `channels` name where they are reached, at KEY@CHANNEL."""
        channels = more.pop("channels", list(self.channels))
        quiet: tuple[time | None, time | None] = more.pop("quiet", (None, None))
        long_ago = self.clock.now() - timedelta(days=30)
        number: int = await self.world.value(
            "INSERT INTO users (key) VALUES ($1)"
            " ON CONFLICT (key) DO UPDATE SET key = $1 RETURNING id",
            key,
        )
        await self.world.rows(
            "INSERT INTO notify_preferences (user_id, platforms, leads, timezone, quiet_from,"
            " quiet_until, wants_digest, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (user_id) DO UPDATE SET leads = EXCLUDED.leads,"
            " platforms = EXCLUDED.platforms, updated_at = EXCLUDED.updated_at",
            *(number, more.get("platforms", []), list(leads) or [24]),
            *(more.get("timezone", "UTC"), *quiet, more.get("digest", False)),
            more.get("since", long_ago),
        )
        for channel in channels:
            await self.world.rows(
                "INSERT INTO notify_addresses (user_id, channel, address, state_since)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                *(number, channel, f"{key}@{channel}", long_ago),
            )
        return number

    async def contest(self, at: float, name: str = "Round 1", **more: Any) -> int:
        """A contest that starts in so many hours, known for a month."""
        now = self.clock.now()
        starts_at = now + at * HOUR
        number: int = await self.world.value(
            "INSERT INTO contests (platform, external_id, name, url, starts_at, ends_at,"
            " duration_seconds, occasion_at, source, raw, first_seen_at, last_seen_at,"
            " changed_at) VALUES ($1, $2, $2, 'https://example.org/c', $3, $4, 7200, $5, $1, '{}',"
            " $5, $6, $5) RETURNING id",
            *(more.get("platform", "codeforces"), name, starts_at),
            starts_at + more.get("hours", 2) * HOUR,
            now + more.get("seen", -720) * HOUR,
            now,
        )
        return number

    async def move(self, contest: int, at: float) -> None:
        """The start moves to so many hours from now."""
        await self.change(contest, "moved", "schedule_version + 1", self.clock.now() + at * HOUR)

    async def cancel(self, contest: int) -> None:
        await self.change(contest, "cancelled", "schedule_version", None)

    async def restore(self, contest: int) -> None:
        await self.change(contest, "restored", "schedule_version + 1", None)

    async def change(
        self, contest: int, why: str, version: str, starts_at: datetime | None
    ) -> None:
        await self.world.rows(
            f"UPDATE contests SET occasion = $2, schedule_version = {version}, occasion_at = $3,"  # noqa: S608
            " previous_starts_at = CASE $2::text WHEN 'moved' THEN starts_at"
            " ELSE previous_starts_at END,"
            " cancelled_at = CASE WHEN $2 = 'cancelled' THEN $3::timestamptz END,"
            " ends_at = COALESCE($4::timestamptz + (ends_at - starts_at), ends_at),"
            " starts_at = COALESCE($4::timestamptz, starts_at) WHERE id = $1",
            *(contest, why, self.clock.now(), starts_at),
        )

    async def run(self, **options: Any) -> Run:
        """Run the job a second later, to its end."""
        run_id = await self.start(**options)
        return await self.clock.run(self.world.end_of(run_id))

    async def start(self, stop: Stop | None = None, hour: int = 8, **options: Any) -> int:
        await self.clock.advance(1)
        asked = draft(self.clock, RunOptions(**options), kind="notify")
        run_id = await self.world.runs.create(asked)
        await self.go_on(run_id, stop, hour)
        return run_id

    async def go_on(self, run_id: int, stop: Stop | None = None, hour: int = 8) -> None:
        run = await self.world.runs.read(run_id)
        assert run is not None
        work = Notify(JOB, NotifyOptions(digest_hour=hour))
        job = Job(name=JOB, kind="notify", work=work)
        self.world.engine.start(Order(run=run, job=job, stop=stop or Stop()))

    async def rows(self, columns: str = "state") -> list[Any]:
        found = await self.world.rows(f"SELECT {columns} FROM notifications ORDER BY id")  # noqa: S608
        return [tuple(row.values()) if len(row) > 1 else next(iter(row.values())) for row in found]

    async def states(self) -> Counter[str]:
        return Counter(await self.rows())


@asynccontextmanager
async def notified(
    database: Database,
    clock: FakeClock,
    *names: str,
    holder: str = "one",
    **settings: Any,
) -> AsyncIterator[Notified]:
    world = Running(database, clock, holder)
    channels = [ScriptedChannel(name, clock, world.bus, **settings) for name in names or ("email",)]
    with world.bus.subscribed(world.events.append):
        async with world.engine:
            yield Notified(world, clock, channels)


def resending(channel: ScriptedChannel) -> None:
    """Let a channel send once more what is not known to have arrived."""
    channel.settings = channel.settings.model_copy(update={"on_unknown": UnknownPolicy.RESEND})
