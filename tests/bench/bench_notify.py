"""Who is due for which contest: syncd beside the replaced loop and a bare insertion; then sending.

    python tests/bench/bench_notify.py [USERS [CONTESTS]] [--repeats R]

Real PostgreSQL. The replaced loop asks for the contests of one user after the other and inserts a
row at a time; the bare insertion copies the very rows that syncd makes out of a table, all at once,
into the same empty table with the same indexes. All take turns in one run; ratios are those of the
same turn. Sending goes over a channel that takes everything at once. Nothing is asserted on time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_scores import LoopWatch, database
from fakes.notified import ScriptedChannel
from fakes.running import JOB, Running, draft

from syncd.clock import SystemClock
from syncd.jobs.notify import Notify, NotifyOptions
from syncd.jobs.stop import Stop
from syncd.model.notification import Message, Receipt
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.store.arming import Arming
from syncd.store.database import Database
from syncd.telemetry.events import Event, NotificationsDispatched

LONG_SECONDS = 600
COLUMNS = (
    "user_id, contest_id, channel, occasion, lead_hours, schedule_version, platform, contest_name,"
    " contest_url, starts_at, ends_at, previous_starts_at, due_at, expires_at, state,"
    " next_attempt_at, error, created_at, updated_at"
)
PEOPLE = """
    INSERT INTO users (key) SELECT 'user-' || n FROM generate_series(1, $1) AS n
"""
PREFERENCES = """
    INSERT INTO notify_preferences (user_id, platforms, leads, timezone, quiet_from, quiet_until,
        updated_at)
    SELECT id, (ARRAY['{codeforces,leetcode,codechef}', '{codeforces,leetcode,atcoder}',
            '{codeforces,codechef,atcoder}', '{leetcode,codechef,atcoder}'])[1 + id % 4]::text[],
        ARRAY[(ARRAY[1, 2, 3, 6, 12, 24])[1 + id % 6]], (ARRAY['UTC', 'Asia/Kolkata',
            'America/New_York', 'Europe/Berlin'])[1 + id % 4],
        CASE WHEN id % 10 = 0 THEN time '22:00' END, CASE WHEN id % 10 = 0 THEN time '07:00' END,
        $1::timestamptz - interval '90 days'
    FROM users
"""
ADDRESSES = """
    INSERT INTO notify_addresses (user_id, channel, address, state_since)
    SELECT id, 'email', key || '@example.org', $1::timestamptz - interval '90 days' FROM users
"""
CONTESTS = """
    INSERT INTO contests (platform, external_id, name, url, starts_at, ends_at, duration_seconds,
        occasion_at, source, raw, first_seen_at, last_seen_at, changed_at)
    SELECT (ARRAY['codeforces', 'leetcode', 'codechef', 'atcoder'])[1 + n % 4], 'c' || n,
        'Round ' || n, 'https://example.org/contest/' || n, starts_at,
        starts_at + interval '2 hours', 7200, $1::timestamptz - interval '90 days', 'platform',
        '{}', $1, $1, $1
    FROM generate_series(1, $2::integer) AS n
    CROSS JOIN LATERAL (
        SELECT $1::timestamptz + n * interval '60 days' / $2::integer AS starts_at
    ) AS at
"""
LOOP_ASK = """
    SELECT id, platform, name, url, starts_at, ends_at, schedule_version FROM contests
    WHERE platform = ANY($1) AND starts_at > $2
        AND starts_at <= $2::timestamptz + make_interval(hours => $3)
"""
LOOP_MARK = f"""
    INSERT INTO notifications ({COLUMNS})
    VALUES ($1, $2, 'email', 'reminder', $3, $4, $5, $6, $7, $8, $9, NULL, $10, $8, 'pending', $11,
        '', $11, $11)
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - columns of our own


