"""What the leaderboard comparison runs on: both servers, the boards, the table, and the check.

The boards never change; each scenario prepares the table instead, so that both sides differ by as
much as it says. Bytes are hashed, not kept: a million users are compared in little memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import hiredis
from bench_fetch import POSTMASTER

from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.embedded.valkey import EmbeddedValkey
from syncd.model.address import PostgresAddress
from syncd.store.database import Database
from syncd.store.migrate import migrate
from syncd.store.pool import DatabaseSettings
from syncd.telemetry.bus import Bus

SEED = 7
SCHEMA = "syncd"
TABLE = "pomo_leaderboard"
BOARDS = ("daily", "weekly", "monthly", "yearly")
KEYS = tuple(f"leaderboard:{board}" for board in BOARDS)
COLUMNS = tuple(f"{board}_pomo" for board in BOARDS)
SCENARIOS = ("initial", "same", "1 % changed", "1 % deleted")
LONG_SECONDS = 600
_BLOCK = 1 << 20
_PAIRS = 1_000

MAKE_BASE = """
    CREATE TABLE base (
        n serial, user_id text, daily_pomo float, weekly_pomo float, monthly_pomo float,
        yearly_pomo float
    )
"""
FILL = """
    INSERT INTO pomo_leaderboard (user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo)
    SELECT user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo FROM base ORDER BY n
"""
DIFFER = """
    INSERT INTO pomo_leaderboard (user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo)
    SELECT user_id, daily_pomo + more, weekly_pomo + more, monthly_pomo + more, yearly_pomo + more
    FROM (SELECT *, CASE WHEN n % 100 = 0 THEN 1 ELSE 0 END AS more FROM base) AS moved
    ORDER BY n
"""
STRANGERS = """
    INSERT INTO pomo_leaderboard (user_id, daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo)
    SELECT 'x' || left(user_id, 35), daily_pomo, weekly_pomo, monthly_pomo, yearly_pomo
    FROM base WHERE n % 100 = 0
"""
READ = {
    column: f"SELECT user_id, {column} FROM pomo_leaderboard"  # noqa: S608 - columns of our own
    for column in COLUMNS
}
PREPARE = {
    "initial": (),
    "same": (FILL,),
    "1 % changed": (DIFFER,),
    "1 % deleted": (FILL, STRANGERS),
}
BOOKS = (
    "TRUNCATE leaderboard_missing, leaderboard_sources, reconciliations, plans, plan_rows,"
    " leaderboard_tombstones, leaderboard_backups, dead_letters"
)
LSN = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


def user_ids(users: int) -> list[str]:
    """Return ids of 36 bytes, in no order, always the same."""
    draw = random.Random(SEED)
    texts = (f"{draw.getrandbits(128):032x}" for _ in range(users))
    return [f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts]


def scores(users: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the scores of each user: no board is without anyone."""
    draw = random.Random(SEED + 1)
    for _ in range(users):
        day = draw.randrange(1, 16)
        week = day + draw.randrange(60)
        month = week + draw.randrange(240)
        yield day, week, month, month + draw.randrange(2_400)


def command(*words: bytes) -> bytes:
    """Write a command as the Redis protocol has it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Wire:
    """A connection to Redis that blocks, and gives raw bytes."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def ask(self, *words: bytes) -> object:
        """Send a command and parse its answer."""
        self.socket.sendall(command(*words))
        reader = hiredis.Reader()
        while (reply := reader.gets()) is False:
            reader.feed(self.socket.recv(_BLOCK))
        if isinstance(reply, Exception):
            raise reply
        return reply

    def swallow(self, commands: bytes) -> int:
        """Send commands and read what is answered without a look at it; return the bytes."""
        self.socket.sendall(commands + command(b"PING"))
        buffer, read, tail = bytearray(_BLOCK), 0, b""
        while not tail.endswith(b"+PONG\r\n"):
            got = self.socket.recv_into(buffer)
            read += got
            tail = (tail + buffer[max(0, got - 7) : got])[-7:]
        return read


def fill_boards(path: str, users: int) -> None:
    """Put everybody on all boards and wait until the server has settled."""
    wire = Wire(path)
    wire.ask(b"FLUSHALL")
    people = zip(user_ids(users), scores(users), strict=True)
    while several := list(itertools.islice(people, _PAIRS)):
        parts = []
        for place, key in enumerate(KEYS):
            pairs = ((b"%d" % row[place], user.encode()) for user, row in several)
            parts.append(command(b"ZADD", key.encode(), *itertools.chain.from_iterable(pairs)))
        wire.swallow(b"".join(parts))
    while "aof_rewrite_in_progress:1" in str(wire.ask(b"INFO", b"persistence")):
        time.sleep(0.2)


