"""Fault 61 again: PostgreSQL is away in the moment in which a new token is answered; and storms."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fakes.concert import Concert, Concerts
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

from syncd.sandbox.faults import server_error
from syncd.sandbox.spotify import TOKEN_PATH
from syncd.sandbox.spotify_faults import PLAYED, rate_limited

pytestmark = pytest.mark.timeout(300)

USERS = range(6)


def through(line: TcpProxy) -> dict[str, Any]:
    """Return the table of a daemon that reaches its database through a line."""
    timeouts = {"connect_timeout": "1s", "command_timeout": "1s"}
    return {"database": {"port": line.port, **timeouts}}


def journal(world: Concert) -> Path:
    return world.daemon.state_dir / "refreshed.journal"


async def is_kept(world: Concert) -> bool:
    """Tell whether an answer stands in the journal."""
    path = journal(world)
    return path.exists() and b"sealed" in path.read_bytes()


async def loses_its_database(world: Concert, line: TcpProxy) -> int:
    """Start a run whose database goes away while a token is answered, and wait for that."""
    cutting: list[asyncio.Task[None]] = []
    world.at_next_refresh(lambda: cutting.append(asyncio.create_task(line.cut())))
    run_id = await world.trigger()
    await until(lambda: is_kept(world), what="the answer in the journal")
    await asyncio.gather(*cutting)
    return run_id


async def test_database_away_when_a_token_is_answered_loses_nothing_and_costs_no_second_call(
    concert: Concerts, line: TcpProxy
) -> None:
    async with concert(through(line), users=len(USERS)) as world:
        await world.grant(USERS)
        run_id = await loses_its_database(world, line)
        mode = journal(world).stat().st_mode & 0o777
        await asyncio.sleep(2)
        await line.mend()

        await world.daemon.until_true("/ready", lambda ready: ready["status"] == "ready")
        await world.daemon.finished(run_id)
        await world.run()
        await world.check(USERS)
        refreshes = [world.refreshes(index) for index in USERS]
        assert not await is_kept(world)

    assert mode == 0o600
    assert set(refreshes) == {1}
    assert world.standin.counters.refresh_refused == {}


async def test_daemon_killed_while_its_database_is_away_finds_the_token_in_its_journal(
    concert: Concerts, line: TcpProxy
) -> None:
    async with concert(through(line), users=len(USERS)) as world:
        await world.grant(USERS)
        await loses_its_database(world, line)
        world.daemon_dies()
        await world.daemon.ended()
        await line.mend()
        await world.time_passes()

        run = await world.goes_on()

        await world.check(USERS)
        assert not await is_kept(world)

    assert (run["outcome"], run["failed"]) == ("succeeded", 0), run
    assert world.standin.counters.refresh_refused == {}


PAUSED = "SELECT 1 FROM gates WHERE paused_until > now() + interval '1 hour'"
STORMS = {
    "limited for two seconds": rate_limited(2),
    "limited for nothing": rate_limited(0),
    "server error": server_error(503),
}


@pytest.mark.parametrize("where", [PLAYED, TOKEN_PATH])
@pytest.mark.parametrize("storm", STORMS)
async def test_storm_passes_and_every_play_is_stored_once(
    concert: Concerts, storm: str, where: str
) -> None:
    async with concert(users=len(USERS), rotates=where == PLAYED) as world:
        await world.grant(USERS)
        world.standin.faults.add(STORMS[storm], path=where, share=0.3, times=8)

        first = await world.run()
        world.standin.faults.clear()
        await world.time_passes()
        second = await world.run()

        await world.check(USERS)
        states = await world.states()

    assert first["outcome"] in {"succeeded", "partial"}, first
    assert (second["outcome"], second["seen"], second["failed"]) == ("succeeded", len(USERS), 0)
    assert {(state, health) for state, _, health in states.values()} == {("active", "ok")}


@pytest.mark.parametrize(
    ("reason", "said"), [("", "rate limit"), ("QUOTA_EXCEEDED", "quota used up")]
)
async def test_long_pause_is_kept_over_a_kill_and_nobody_is_asked_meanwhile(
    concert: Concerts, reason: str, said: str
) -> None:
    async with concert(users=len(USERS)) as world:
        await world.grant(USERS)
        world.standin.faults.add(rate_limited(80_000, reason), path=PLAYED, times=1)
        run_id = await world.trigger()
        paused = await world.daemon.until_true("/api/platforms", waits)
        await until(lambda: world.daemon.fetch(PAUSED), what="the pause in the database")
        world.daemon_dies()
        await world.daemon.ended()
        requests = world.standin.counters.requests
        await world.daemon.start()
        kept = await world.daemon.until_true("/api/platforms", waits)
        asked = world.standin.counters.requests - requests
        answer = await world.daemon.api("POST", "/api/platforms/spotify/resume", {})
        run = await world.daemon.finished(run_id)
        again = await world.run()
        assert (again["outcome"], again["failed"]) == ("succeeded", 0), again
        await world.check(USERS)

    for told in (paused, kept):
        assert said in waits(told), told
    assert (answer.status, asked) == (200, 0)
    assert run["outcome"] in {"succeeded", "partial"}, run


def waits(told: dict[str, Any]) -> str:
    """Return what the platform is said to wait for."""
    [spotify] = [each for each in told["platforms"] if each["name"] == "spotify"]
    return str(spotify["waits_for"])