class Arena:
    """The database with everybody in it."""

    def __init__(self, opened: Database, at: datetime) -> None:
        self._database = opened
        self._at = at
        self.world = Running(opened, SystemClock(), "bench")
        self._store = self.world.around.stores.notifications

    async def fill(self, users: int, contests: int) -> None:
        for statement, values in (
            (PEOPLE, [users]),
            (PREFERENCES, [self._at]),
            (ADDRESSES, [self._at]),
            (CONTESTS, [self._at, contests]),
        ):
            await self.execute(statement, *values)
        await self.execute("VACUUM ANALYZE")

    async def execute(self, statement: str, *values: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(statement, *values, timeout=LONG_SECONDS)

    async def count(self) -> int:
        return int(await self.world.value("SELECT count(*) FROM notifications"))

    async def empty(self) -> None:
        await self.execute("TRUNCATE notifications")
        await self.execute("CHECKPOINT")

    async def keep_rows(self) -> None:
        """Keep what syncd made, for the bare insertion."""
        await self.execute("DROP TABLE IF EXISTS ready")
        await self.execute(f"CREATE TABLE ready AS SELECT {COLUMNS} FROM notifications")  # noqa: S608
        await self.execute("VACUUM ANALYZE ready")

    async def loop(self) -> None:
        """Ask for everybody's contests, mark each: as the replaced scheduler does."""
        async with self._database.connection() as connection:
            people = await connection.fetch(
                "SELECT user_id, platforms, leads[1] AS lead, timezone, quiet_from FROM"
                " notify_preferences ORDER BY user_id"
            )
            ask = await connection.prepare(LOOP_ASK)
            mark = await connection.prepare(LOOP_MARK)
            for person in people:
                lead = person["lead"]
                for row in await ask.fetch(person["platforms"], self._at, lead):
                    await mark.fetch(
                        *(person["user_id"], row["id"], lead, row["schedule_version"]),
                        *(row["platform"], row["name"], row["url"], row["starts_at"]),
                        *(row["ends_at"], row["starts_at"] - timedelta(hours=lead), self._at),
                    )

    async def insert(self) -> None:
        """Insert rows that are there already."""
        await self.execute(
            f"INSERT INTO notifications ({COLUMNS}) SELECT {COLUMNS} FROM ready"  # noqa: S608
        )

    async def arm(self) -> None:
        """Let syncd decide and insert."""
        await self._store.arm(Arming(at=self._at, channels=["email"], since=self._at))


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def told(name: str, seconds: list[float], rows: int, note: str = "") -> None:
    spread = f"{median(seconds):8.3f} s [{min(seconds):.3f}..{max(seconds):.3f}]"
    print(f"{name:24}{spread:36}{rows:>10,} rows  {note}", flush=True)


async def compare(arena: Arena, repeats: int) -> None:
    arms: list[float] = []
    again: list[float] = []
    bare: list[float] = []
    for _ in range(repeats):
        await arena.empty()
        arms.append(await timed(arena.arm))
        made = await arena.count()
        again.append(await timed(arena.arm))
        more = await arena.count() - made
        await arena.keep_rows()
        await arena.empty()
        bare.append(await timed(arena.insert))
        assert await arena.count() == made
    await arena.empty()
    loop = await timed(arena.loop)
    by_loop = await arena.count()
    ratio = median(mine / other for mine, other in zip(arms, bare, strict=True))
    told("replaced loop", [loop], by_loop, "knows no quiet hours")
    told("bare insertion", bare, made)
    told("syncd", arms, made, f"{loop / median(arms):.0f}x loop, {ratio:.2f} of bare insertion")
    told("syncd, a second run", again, more)


class Swallowing(ScriptedChannel):
    """Takes everything and keeps nothing."""

    async def send(self, message: Message) -> Receipt:
        del message
        await asyncio.sleep(0)
        return Receipt()


async def send(world: Running, deliveries: int) -> None:
    """Send what is due, and tell how fast and in how much memory."""
    channel = Swallowing("email", world.clock, world.bus, slots=100)
    object.__setattr__(world.around, "channels", {"email": channel})
    users: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, NotificationsDispatched):
            users.append(event.users)

    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_id = await world.runs.create(draft(world.clock, kind="notify"))
    run = await world.runs.read(run_id)
    assert run is not None
    work = Job(name=JOB, kind="notify", work=Notify(JOB, NotifyOptions()))
    watch = LoopWatch()
    with world.bus.subscribed(note):
        async with world.engine, asyncio.TaskGroup() as group:
            watching = group.create_task(watch.watch())
            begun = time.perf_counter()
            world.engine.start(Order(run=run, job=work, stop=Stop()))
            ended = await world.end_of(run_id, LONG_SECONDS)
            seconds = time.perf_counter() - begun
            watching.cancel()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sent = ended.report.created
    print(
        f"sending, 100 slots: {sent:,} to {users[0]:,} users in {seconds:.1f} s,"
        f" {sent / seconds:,.0f}/s, +{grown:.1f} MB over the peak before,"
        f" loop held {watch.longest * 1e3:.0f} ms at most"
    )


async def main(arguments: argparse.Namespace) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    async with database() as opened:
        arena = Arena(opened, now)
        await arena.fill(arguments.users, arguments.contests)
        print(f"{arguments.users:,} users, {arguments.contests:,} contests")
        await compare(arena, arguments.repeats)
        await arena.empty()
        await send(arena.world, arguments.users)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", type=int, nargs="?", default=20_000)
    parser.add_argument("contests", type=int, nargs="?", default=200)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parsed()))