def _digest(lines: Iterable[bytes]) -> int:
    """Stand for lines in any order."""
    return sum(map(hash, lines)) % (1 << 64)


def boards_digest(path: str) -> tuple[int, ...]:
    """Return what stands for each board."""
    wire, digests = Wire(path), []
    for key in KEYS:
        reply = wire.ask(b"ZRANGE", key.encode(), b"0", b"-1", b"WITHSCORES")
        assert isinstance(reply, list)
        digests.append(_digest(map(b"\t".join, zip(reply[::2], reply[1::2], strict=True))))
    return tuple(digests)


def valkey_cpu(path: str) -> float:
    """Return the CPU that the server has used since it started."""
    info = Wire(path).ask(b"INFO", b"cpu")
    assert isinstance(info, bytes)
    used = dict(line.split(b":") for line in info.split() if b":" in line)
    return float(used[b"used_cpu_user"]) + float(used[b"used_cpu_sys"])


class Table:
    """The table that follows the boards, as the next turn shall find it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def make_base(self, users: int) -> None:
        """Keep the rows that are right, to start from."""
        await self._connection.execute("DROP TABLE IF EXISTS base")
        await self._connection.execute(MAKE_BASE)
        rows = zip(user_ids(users), scores(users), strict=True)
        await self._connection.copy_records_to_table(
            "base", records=((u, *r) for u, r in rows), columns=["user_id", *COLUMNS]
        )

    async def prepare(self, scenario: str) -> None:
        """Make the table differ from the boards as the scenario says, and forget earlier runs."""
        backups = await self._connection.fetch("SELECT table_name FROM leaderboard_backups")
        for row in backups:
            await self._connection.execute(f'DROP TABLE IF EXISTS "{row["table_name"]}"')
        for statement in (BOOKS, f"TRUNCATE {TABLE}", *PREPARE[scenario]):
            await self._connection.execute(statement, timeout=LONG_SECONDS)
        await self._connection.execute("VACUUM ANALYZE", timeout=LONG_SECONDS)
        await self.checkpoint()

    async def checkpoint(self) -> None:
        """Have everything on disk: the next change of each block is logged with all of it."""
        await self._connection.execute("CHECKPOINT", timeout=LONG_SECONDS)

    async def digest(self) -> tuple[int, ...]:
        """Return what stands for each column."""
        return tuple([await self._column_digest(column) for column in COLUMNS])

    async def _column_digest(self, column: str) -> int:
        total, rest = 0, b""

        async def take(data: bytes) -> None:
            nonlocal total, rest
            *lines, rest = (rest + data).split(b"\n")
            total += _digest(lines)

        await self._connection.copy_from_query(READ[column], output=take, timeout=LONG_SECONDS)
        return total % (1 << 64)

    async def wal(self) -> int:
        """Return how many bytes of write-ahead log there were ever."""
        return int(await self._connection.fetchval(LSN))

    async def postmaster(self) -> int:
        """Return the process that all of PostgreSQL's are children of."""
        return int(await self._connection.fetchval(POSTMASTER))


class Pings:
    """Another client of Redis, in a process of its own, that asks for nothing all the time."""

    def __init__(self, path: str) -> None:
        program = Path(__file__).with_name("leaderboard_pings.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def longest(self) -> float:
        """Return the longest PING since it was asked last."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"\n")
        stdin.flush()
        return float(stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def settings_of(address: PostgresAddress) -> DatabaseSettings:
    """Return how the schema is made."""
    return DatabaseSettings(
        address=address, schema=SCHEMA, command_timeout=timedelta(seconds=LONG_SECONDS)
    )


async def connect(host: str) -> asyncpg.Connection:
    """Connect to the embedded PostgreSQL as anybody would."""
    return await asyncpg.connect(
        host=host,
        user="syncd",
        database="syncd",
        server_settings={"search_path": SCHEMA},
        command_timeout=LONG_SECONDS,
    )


@contextlib.asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Start PostgreSQL with syncd's schema, and Valkey; yield the host and the socket."""
    clock = SystemClock()
    # Where it runs as root, the servers do not.
    await asyncio.to_thread(folder.chmod, 0o755)
    async with (
        EmbeddedPostgres(folder / "state", Bus(), clock) as postgres,
        EmbeddedValkey(folder / "state", Bus(), clock) as valkey,
    ):
        async with Database(settings_of(postgres.address), clock) as database:
            await migrate(database)
        yield postgres.address.host, valkey.address.socket
