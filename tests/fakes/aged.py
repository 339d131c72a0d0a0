"""Rows of every age, put there as if syncd had run for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from fakes.running import PLAY, Running

from syncd.clock import Clock
from syncd.model.account import UserEntry

CONTEST = "Weekly 1"
_CONTESTS = """
    INSERT INTO contests (platform, external_id, name, url, starts_at, ends_at, duration_seconds,
        occasion_at, source, raw, first_seen_at, last_seen_at, changed_at)
    SELECT 'codeforces', COALESCE((SELECT max(id) FROM contests), 0) + place, $2, 'https://example.org',
        ended_at - interval '2 hours', ended_at, 7200, ended_at, 'codeforces', '{}', ended_at,
        ended_at, ended_at
    FROM unnest($1::timestamptz[]) WITH ORDINALITY AS given (ended_at, place)
"""
_NOTIFICATIONS = """
    INSERT INTO notifications (user_id, contest_id, channel, occasion, lead_hours, schedule_version,
        platform, contest_name, contest_url, starts_at, ends_at, due_at, expires_at, state, sent_at,
        updated_at, read_at)
    SELECT 1, 100 + COALESCE((SELECT max(id) FROM notifications), 0) + place, 'email', 'reminder',
        1, 1, 'codeforces', $3, '', at, at, at, at, $4, at, at, CASE WHEN $2 THEN at END
    FROM unnest($1::timestamptz[]) WITH ORDINALITY AS given (at, place)
"""
_RUNS = """
    WITH begun AS (
        INSERT INTO runs (job, kind, cause, outcome, fire_time, claimed_at, started_at, finished_at)
        SELECT $2, 'profiles', 'schedule', $3, at, at, at, at
        FROM unnest($1::timestamptz[]) WITH ORDINALITY AS given (at, place) ORDER BY place
        RETURNING id, finished_at
    )
    INSERT INTO item_outcomes (run_id, account_id, platform, user_key, handle, outcome, at)
    SELECT id, 1, 'play', 'u1', 'h1', 'updated', finished_at FROM begun
"""
_LETTERS = """
    INSERT INTO dead_letters (kind, item_key, job, error_class, error, attempts, first_at, last_at,
        state, changed_at)
    SELECT 'profiles', state, 'sync', 'X', 'x', 1, at, at, state, at
    FROM unnest($1::text[], $2::timestamptz[]) AS given (state, at)
"""
_TOMBSTONES = """
    INSERT INTO leaderboard_tombstones (run_id, user_id, job, target, row_data, deleted_at)
    SELECT 999999, 'u1' || job, job, 't', '{}', at
    FROM unnest($1::text[], $2::timestamptz[]) AS given (job, at)
"""
_GRANT = """
    INSERT INTO oauth_tokens (account_id, key_id, refresh_ct, access_ct, granted_at,
        refresh_expires_at, health, suspect_since, given_digest)
    SELECT accounts.id, 'k', 'x', 'y', $3::timestamptz, $3::timestamptz, $2::text,
        CASE WHEN $2 = 'suspect' THEN $3::timestamptz END, 'd'
    FROM accounts JOIN users ON users.id = accounts.user_id WHERE users.key = $1
"""


class Behind(Protocol):
    """Whoever can be asked behind syncd's back."""

    clock: Clock

    async def rows(self, query: str, *values: Any) -> Any: ...


class AgedRows:
    """Puts rows of given ages into tables."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    def _at(self, days_ago: float) -> datetime:
        return self._behind.clock.now() - timedelta(days=days_ago)

    def _all(self, days_ago: Iterable[float]) -> list[datetime]:
        return [self._at(days) for days in days_ago]

    async def contests(self, ended_days_ago: Sequence[float]) -> None:
        await self._behind.rows(_CONTESTS, self._all(ended_days_ago), CONTEST)

    async def notifications(
        self, days_ago: Sequence[float], *, read: bool, state: str = "sent"
    ) -> None:
        await self._behind.rows(_NOTIFICATIONS, self._all(days_ago), read, CONTEST, state)

    async def runs(self, job: str, days_ago: Iterable[float], outcome: str = "succeeded") -> None:
        """Put runs with an outcome of an item each, in the order given."""
        await self._behind.rows(_RUNS, self._all(days_ago), job, outcome)

    async def letters(self, letters: Mapping[str, float]) -> None:
        await self._behind.rows(_LETTERS, list(letters), self._all(letters.values()))

    async def tombstones(self, tombstones: Mapping[str, float]) -> None:
        await self._behind.rows(_TOMBSTONES, list(tombstones), self._all(tombstones.values()))


class Aged(AgedRows):
    """Puts users and their grants of given ages into a world besides."""

    def __init__(self, world: Running) -> None:
        super().__init__(world)
        self.world = world

    async def users(self, logins: Mapping[str, float | None]) -> None:
        """Put users who logged in so many days ago (None: nobody knows)."""
        await self.world.users.put(
            [
                UserEntry(key=key, last_login_at=None if days is None else self._at(days))
                for key, days in logins.items()
            ]
        )

    async def inactive(self) -> list[str]:
        rows = await self.world.rows("SELECT key FROM users WHERE inactive_since IS NOT NULL")
        return sorted(row["key"] for row in rows)

    async def grants(self, grants: Mapping[str, tuple[str, float]]) -> None:
        """Put grants of a health that end in so many days."""
        await self.world.users.put([UserEntry(key=key, accounts={PLAY: key}) for key in grants])
        for key, (health, days) in grants.items():
            await self.world.rows(_GRANT, key, health, self._at(-days))


def aged(world: Running) -> Aged:
    """Put rows of any age into a world."""
    return Aged(world)
