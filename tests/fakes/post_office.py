"""A daemon that sends reminders over real SMTP and HTTP, whose line to PostgreSQL strikes.

    async with post_office() as office:
        await office.person("ada", "email", "webhook")
        await office.contest("Round 1")
        run = await office.dispatch()
        await office.check()        what arrived is what the outbox says, no address in a log

The stand-ins are served by the test's own process; they outlive a daemon that is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

from fakes.daemon_config import Tables, merged
from fakes.daemon_process import DaemonProcess, Start
from fakes.mailboxes import CHANNELS, Mailboxes
from fakes.postgres_proxy import Point, PostgresProxy, postgres_proxy
from fakes.waiting import DEADLINE_SECONDS, until

from syncd.channels.cleaning import cleaned
from syncd.model.address import PostgresAddress

# All do the same; a person may start each of them three times in a row.
JOBS = tuple(f"notify-{number}" for number in range(6))
_STARTS = 3
LEAD_HOURS = 24
RESENT = frozenset({"email"})
"""The channels over which a delivery that nobody knows about is sent once more."""

NAMELESS = "a contest of Codeforces"
"""What a contest is called of whose name nothing can be shown."""

PICK = r"channel = \$2 AND next_attempt_at <= \$1.*FOR UPDATE SKIP LOCKED"
CLAIM = r"UPDATE notifications\b.*SET state = verdict\.state.*verdict\.holder"
SETTLE = r"UPDATE notifications\b.*SET state = given\.state"
COMMIT = r"^COMMIT"

_CONTEST = """
    INSERT INTO contests (platform, external_id, name, url, starts_at, ends_at, duration_seconds,
        occasion_at, source, raw, first_seen_at, last_seen_at, changed_at)
    SELECT $4, $1, $1, 'https://example.org/contests/' || $3, now() + $2::interval,
        now() + $2::interval + interval '2 hours', 7200, long_ago, $4, '{}', long_ago,
        now(), long_ago
    FROM (SELECT now() - interval '30 days') AS given (long_ago)
"""
_ROWS = """
    SELECT told.id, users.key, told.channel, told.contest_name, told.state, told.unknowns,
        told.attempts, told.error, told.hint, told.expires_at
    FROM notifications AS told JOIN users ON users.id = told.user_id ORDER BY told.id
