"""The other ways to bring four boards of Redis into a table of PostgreSQL, and the limit.

`replaced_loop` does as the replaced sync did, its calls awaited. `good_peer` is what a good
programmer writes without more ado: redis-py, a pipeline, both sides in dicts, the difference
written at once. `limit` is the bare transfer of the same bytes, one after the other: the boards off
the socket without a look at them, ready lines into a temporary table, one statement that finds and
applies what differs. Its connections are open and its lines made before the clock starts. It reads
whole boards by rank, the cheapest bytes there are: a server that is written to must not be read so
(pages by rank lose members, whole boards hold up everybody). `same bytes` is the limit for what
syncd asks instead, a walk through one board and the scores on the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from leaderboard_stage import COLUMNS, KEYS, TABLE, Wire, command, connect
from redis.asyncio import Redis

Work = Callable[[], Awaitable[None]]
_COPY_BYTES = 1 << 18
_PAGE = 1_000
_PAGES_AT_ONCE = 8

SELECT = """
    SELECT daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo FROM pomo_leaderboard
    WHERE user_id = $1
"""
INSERT = """
    INSERT INTO pomo_leaderboard (
        user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo, updated_at
    )
    VALUES ($1, $2, $3, $4, $5, $6)
"""
UPDATE = """
    UPDATE pomo_leaderboard
    SET daily_pomo = $2, weekly_pomo = $3, monthly_pomo = $4, yearly_pomo = $5, updated_at = $6
    WHERE user_id = $1
"""
DELETE = "DELETE FROM pomo_leaderboard WHERE user_id = $1"
SELECT_IDS = "SELECT user_id FROM pomo_leaderboard"
SELECT_ALL = """
    SELECT user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo FROM pomo_leaderboard
"""
DELETE_ALL = "DELETE FROM pomo_leaderboard WHERE user_id = ANY($1)"

STAGE = """
    CREATE TEMP TABLE stage (user_id text, daily float, weekly float, monthly float, yearly float)
"""
APPLY = """
    WITH diff AS MATERIALIZED (
        SELECT target.user_id AS old, stage.*
        FROM stage FULL JOIN pomo_leaderboard AS target ON target.user_id = stage.user_id
        WHERE (daily, weekly, monthly, yearly)
            IS DISTINCT FROM (daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo)
    ), gone AS (
        DELETE FROM pomo_leaderboard AS target USING diff
        WHERE target.user_id = old AND diff.user_id IS NULL
    ), changed AS (
        UPDATE pomo_leaderboard AS target
        SET daily_pomo = daily, weekly_pomo = weekly, monthly_pomo = monthly, yearly_pomo = yearly,
            updated_at = now()
        FROM diff WHERE target.user_id = old AND diff.user_id IS NOT NULL
    )
    INSERT INTO pomo_leaderboard (user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo)
    SELECT user_id, daily, weekly, monthly, yearly FROM diff WHERE old IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the servers are, and how many users there are."""

    host: str
    socket: str
    users: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A way that may begin; `rehearse` is what a process that runs for years has behind it."""

    work: Work
    rehearse: Work | None = None


Way = Callable[[Places], contextlib.AbstractAsyncContextManager[Ready]]


@contextlib.asynccontextmanager
async def replaced_loop(places: Places) -> AsyncIterator[Ready]:
    """Ask for each score, look at each row, write each row."""

    async def sync(redis: Redis, connection: asyncpg.Connection) -> None:
        found = set(await redis.zrange(KEYS[0], 0, -1))
        for user in found:
            scores = [float(await redis.zscore(key, user) or 0) for key in KEYS]
            row = await connection.fetchrow(SELECT, user)
            if row is None:
                await connection.execute(INSERT, user, *scores, datetime.now(UTC))
            elif list(row) != scores:
                await connection.execute(UPDATE, user, *scores, datetime.now(UTC))
        for record in await connection.fetch(SELECT_IDS):
            if record["user_id"] not in found:
                await connection.execute(DELETE, record["user_id"])

    async def work() -> None:
        async with peers(places) as (redis, connection), connection.transaction():
            await sync(redis, connection)

    yield Ready(work)


