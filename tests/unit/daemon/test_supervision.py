from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.running import draft

from syncd.daemon.supervision import Supervision
from syncd.daemon.systemd import Notifier
from syncd.daemon.watchdog import Watchdog
from syncd.model.run import Outcome, RunOptions
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import DaemonStarted, RunFinished, StoreLost, StoreRecovered

STARTED = DaemonStarted(version="1", listen="127.0.0.1:1", ready=False)
LOST = StoreLost(error="cannot use PostgreSQL", retry_seconds=1)


class World:
    """The parts of a daemon that its pulse looks at, and the service manager that hears it."""

    def __init__(self, listener: socket.socket) -> None:
        self.clock = FakeClock()
        self.runs: list[Any] = []
        self.entry: Any = None
        self.reached = asyncio.Event()
        self.heard: list[str] = []
        self._listener = listener
        core: Any = SimpleNamespace(
            clock=self.clock,
            engine=SimpleNamespace(active=lambda: self.runs),
            scheduler=SimpleNamespace(upcoming=lambda: self.entry),
            health=SimpleNamespace(ready=self.reached),
        )
        address = f"@{listener.getsockname()[1:].decode()}"
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}
        notifier = Notifier(environ, self.clock)
        self.supervision = Supervision(core, notifier, Watchdog(self.clock, Bus()))

    async def live(self, seconds: int) -> None:
        """Let seconds pass and hear what is told meanwhile."""
        for _ in range(seconds):
            await self.clock.advance(1)
            self.listen()

    def listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard += self._listener.recv(4096).decode().splitlines()

    def count(self, word: str) -> int:
        return sum(line.startswith(word) for line in self.heard)

    def end_run(self, outcome: Outcome, options: RunOptions | None = None) -> None:
        run = draft(self.clock, options, outcome=outcome)
        self.supervision.note(RunFinished(run=run, duration_seconds=1))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(f"\0syncd-unit-{secrets.token_hex(8)}")
        world = World(listener)
        async with world.supervision:
            yield world


async def test_it_is_up_once_its_servers_run_and_the_database_was_reached(world: World) -> None:
    await world.live(1)
    world.supervision.note(STARTED)
    await world.live(1)
    early = world.count("READY")
    world.reached.set()
    await world.live(5)

    assert early == 0
    assert world.count("READY") == 1
    assert "STATUS=starting: servers" in world.heard
    assert world.heard[-1] != "STATUS=starting: the database"


async def test_it_is_up_and_says_so_when_the_database_is_away_and_tells_when_it_is_back(
    world: World,
) -> None:
    world.supervision.note(STARTED)
    world.supervision.note(LOST)
    await world.live(2)
    degraded = [line for line in world.heard if line.startswith("STATUS=degraded")]
    world.reached.set()
    world.supervision.note(StoreRecovered(down_seconds=1))
    await world.live(2)

    assert degraded == ["STATUS=degraded, 0 running: cannot use PostgreSQL; syncd keeps trying"]
    assert world.count("READY") == 1
    assert "STATUS=0 running, 0 failing, nothing is due" in world.heard


async def test_status_names_what_runs_what_fails_and_what_is_next(world: World) -> None:
    world.supervision.note(STARTED)
    world.reached.set()
    world.runs = [1, 2, 3]
    world.entry = SimpleNamespace(job="sync", at=world.clock.now() + timedelta(hours=12))
    world.end_run(Outcome.FAILED)
    await world.live(1)
    world.end_run(Outcome.SUCCEEDED, RunOptions(only=("ada",)))
    await world.live(1)
    world.end_run(Outcome.PARTIAL)
    world.entry = SimpleNamespace(job="sync", at=world.clock.now() + timedelta(days=1))
    await world.live(1)

    statuses = [line for line in world.heard if line.startswith("STATUS=3 running")]
    assert statuses == [
        "STATUS=3 running, 1 failing, next sync 12:00Z",
        "STATUS=3 running, 0 failing, next sync 2026-01-02 00:00Z",
    ]


async def test_pings_follow_the_loop_and_time_is_asked_for_only_while_it_starts_or_stops(
    world: World,
) -> None:
    await world.live(25)
    while_starting = world.count("EXTEND_TIMEOUT_USEC=60000000")
    world.supervision.note(STARTED)
    world.reached.set()
    await world.live(60)
    while_up = world.count("EXTEND_TIMEOUT_USEC") - while_starting
    world.supervision.stopping()
    await world.live(15)

    assert while_starting == 3
    assert while_up == 0
    assert world.count("EXTEND_TIMEOUT_USEC") >= while_starting + 2
    assert 9 <= world.count("WATCHDOG=1") <= 11


async def test_reload_is_told_when_syncd_is_up_and_not_before(world: World) -> None:
    world.supervision.reloading()
    world.supervision.reloaded()
    world.listen()
    early = list(world.heard)
    world.supervision.note(STARTED)
    world.reached.set()
    await world.live(1)
    del world.heard[:]

    world.supervision.reloading()
    world.supervision.reloaded()
    world.listen()

    assert not {"RELOADING=1", "READY=1"} & set(early)
    assert world.heard == ["RELOADING=1", "MONOTONIC_USEC=1000000", "READY=1"]


async def test_a_reload_that_ends_after_the_stop_began_does_not_say_ready(world: World) -> None:
    world.supervision.note(STARTED)
    world.reached.set()
    await world.live(2)
    world.supervision.reloading()
    world.supervision.stopping()
    world.supervision.reloaded()
    world.listen()

    assert "STOPPING=1" in world.heard
    assert "READY=1" not in world.heard[world.heard.index("STOPPING=1") :]
