"""Faults 44, 45, 59: a platform that asks for a pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fakes.raw_server import http
from fakes.storm import SLOTS, USERS, WIDE, Storm, Storms, after

from syncd.sandbox.answer import Answer
from syncd.sandbox.faults import TOO_MANY, Fault, too_many
from syncd.sandbox.limits import Limits

HELD_OPEN = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND xact_start < now() - interval '0.5 s'
"""
A_DAY = http(
    *(TOO_MANY.encode(), "Content-Type: application/json", "Retry-After: 86400"),
    *("Connection: close",),
    status="429 Too Many Requests",
)


async def test_storm_of_429_stops_one_platform_and_the_next_run_goes_on_where_it_stopped(
    storm: Storms,
) -> None:
    answered = 5
    async with storm() as world:
        await world.calm()
        world.everybody_changes()
        world.door.requests.clear()
        world.door.instead = after(answered, A_DAY)

        run = await world.run()
        asked = tuple(world.door.requests)
        paused = await world.platform()
        world.oracle.learn("forge")
        world.oracle.learn("github", *map(world.index, asked[:answered]))
        await world.oracle.check()
        await world.daemon.restart()
        kept = await world.platform()
        while_paused = await world.run()
        asked_while_paused = len(world.door.requests) - len(asked)

        # What stays paused is the credential: another one goes on, with those who wait.
        await world.daemon.stop()
        world.door.requests.clear()
        world.daemon.configure(
            {"platforms.github": {"credentials": [{"name": "main", "token": "ghp_second"}]}}
        )
        world.mend()
        await world.daemon.start()
        healed = await world.heals()
        asked_again = tuple(world.door.requests)

    assert (run["outcome"], run["failed"]) == ("partial", 0)
    assert run["updated"] == len(USERS) + answered
    assert answered < len(asked) <= answered + SLOTS
    ends = [datetime.fromisoformat(each["paused_until"]) for each in (paused, kept)]
    assert abs(ends[1] - ends[0]) < timedelta(seconds=1)
    assert (while_paused["outcome"], while_paused["unchanged"]) == ("partial", len(USERS))
    assert asked_while_paused == 0
    assert healed["outcome"] == "succeeded"
    assert set(asked_again[: len(USERS) - answered]).isdisjoint(asked[:answered])


PRIMARY = replace(WIDE, primary=len(USERS) - 4, window_seconds=3)


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        pytest.param(WIDE, too_many(2, status=403), id="secondary"),
        pytest.param(PRIMARY, None, id="primary"),
    ],
)
async def test_limit_that_ends_soon_is_waited_for_without_a_database_connection(
    storm: Storms, limits: Limits, fault: Fault | None
) -> None:
    async with storm(limits=limits) as world:
        await world.link()
        if fault is not None:
            world.github.faults.add(fault, times=1)
        began = time.monotonic()

        run_id = await world.daemon.trigger()
        waits, held = await _watched(world, run_id)
        run = await world.daemon.finished(run_id)
        took = time.monotonic() - began
        world.oracle.learn("forge")
        world.oracle.learn("github")
        await world.oracle.check()

    assert (run["outcome"], run["created"]) == ("succeeded", 2 * len(USERS))
    assert took > 1
    assert waits
    assert held == 0


async def _watched(world: Storm, run_id: int) -> tuple[set[str], int]:
    """Return what a run waited for until it ended, and the most transactions held meanwhile."""
    waits: set[str] = set()
    held = 0
    while (await world.daemon.get(f"/api/runs/{run_id}"))["finished_at"] is None:
        if words := (await world.platform())["waits_for"]:
            waits.add(words)
        (row,) = await world.daemon.fetch(HELD_OPEN)
        held = max(held, row["count"])
        await asyncio.sleep(0.1)
    return waits, held


def told(server_now: datetime, resets_in: float) -> Fault:
    """Say that the quota is used up, by a clock of the server's own."""
    reset = int((server_now + timedelta(seconds=resets_in)).timestamp())
    headers: Mapping[str, str] = {
        "Content-Type": "application/json",
        "Date": format_datetime(server_now, usegmt=True),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
    }
    body = b'{"message": "API rate limit exceeded for user ID 1."}'

    def refuse(answer: Answer) -> Answer:
        return replace(answer, status=403, headers=headers, body=body)

    return refuse


def in_turn(*faults: Fault) -> Fault:
    """Strike one answer with each fault, and no more."""
    left = list(faults)
    return lambda answer: left.pop(0)(answer) if left else answer


async def test_wrong_clock_of_the_server_makes_no_pause_long_and_none_endless(
    storm: Storms,
) -> None:
    now, ten_years = datetime.now(UTC), timedelta(days=3_650)
    in_the_past, ahead, behind = (
        told(now, -3_600),
        told(now + ten_years, 2),
        told(now - ten_years, 2),
    )
    async with storm() as world:
        await world.calm()
        world.everybody_changes()
        world.github.faults.add(in_turn(in_the_past, ahead, behind))
        run = await world.heals()
        throttled = world.daemon.said("platform.throttled")

    assert (run["outcome"], run["updated"]) == ("succeeded", 2 * len(USERS))
    assert throttled
    assert 1 <= run["duration_seconds"] < 20
