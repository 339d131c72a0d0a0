"""What the notify comparison runs on: everybody, the contests, and ways to make the same rows.

Contests lie denser in the next days, as they do where most platforms announce a week or two ahead;
a fifth of the users have two leads, a tenth have quiet hours. That makes some 0.9 rows a user due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fakes.running import Running

from syncd.clock import SystemClock
from syncd.store.arming import Arming, quiet_of
from syncd.store.database import Database, Row

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
        CASE WHEN id % 5 = 0 THEN ARRAY[12, 1]
            ELSE ARRAY[(ARRAY[1, 2, 3, 6, 12, 24])[1 + id % 6]] END,
        (ARRAY['UTC', 'Asia/Kolkata', 'America/New_York', 'Europe/Berlin'])[1 + id % 4],
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
        SELECT $1::timestamptz + (n::float8 / $2::integer) ^ 1.08 * interval '60 days' AS starts_at
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
        """Put everybody and every contest into the empty database."""
        for statement, values in (
            (PEOPLE, [users]),
            (PREFERENCES, [self._at]),
            (ADDRESSES, [self._at]),
            (CONTESTS, [self._at, contests]),
        ):
            await self.execute(statement, *values)
        await self.execute("VACUUM ANALYZE")

    async def execute(self, statement: str, *values: object) -> None:
        """Run a statement that may take long."""
        async with self._database.connection() as connection:
            await connection.execute(statement, *values, timeout=LONG_SECONDS)

    async def count(self) -> int:
        """Return how many rows there are."""
        return int(await self.world.value("SELECT count(*) FROM notifications"))

    async def count_of_ready(self) -> int:
        """Return how many rows are as those that were kept, whichever way made them."""
        statement = (
            f"SELECT count(*) FROM (SELECT {COLUMNS} FROM notifications"  # noqa: S608
            f" INTERSECT SELECT {COLUMNS} FROM ready) AS same"
        )
        return int(await self.world.value(statement))

    async def empty(self) -> None:
        """Begin anew, with nothing left to be written by others."""
        await self.execute("TRUNCATE notifications")
        await self.execute("CHECKPOINT")

    async def keep_rows(self) -> None:
        """Keep what syncd made, for the bare insertion."""
        await self.execute("DROP TABLE IF EXISTS ready")
        await self.execute(f"CREATE TABLE ready AS SELECT {COLUMNS} FROM notifications")  # noqa: S608
        await self.execute("VACUUM ANALYZE ready")

    async def loop(self) -> None:
        """Ask for everybody's contests, mark each: as the replaced scheduler does.

        A query a user, a statement a mark, each prepared once and a transaction of its own.
        """
        async with self._database.connection() as connection:
            people = await connection.fetch(
                "SELECT user_id, platforms, leads, timezone, quiet_from, quiet_until FROM"
                " notify_preferences ORDER BY user_id"
            )
            ask = await connection.prepare(LOOP_ASK)
            mark = await connection.prepare(LOOP_MARK)
            for person in people:
                found = await ask.fetch(person["platforms"], self._at, max(person["leads"]))
                for contest in found:
                    for lead in self._due(person, contest["starts_at"]):
                        await mark.fetch(*self._marked(person["user_id"], lead, contest))

    def _due(self, person: Row, starts_at: datetime) -> list[int]:
        quiet = quiet_of(person)
        ends_at = quiet and quiet.until(self._at)
        if ends_at and starts_at > ends_at:
            return []
        return [lead for lead in person["leads"] if starts_at - timedelta(hours=lead) <= self._at]

    def _marked(self, user: int, lead: int, contest: Mapping[str, Any]) -> tuple[Any, ...]:
        starts_at = contest["starts_at"]
        return (
            *(user, contest["id"], lead, contest["schedule_version"], contest["platform"]),
            *(contest["name"], contest["url"], starts_at, contest["ends_at"]),
            *(starts_at - timedelta(hours=lead), self._at),
        )

    async def insert(self) -> None:
        """Insert rows that are there already."""
        await self.execute(
            f"INSERT INTO notifications ({COLUMNS}) SELECT {COLUMNS} FROM ready"  # noqa: S608
        )

    async def arm(self) -> None:
        """Let syncd decide and insert."""
        await self._store.arm(Arming(at=self._at, channels=["email"], since=self._at))
