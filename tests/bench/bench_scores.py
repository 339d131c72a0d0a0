"""Computing every score: seconds, memory and the longest the event loop was held up.

    python tests/bench/bench_scores.py [USERS]

Real PostgreSQL, six platforms a user; nothing is asserted on time.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from syncd.clock import SystemClock
from syncd.config.score import SCORE_DEFAULTS
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.model.score import Scale
from syncd.store.database import Database
from syncd.store.migrate import migrate
from syncd.store.pool import DatabaseSettings
from syncd.store.scores import ScoreStore
from syncd.telemetry.bus import Bus

_TICK_SECONDS = 0.002

FILL = """
    INSERT INTO users (key) SELECT 'u' || n FROM generate_series(1, $1::int) AS n;
    INSERT INTO accounts (user_id, platform, handle, linked_as)
    SELECT users.id, platform, key, key FROM users, unnest($1::text[]) AS platform;
    INSERT INTO profiles (account_id, rating, solved, solved_by, raw, raw_hash, mapper_version,
        fetched_at, changed_at)
    SELECT id, 400 + id % 2600, id % 900, CASE platform
        WHEN 'leetcode' THEN '{"easy": 3, "medium": 5, "hard": 2}'::jsonb END, '{}', '', 1,
        now(), now() FROM accounts;
    INSERT INTO sync_state (account_id, kind, platform, outcome, attempted_at, succeeded_at)
    SELECT id, 'profiles', platform, 'updated', now(), now() FROM accounts
"""


class LoopWatch:
    """Notes the longest time in which the loop got to nobody, and the most CPU it took by that."""

    def __init__(self) -> None:
        self.longest = self.busiest = 0.0

    async def watch(self) -> None:
        while True:
            begun, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_TICK_SECONDS)
            self.longest = max(self.longest, time.perf_counter() - begun - _TICK_SECONDS)
            self.busiest = max(self.busiest, time.thread_time() - busy)


@contextlib.asynccontextmanager
async def database() -> AsyncIterator[Database]:
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        async with EmbeddedPostgres(Path(folder) / "state", Bus(), clock) as server:
            settings = DatabaseSettings(
                address=server.address,
                schema="syncd",
                pool=4,
                connect_timeout=timedelta(seconds=10),
                command_timeout=timedelta(minutes=5),
            )
            async with Database(settings, clock) as opened:
                await migrate(opened)
                yield opened


async def compute(store: ScoreStore, what: str) -> None:
    """Compute what is due, watching the loop."""
    watch = LoopWatch()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.watch())
        begun, busy = time.perf_counter(), time.process_time()
        await store.mark_everybody()
        marked = time.perf_counter() - begun
        computed = await store.compute(SystemClock().now())
        seconds = time.perf_counter() - begun
        cpu = time.process_time() - busy
        watching.cancel()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what}: {computed.done:,} users, {computed.changed:,} written, {seconds:.1f} s"
        f" ({marked:.1f} s to mark), peak {peak:.0f} MB, longest block {watch.longest * 1e3:.0f} ms"
        f" (CPU {watch.busiest * 1e3:.0f} ms), CPU {cpu:.1f} s in all"
    )


async def main(users: int) -> None:
    """Fill a database and compute it twice: everything changes, nothing does."""
    parameters = {name: Scale(**dict(scale)) for name, scale in SCORE_DEFAULTS.items()}
    async with database() as opened:
        async with opened.connection() as connection:
            for statement in FILL.split(";"):
                values = [users] if "$1::int" in statement else [list(parameters)]
                await connection.execute(
                    statement, *(values if "$" in statement else []), timeout=600
                )
            await connection.execute("ANALYZE")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"before: peak {peak:.0f} MB")
        store = ScoreStore(opened, parameters)
        await compute(store, "everything new")
        await compute(store, "nothing changed")
        half = {name: Scale(**{**dict(s), "weight": 0.5}) for name, s in SCORE_DEFAULTS.items()}
        store.adopt(half)
        await compute(store, "other parameters")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