"""
# What so much time does to all that is stored about contests and who is told of them.
_OLDER = {
    "contests": ("starts_at", "ends_at"),
    "notifications": ("starts_at", "ends_at", "due_at", "expires_at", "next_attempt_at"),
    "notify_preferences": ("updated_at",),
    "notify_addresses": ("state_since",),
    "runs": ("claimed_at", "started_at", "finished_at"),
}


class PostOffice:
    """The daemon, the line to its database, and everybody's mailboxes."""

    def __init__(self, daemon: DaemonProcess, boxes: Mailboxes, line: PostgresProxy) -> None:
        self.daemon = daemon
        self.boxes = boxes
        self.line = line
        self._numbers = itertools.count(1)
        self._jobs = itertools.chain.from_iterable(itertools.repeat(job, _STARTS) for job in JOBS)

    async def person(self, key: str, *channels: str, **more: Any) -> None:
        """Let somebody want to be told a day before, over these channels or all."""
        given = {name: self.boxes.address(name, key) for name in channels or CHANNELS}
        notify = {"leads": [LEAD_HOURS], "channels": given, **more}
        answer = await self.daemon.api("PUT", f"/api/users/{key}", {"notify": notify})
        assert answer.status == 200, answer

    async def contest(self, name: str, hours: float = 2, platform: str = "codeforces") -> None:
        """Let a contest be known that starts so soon."""
        number = str(next(self._numbers))
        await self.daemon.fetch(_CONTEST, name, timedelta(hours=hours), number, platform)
        self.boxes.names.append(name)

    async def trigger(self, **options: Any) -> int:
        return await self.daemon.trigger_job(next(self._jobs), **options)

    async def dispatch(self, **options: Any) -> dict[str, Any]:
        """Send what is due, to the end of the run."""
        return await self.daemon.finished(await self.trigger(**options))

    async def goes_on(self) -> dict[str, Any]:
        """Start again; return how the newest run ended."""
        [newest] = await self.daemon.fetch("SELECT max(id) AS id FROM runs")
        await self.daemon.start()
        return await self.daemon.finished(newest["id"])

    async def time_passes(self, time: timedelta) -> None:
        """Let all that is stored be so much older."""
        for table, columns in _OLDER.items():
            changes = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            await self.daemon.fetch(f"UPDATE {table} SET {changes}", time)  # noqa: S608

    async def waits_are_over(self) -> None:
        """Let what waits for another attempt be tried."""
        await self.daemon.fetch(
            "UPDATE notifications SET next_attempt_at = now() WHERE state = 'pending'"
        )

    def daemon_dies(self) -> None:
        """Kill the daemon; once is enough."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.daemon.pid, signal.SIGKILL)

    async def dies_at(self, point: Point, **options: Any) -> None:
        """Start a run and kill the daemon when it comes to a point of its talk to PostgreSQL."""
        fell = self.line.strike(point, self.daemon_dies)
        await self.trigger(**options)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await fell.wait()
        assert await self.daemon.ended() == -signal.SIGKILL

    async def dies_when(self, is_it: Callable[[], object], **options: Any) -> None:
        """Start a run and kill the daemon as soon as this is seen outside."""
        await self.trigger(**options)

        async def look() -> object:
            return is_it()

        await until(look, what="what a stand-in sees")
        self.daemon_dies()
        assert await self.daemon.ended() == -signal.SIGKILL

    async def rows(self) -> list[dict[str, Any]]:
        """Return the outbox, oldest first."""
        return [dict(row) for row in await self.daemon.fetch(_ROWS)]

    async def states(self, channel: str, contest: str = "") -> dict[str, str]:
        """Return by user what became of the deliveries over a channel."""
        return {
            row["key"]: row["state"]
            for row in await self.rows()
            if row["channel"] == channel and contest in row["contest_name"]
        }

    async def comes_to(self, channel: str, **wanted: int) -> None:
        """Return once so many deliveries over a channel are in these states, and none in others."""

        async def ask() -> bool:
            rows = await self.rows()
            return Counter(row["state"] for row in rows if row["channel"] == channel) == wanted

        await until(ask, what=f"{wanted} over {channel}")

    async def listed(self, state: str = "unknown") -> list[dict[str, Any]]:
        """Return what `syncd outbox list` shows a person."""
        said = await self.daemon.command("outbox", "list", "--state", state, "--json")
        assert said.code == 0, said
        return list(json.loads(said.out or "[]"))

    async def check(self) -> None:
        """O4, O5: everything arrived as often as its row says, and no address stands in a log."""
        arrived = self.boxes.arrived()
        for row in await self.rows():
            contest = cleaned(row["contest_name"]) or NAMELESS
            place = (row["channel"], row["key"], contest)
            allowed = _allowed(row)
            assert arrived.pop(place, 0) in allowed, f"O4: {place}: {row}"
        assert arrived == Counter(), f"O4: arrived without a row: {arrived}"
        assert self.daemon.errors() == ""
        for path in self.daemon.folder.rglob("*.log"):
            text = path.read_text(errors="replace")
            for address in self.boxes.secrets:
                assert address not in text, f"O5: {address} stands in {path}"


def _allowed(row: Mapping[str, Any]) -> range | set[int]:
    """Return how often a delivery may have arrived: twice only where it is resent in doubt."""
    was_sent = row["state"] == "sent"
    if not row["unknowns"]:
        return {int(was_sent)}
    is_resent = row["channel"] in RESENT
    return range(int(was_sent), 3 if is_resent else 2)


PostOffices = Callable[..., contextlib.AbstractAsyncContextManager[PostOffice]]
"""The fixture: `async with post_office(tables) as office`."""


@contextlib.asynccontextmanager
async def post_office(
    start: Start,
    postgres: PostgresAddress,
    over: Tables | None = None,
    *,
    boxes: Mailboxes | None = None,
    **more: Any,
) -> AsyncIterator[PostOffice]:
    """Serve the mailboxes and start a daemon that reaches its database through a line."""
    boxes = boxes or Mailboxes()
    async with boxes.served() as channels, postgres_proxy(postgres) as line:
        usual: Tables = {
            "database": {
                "host": "127.0.0.1",
                "port": line.port,
                "user": postgres.user,
                "database": postgres.database,
                "pool": 4,
            },
            "logging": {"dir": "logs"},
            **channels,
            **{f"jobs.{job}": {"kind": "notify"} for job in JOBS},
        }
        async with start(None, merged(usual, over or {}), **more) as daemon:
            office = PostOffice(daemon, boxes, line)
            yield office
            await office.check()