@contextlib.asynccontextmanager
async def good_peer(places: Places) -> AsyncIterator[Ready]:
    """Read both sides whole, compare them in dicts, write what differs at once."""

    async def work() -> None:
        async with peers(places) as (redis, connection), connection.transaction():
            wanted = await read_boards(redis)
            rows = await connection.fetch(SELECT_ALL)
            there = {row[0]: row[1:] for row in rows}
            now = datetime.now(UTC)
            changed = [
                (user, *scores, now)
                for user, scores in wanted.items()
                if user in there and list(there[user]) != scores
            ]
            created = [(u, *scores, now) for u, scores in wanted.items() if u not in there]
            gone = [user for user in there if user not in wanted]
            await connection.copy_records_to_table(
                TABLE, records=created, columns=["user_id", *COLUMNS, "updated_at"]
            )
            await connection.executemany(UPDATE, changed)
            await connection.execute(DELETE_ALL, gone)

    yield Ready(work)


async def read_boards(redis: Redis) -> dict[str, list[float]]:
    pipeline = redis.pipeline(transaction=False)
    for key in KEYS:
        pipeline.zrange(key, 0, -1, withscores=True)
    wanted: dict[str, list[float]] = {}
    for place, board in enumerate(await pipeline.execute()):
        for user, score in board:
            wanted.setdefault(user, [0.0] * len(KEYS))[place] = score
    return wanted


@contextlib.asynccontextmanager
async def limit(places: Places) -> AsyncIterator[Ready]:
    """Move the bytes and let PostgreSQL find what differs."""
    ask = [command(b"ZRANGE", key.encode(), b"0", b"-1", b"WITHSCORES") for key in KEYS]
    async with bare_transfer(places, [b"".join(ask)]) as ready:
        yield ready


@contextlib.asynccontextmanager
async def same_bytes(places: Places) -> AsyncIterator[Ready]:
    """Do the same with the commands that syncd asks; all of them are known beforehand."""
    async with bare_transfer(places, walk_again(Wire(places.socket))) as ready:
        yield ready


def walk_again(wire: Wire) -> list[bytes]:
    """Return the commands of a walk through the first board, so many at a time."""
    walked, *others = (key.encode() for key in KEYS)
    pages: list[bytes] = []
    cursor = None
    while cursor != b"0":
        ask = (b"ZSCAN", walked, cursor or b"0", b"COUNT", b"%d" % _PAGE)
        reply = wire.ask(*ask)
        assert isinstance(reply, list)
        cursor, found = reply
        scores = [command(b"ZMSCORE", key, *found[::2]) for key in others if found]
        pages.append(b"".join((command(*ask), *scores)))
    return [b"".join(pages[n : n + _PAGES_AT_ONCE]) for n in range(0, len(pages), _PAGES_AT_ONCE)]


@contextlib.asynccontextmanager
async def bare_transfer(places: Places, asked: Sequence[bytes]) -> AsyncIterator[Ready]:
    """Read the answers to commands without a look, then let PostgreSQL have ready lines."""
    wire = Wire(places.socket)
    lines = ready_lines(wire)
    connection = await connect(places.host)

    async def blocks() -> AsyncIterator[bytes]:
        for begin in range(0, len(lines), _COPY_BYTES):
            yield lines[begin : begin + _COPY_BYTES]

    async def work() -> None:
        for commands in asked:
            wire.swallow(commands)
        async with connection.transaction():
            await connection.execute(STAGE)
            await connection.copy_to_table("stage", source=blocks(), format="text")
            await connection.execute(APPLY)

    yield Ready(work)
    await connection.close()


def ready_lines(wire: Wire) -> bytes:
    """Return what COPY takes in, one line a user."""
    rows: dict[bytes, list[bytes]] = {}
    for key in KEYS:
        reply = wire.ask(b"ZRANGE", key.encode(), b"0", b"-1", b"WITHSCORES")
        assert isinstance(reply, list)
        for user, score in zip(reply[::2], reply[1::2], strict=True):
            rows.setdefault(user, [user]).append(score)
    return b"".join(b"%s\n" % b"\t".join(row) for row in rows.values())


@contextlib.asynccontextmanager
async def peers(places: Places) -> AsyncIterator[tuple[Redis, asyncpg.Connection]]:
    """Connect to both servers."""
    connection = await connect(places.host)
    async with Redis(unix_socket_path=places.socket, decode_responses=True) as redis:
        yield redis, connection
    await connection.close()


PEERS: Sequence[tuple[str, Way]] = (
    ("replaced loop", replaced_loop),
    ("good peer", good_peer),
    ("limit", limit),
    ("same bytes", same_bytes),
)
