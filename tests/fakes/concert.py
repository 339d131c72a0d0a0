"""A daemon that reads Spotify, whose line to PostgreSQL and whose token endpoint strike.

    async with concert() as world:
        await world.grant(range(4))
        world.at_next_refresh(world.daemon_dies)
        await world.trigger()
        await world.daemon.ended()
        run = await world.goes_on()
        await world.check(range(4))          every play once, no token anywhere

The stand-in of Spotify is served by the test's own process: so several daemons may ask it, and a
test may do something in the very moment in which it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from fakes.daemon_config import Tables, merged
from fakes.daemon_process import DaemonProcess, Start
from fakes.postgres_proxy import Point, PostgresProxy, postgres_proxy
from fakes.spotify_world import DOUBLES, PLAYS, SPOTIFY, SpotifyWorld, StoredPlay
from fakes.waiting import DEADLINE_SECONDS

from syncd.model.address import PostgresAddress
from syncd.sandbox.answer import Answer
from syncd.sandbox.spotify import TOKEN_PATH

# All do the same; a person may start each of them three times in a row.
JOBS = tuple(f"listening-{number}" for number in range(6))
HOUR = timedelta(minutes=61)
# All tokens of the stand-in and its app's secret hold it.
CANARY = "canary-"

BEGIN = r"SET refresh_holder = free\.holder"
RENEW = r"version = grants\.version \+ 1"
PLAYS_STORED = r"INSERT INTO listening_data\b"
COMMIT = r"^COMMIT"

# What so much time does to grants; a lease lapses, an access token ends.
PASS = """
    UPDATE oauth_tokens SET suspect_since = suspect_since - $1::interval,
        access_expires_at = access_expires_at - $1::interval,
        refreshed_at = refreshed_at - $1::interval,
        refresh_until = refresh_until - $1::interval
"""
STATES = """
    SELECT users.key, accounts.state, accounts.state_reason, oauth_tokens.health
    FROM accounts JOIN users ON users.id = accounts.user_id
    LEFT JOIN oauth_tokens ON oauth_tokens.account_id = accounts.id
    WHERE accounts.platform = 'spotify'
"""


class Concert:
    """The daemon, Spotify and its users, and the line to the database."""

    def __init__(self, daemon: DaemonProcess, spotify: SpotifyWorld, line: PostgresProxy) -> None:
        self.daemon = daemon
        self.spotify = spotify
        self.line = line
        self._jobs = itertools.cycle(JOBS)

    @property
    def standin(self) -> Any:
        return self.spotify.standin

    async def grant(self, indexes: Iterable[int], *, has_access: bool = False) -> None:
        """Import grants as a person does, with access tokens or without."""
        text = self.spotify.import_file(indexes, has_access=has_access)
        body = {"format": "json", "content": text}
        answer = await self.daemon.api("POST", "/api/tokens/import", body)
        assert answer.status == 200, answer

    async def grant_anew(self, index: int) -> None:
        """Let somebody connect again, and tell the daemon of it."""
        self.standin.grants.consent(index)
        await self.grant([index])

    async def trigger(self, **options: Any) -> int:
        return await self.daemon.trigger_job(next(self._jobs), **options)

    async def run(self, **options: Any) -> dict[str, Any]:
        return await self.daemon.finished(await self.trigger(**options))

    async def goes_on(self) -> dict[str, Any]:
        """Start again; return how the newest run ended."""
        [newest] = await self.daemon.fetch("SELECT max(id) AS id FROM runs")
        await self.daemon.start()
        return await self.daemon.finished(newest["id"])

    def at_next_refresh(
        self, blow: Callable[[], object], *, after_seconds: float | None = None
    ) -> None:
        """Do something when the token endpoint has made new tokens, before or after it sends them.

        Args:
            blow: what happens.
            after_seconds: so long after the answer was handed over; None: before it is sent.
        """

        def strike(answer: Answer) -> Answer:
            if after_seconds is None:
                blow()
            else:
                asyncio.get_running_loop().call_later(after_seconds, blow)
            return answer

        self.standin.faults.add(strike, path=TOKEN_PATH, times=1)

    def daemon_dies(self) -> None:
        """Kill the daemon; once is enough."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.daemon.pid, signal.SIGKILL)

    async def dies_at(self, point: Point) -> None:
        """Start a run and kill the daemon when it comes to a point of its talk to PostgreSQL."""
        fell = self.line.strike(point, self.daemon_dies)
        await self.trigger()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await fell.wait()
        assert await self.daemon.ended() == -signal.SIGKILL

    async def time_passes(self, time: timedelta = HOUR) -> None:
        """Let grants grow older, as they would in this time."""
        await self.daemon.fetch(PASS, time)

    async def states(self) -> dict[str, tuple[str, str, str]]:
        """Return state, reason and the grant's health by user."""
        rows = await self.daemon.fetch(STATES)
        return {row["key"]: (row["state"], row["state_reason"], row["health"]) for row in rows}

    def refreshes(self, index: int) -> int:
        return int(self.standin.counters.refreshes(index))

    async def are_asked(self, calls: int) -> bool:
        """Tell whether so many refreshes were asked for."""
        return bool(self.standin.counters.refresh_calls >= calls)

    async def check(self, indexes: Iterable[int]) -> None:
        """Of these users every play is stored once; nobody's token is told anywhere."""
        assert [tuple(row) for row in await self.daemon.fetch(DOUBLES)] == []
        stored = {StoredPlay(*row) for row in await self.daemon.fetch(PLAYS)}
        told = self.spotify.plays(indexes)
        assert stored == told, f"missing: {sorted(told - stored)}, made up: {sorted(stored - told)}"
        assert self.standin.counters.most_refreshes_at_once <= 1
        assert self.daemon.errors() == ""
        for path in self.daemon.folder.rglob("*"):
            if path.is_file() and path.name != self.daemon.config.name:
                assert CANARY not in path.read_text(errors="replace"), path


Concerts = Callable[..., contextlib.AbstractAsyncContextManager[Concert]]
"""The fixture: `async with concert(users=4, rotates=True) as world`."""


@contextlib.asynccontextmanager
async def concert(
    start: Start,
    postgres: PostgresAddress,
    over: Tables | None = None,
    *,
    users: int = 4,
    rotates: bool | None = True,
    job_keys: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Concert]:
    """Serve Spotify and start a daemon that reaches its database through a line that strikes."""
    async with (
        SpotifyWorld(users, rotates=rotates).served() as spotify,
        postgres_proxy(postgres) as line,
    ):
        usual: Tables = {
            "database": {
                "host": "127.0.0.1",
                "port": line.port,
                "user": postgres.user,
                "database": postgres.database,
                "pool": 4,
            },
            "logging": {"dir": "logs"},
            # One call after the other, so that a test knows which one it strikes.
            f"platforms.{SPOTIFY}": spotify.settings(timeout="2s", slots=1),
            **{f"jobs.{job}": {"kind": "listening", **(job_keys or {})} for job in JOBS},
        }
        async with start(None, merged(usual, over or {}), **more) as daemon:
            world = Concert(daemon, spotify, line)
            yield world
