"""The other ways to fetch, parse and store profiles, on syncd's own tables.

`in_batches` does as the replaced sync did. `in_a_loop` is what a good programmer writes without
more ado: aiohttp, 10,000 tasks on a semaphore, a fast JSON parser, executemany by 500 on a
connection that is held for the batch; once with the profiles alone, once with every row that syncd
writes too, so that a later pass can be conditional, a renamed user can be followed and a person can
be told what happened to whom.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
from pydantic_core import from_json

BATCH = 5
FLUSH = 500
HEADERS = {"Authorization": "Bearer bench", "User-Agent": "bench"}

PROFILE = """
    INSERT INTO profiles (account_id, name, avatar_url, bio, followers, following, public_repos,
        raw, raw_hash, mapper_version, fetched_at, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)
    ON CONFLICT (account_id) DO UPDATE
    SET name = EXCLUDED.name, avatar_url = EXCLUDED.avatar_url, bio = EXCLUDED.bio,
        followers = EXCLUDED.followers, following = EXCLUDED.following,
        public_repos = EXCLUDED.public_repos, raw = EXCLUDED.raw, raw_hash = EXCLUDED.raw_hash,
        fetched_at = EXCLUDED.fetched_at, changed_at = EXCLUDED.changed_at
"""
IDENTITY = "UPDATE accounts SET external_id = $2, handle = $3 WHERE id = $1"
STATE = """
    UPDATE sync_state SET attempted_at = $2, succeeded_at = $2, changed_at = $2,
        outcome = 'created', etag = $3, etag_credential = 'bench'
    WHERE account_id = $1 AND kind = 'profiles'
"""
OUTCOME = """
    INSERT INTO item_outcomes (run_id, account_id, platform, user_key, handle, outcome, at)
    VALUES ($1, $2, 'github', $3, $4, 'created', $5)
    ON CONFLICT (run_id, account_id) DO UPDATE SET outcome = EXCLUDED.outcome, at = EXCLUDED.at
"""
RUN = """
    INSERT INTO runs (job, kind, cause, outcome, claimed_at, started_at)
    VALUES ('peer', 'profiles', 'manual', 'running', now(), now()) RETURNING id
"""
COUNT = "UPDATE runs SET created = created + $2, calls = calls + $2 WHERE id = $1"
END = "UPDATE runs SET outcome = 'succeeded', finished_at = now() WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Target:
    """An account to fetch."""

    account_id: int
    user_key: str
    login: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    target: Target
    text: str
    etag: str
    at: datetime


def profile_row(answer: Answer, user: dict[str, Any]) -> tuple[object, ...]:
    keys = ("name", "avatar_url", "bio", "followers", "following", "public_repos")
    digest = hashlib.sha256(answer.text.encode()).digest()
    values = (user[key] for key in keys)
    return (answer.target.account_id, *values, answer.text, digest, answer.at)


async def in_batches(base_url: str, pool: asyncpg.Pool, targets: Sequence[Target]) -> None:
    """Do as the replaced sync did: five at a time, each stored by a statement of its own."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def one(target: Target) -> None:
            async with session.get(f"{base_url}/users/{target.login}") as response:
                answer = Answer(target, await response.text(), "", datetime.now(UTC))
            await pool.execute(PROFILE, *profile_row(answer, from_json(answer.text)))

        for first in range(0, len(targets), BATCH):
            await asyncio.gather(*(one(target) for target in targets[first : first + BATCH]))


class Rows:
    """Rows on their way into the database.

    Args:
        run_id: the run whose rows are written too; None: profiles alone.
    """

    def __init__(self, pool: asyncpg.Pool, run_id: int | None) -> None:
        self._pool = pool
        self._run_id = run_id
        self._waiting: list[tuple[Answer, dict[str, Any]]] = []

    async def add(self, answer: Answer) -> None:
        self._waiting.append((answer, from_json(answer.text)))
        if len(self._waiting) >= FLUSH:
            await self.flush()

    async def flush(self) -> None:
        batch, self._waiting = self._waiting, []
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.executemany(PROFILE, [profile_row(*one) for one in batch])
            if self._run_id is None:
                return
            await connection.executemany(
                IDENTITY,
                [(a.target.account_id, str(user["id"]), user["login"]) for a, user in batch],
            )
            await connection.executemany(
                STATE, [(a.target.account_id, a.at, a.etag) for a, _ in batch]
            )
            await connection.executemany(
                OUTCOME,
                [
                    (self._run_id, a.target.account_id, a.target.user_key, a.target.login, a.at)
                    for a, _ in batch
                ],
            )
            await connection.execute(COUNT, self._run_id, len(batch))


async def in_a_loop(
    base_url: str, pool: asyncpg.Pool, targets: Sequence[Target], slots: int
) -> None:
    """Store the profiles alone."""
    await _in_a_loop(base_url, Rows(pool, None), targets, slots)


async def in_a_whole_loop(
    base_url: str, pool: asyncpg.Pool, targets: Sequence[Target], slots: int
) -> None:
    """Store the same rows as syncd."""
    run_id = await pool.fetchval(RUN)
    await _in_a_loop(base_url, Rows(pool, run_id), targets, slots)
    await pool.execute(END, run_id)


async def _in_a_loop(base_url: str, rows: Rows, targets: Sequence[Target], slots: int) -> None:
    gate = asyncio.Semaphore(slots)
    connector = aiohttp.TCPConnector(limit=slots)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def one(target: Target) -> None:
            async with gate, session.get(f"{base_url}/users/{target.login}") as response:
                text, etag = await response.text(), response.headers["ETag"]
            await rows.add(Answer(target, text, etag, datetime.now(UTC)))

        await asyncio.gather(*(one(target) for target in targets))
    await rows.flush()
