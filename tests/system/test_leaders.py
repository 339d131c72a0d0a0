"""Two daemons on one PostgreSQL: one leads; whatever becomes of it, the other goes on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess
from fakes.faketime import faked_clock
from fakes.leaders import CLAIM, LEASE_SECONDS, STANDBY, Place, assert_whole, standing_by
from fakes.pgbouncer import pgbouncer
from fakes.sandbox_process import sandbox_process
from fakes.tcp_proxy import TcpProxy, tcp_proxy
from fakes.waiting import until

from syncd.model.address import PostgresAddress

POOLED = "PostgreSQL is reached through a pooler: every use is a transaction of its own"
MIRROR = {
    "users": {"query": "SELECT id AS key, github FROM public.members_of_pgbouncer", "every": "1h"}
}
USERS = 800
# 50 at a time, each a fifth of a second: a run is struck in its middle.
LATENCY_MS = 200


@contextlib.asynccontextmanager
async def place(
    postgres: PostgresAddress, folder: Path, users: int = USERS, latency_ms: float = LATENCY_MS
) -> AsyncIterator[Place]:
    schema = f"leaders_{folder.name}"[:60].rstrip("_").lower()
    async with sandbox_process(users, latency_ms=latency_ms) as sandbox:
        yield Place(address=postgres, schema=schema, folder=folder, sandbox=sandbox)


async def begun(leader: DaemonProcess, here: Place) -> int:
    """Let the leader be in the middle of a run."""
    await leader.follow(here.sandbox)
    run_id = await leader.trigger()
    await leader.reached(run_id, USERS // 10)
    return run_id


async def check_taken_over(here: Place, other: DaemonProcess, run_id: int) -> None:
    """The other one goes on with the run; what was committed is asked for by nobody again."""
    run = await other.finished(run_id)
    fetches = await here.sandbox.fetches()

    assert_whole(run, USERS)
    assert run["resumed"] == 1
    assert set(fetches.values()) <= {1, 2}
    # What was under way at the one, and the claim that it had not committed.
    assert sum(fetches.values()) <= USERS + 2 * CLAIM
    await here.check_stored()


async def test_a_killed_leader_is_followed_within_its_lease(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    async with (
        place(postgres, tmp_path) as here,
        here.daemon("one") as one,
        here.daemon("two") as two,
    ):
        await one.start()
        async with standing_by(two):
            run_id = await begun(one, here)
            one.kill(signal.SIGKILL)
            killed = time.monotonic()
            await here.led_by(two)
            took = time.monotonic() - killed
            await check_taken_over(here, two, run_id)

            assert took < LEASE_SECONDS + 1.5
            assert (await here.leader())["epoch"] == 2
            assert (await two.get("/api/status"))["leader"]["is_me"]
            assert (await two.api("GET", "/ready")).status == 200


async def test_a_frozen_leader_writes_nothing_when_it_wakes_and_stands_by(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    async with (
        place(postgres, tmp_path) as here,
        here.daemon("one") as one,
        here.daemon("two") as two,
    ):
        await one.start()
        async with standing_by(two):
            run_id = await begun(one, here)
            pid = one.pid
            one.kill(signal.SIGSTOP)
            await here.led_by(two)
            await asyncio.sleep(LEASE_SECONDS)
            one.kill(signal.SIGCONT)
            lost = await one.told("lease.lost")
            await check_taken_over(here, two, run_id)

            assert lost["epoch"] == 1
            assert one.pid == pid
            assert one.said("run.finished") == []
            assert (await here.leader())["epoch"] == 2, "two leads on"
            await one.until_true(STANDBY, lambda body: body["status"] == "standby")

            two.kill(signal.SIGKILL)
            await here.led_by(one)


async def cut(line: TcpProxy) -> None:
    await line.cut()


async def blacken(line: TcpProxy) -> None:
    line.go_silent()


@pytest.mark.parametrize("strike", [pytest.param(cut, marks=pytest.mark.full), blacken])
async def test_a_leader_that_is_cut_off_steps_down_and_stands_by_when_it_is_back(
    postgres: PostgresAddress, tmp_path: Path, strike: Callable[[TcpProxy], Awaitable[None]]
) -> None:
    socket = Path(postgres.host) / f".s.PGSQL.{postgres.port}"
    async with (
        place(postgres, tmp_path) as here,
        tcp_proxy(socket) as line,
        here.daemon("one", port=line.port) as one,
        here.daemon("two") as two,
    ):
        await one.start()
        async with standing_by(two):
            run_id = await begun(one, here)
            await strike(line)
            struck = time.monotonic()
            lost = await one.told("lease.lost")
            stepped_down = time.monotonic() - struck
            await here.led_by(two)
            not_ready = await one.api("GET", "/ready")
            # The old connections are never of use again: a firewall forgot them.
            await line.cut()
            await line.mend()
            await check_taken_over(here, two, run_id)

            assert lost["why"] == "the lease could not be renewed in time"
            assert stepped_down < LEASE_SECONDS
            assert not_ready.status == 503
            await one.until_true(STANDBY, lambda body: body["status"] == "standby")
            assert (await here.leader())["epoch"] == 2
            assert one.said("run.finished") == []


async def test_a_leader_that_is_stopped_hands_over_at_once(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    long_lease = {"daemon": {"lease": "60s"}}
    async with (
        place(postgres, tmp_path) as here,
        here.daemon("one", long_lease) as one,
        here.daemon("two", long_lease) as two,
    ):
        await one.start()
        async with standing_by(two):
            run_id = await begun(one, here)
            one.kill(signal.SIGTERM)
            code = await one.ended()
            ended = time.monotonic()
            await here.led_by(two)
            took = time.monotonic() - ended
            await check_taken_over(here, two, run_id)

            assert code == 0
            assert took < 5
            assert one.said("run.finished", outcome="interrupted") != []


async def test_on_the_same_host_a_killed_leader_is_back_at_once(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    async with (
        place(postgres, tmp_path) as here,
        here.daemon("one", {"daemon": {"lease": "10m"}}) as one,
    ):
        await one.start()
        run_id = await begun(one, here)
        one.kill(signal.SIGKILL)
        await one.ended()
        await one.start()
        await check_taken_over(here, one, run_id)

        assert (await here.leader())["epoch"] == 2


async def test_a_standby_answers_and_changes_nothing(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    every = {f"jobs.{JOB}": {"every": "12h"}}
    async with (
        place(postgres, tmp_path, 20, 0) as here,
        here.daemon("one", every) as one,
        here.daemon("two", every) as two,
        here.daemon("three", every) as three,
    ):
        await one.start()
        await one.follow(here.sandbox)
        await one.finished(await one.trigger())
        async with standing_by(two):
            await two.until_true("/api/status", lambda status: status["jobs"][0]["next_fire_time"])
            status = await two.get("/api/status")
            mine = await one.get("/api/status")
            changes = [
                await two.api("POST", f"/api/jobs/{JOB}/trigger", {}),
                await two.api("POST", f"/api/jobs/{JOB}/pause", {}),
                await two.api("PUT", "/api/users/u1", {"accounts": {"github": "somebody"}}),
                await two.api("DELETE", "/api/users/u1"),
            ]
            said = await two.command("trigger", JOB)
            shown = await two.command("status")
            runs = await two.get("/api/runs")
            metrics = [(await each.api("GET", "/metrics")).body for each in (one, two)]
            alone = await three.command("trigger", JOB)
            users = (await one.get("/api/users"))["users"]

    leader = status["leader"]["holder"]
    assert status["leader"]["listen"] == one.listen
    assert (status["leader"]["is_me"], mine["leader"]["is_me"]) == (False, True)
    assert status["jobs"][0]["next_fire_time"] == mine["jobs"][0]["next_fire_time"]
    assert status["freshness"] == mine["freshness"]
    assert [run["job"] for run in runs["runs"]] == [JOB]
    sentence = f"this syncd stands by: {leader} ({one.listen}) leads"
    hint = f"ask the one that leads: its control port is {one.listen}"
    for change in changes:
        assert change.status == 409
        assert change.body == {"error": sentence, "hint": hint, "leader": one.listen}
    assert (said.code, said.err) == (6, f"syncd: {sentence}\n  hint: {hint}\n")
    assert f"standby: {leader} leads since" in shown.out
    assert f"its control port is {one.listen}" in shown.out
    assert "syncd_leader 1.0" in metrics[0]
    assert "syncd_leader 0.0" in metrics[1]
    assert (alone.code, sentence in alone.err) == (6, True), alone
    assert {user["key"] for user in users} == {f"u{index}" for index in here.sandbox.people}
    assert "somebody" not in str(users)


async def test_a_run_in_the_foreground_leads_for_its_time(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    async with (
        place(postgres, tmp_path, 300, 50) as here,
        here.daemon("one") as one,
        here.daemon("two") as two,
    ):
        await one.start()
        await one.follow(here.sandbox)
        assert await one.stop() == 0
        process = await one.begin("trigger", JOB, "--json")

        async def is_led() -> bool:
            return bool((await here.leader())["lasts"])

        await until(is_led, what="the foreground to lead")
        await two.start(until_answers=STANDBY)
        out, _ = await process.communicate()
        await here.led_by(two)
        assert await here.fetch("SELECT id FROM runs WHERE outcome <> 'succeeded'") == []
        await here.check_stored()

    assert process.returncode == 0, out


@pytest.mark.needs_tool("faketime")
@pytest.mark.parametrize("off", ["+10m", pytest.param("-10m", marks=pytest.mark.full)])
async def test_clocks_that_are_ten_minutes_off_the_database_make_no_second_leader(
    postgres: PostgresAddress, tmp_path: Path, off: str
) -> None:
    async with (
        place(postgres, tmp_path) as here,
        here.daemon("one", environ=faked_clock(off)) as one,
        here.daemon("two") as two,
    ):
        await one.start()
        async with standing_by(two):
            await asyncio.sleep(LEASE_SECONDS)
            assert (await here.leader())["epoch"] == 1, "renewed, whatever the clocks say"
            run_id = await begun(one, here)
            one.kill(signal.SIGKILL)
            await here.led_by(two, seconds=LEASE_SECONDS + 20)
            await check_taken_over(here, two, run_id)

            assert (await here.leader())["epoch"] == 2


@pytest.mark.needs_tool("pgbouncer")
async def test_everything_works_through_pgbouncer_in_transaction_mode(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    async with (
        place(postgres, tmp_path) as here,
        pgbouncer(postgres) as pooled,
        here.daemon("one", MIRROR, port=pooled.port) as one,
        here.daemon("two", MIRROR, port=pooled.port) as two,
    ):
        await here.fetch("CREATE TABLE public.members_of_pgbouncer (id text, github text)")
        await one.start()
        told = await one.told("condition.noticed", condition=POOLED)
        async with standing_by(two):
            run_id = await begun(one, here)
            one.kill(signal.SIGKILL)
            await here.led_by(two)
            await check_taken_over(here, two, run_id)
            assert two.said("condition.noticed", condition=POOLED) != []

            await here.fetch("INSERT INTO public.members_of_pgbouncer VALUES ('m1', 'somebody')")
            mirrored = await two.finished(await two.trigger_job("users"))
            user = await two.get("/api/users/m1")
            await one.ended()
            await one.start(until_answers=STANDBY)
            idle = await here.fetch(
                "SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
                "AND now() - state_change > interval '1 second'"
            )
        await here.fetch("DROP TABLE public.members_of_pgbouncer")

    assert told["level"] == "warning"
    assert (mirrored["outcome"], mirrored["created"]) == ("succeeded", 1)
    assert user["accounts"][0]["handle"] == "somebody"
    assert idle == []


async def test_orders_that_reach_a_frozen_leader_are_refused_when_it_wakes(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    async with (
        place(postgres, tmp_path, 20, 0) as here,
        here.daemon("one") as one,
        here.daemon("two") as two,
    ):
        await one.start()
        await one.follow(here.sandbox)
        async with standing_by(two):
            one.kill(signal.SIGSTOP)
            orders = [
                asyncio.create_task(one.api(*order))
                for order in (
                    ("POST", "/api/pause", {"why": "woken"}),
                    ("PATCH", f"/api/jobs/{JOB}", {"enabled": False}),
                    ("DELETE", "/api/users/u1"),
                )
            ]
            await here.led_by(two)
            one.kill(signal.SIGCONT)
            codes = [(await order).status for order in orders]
            pauses = await here.fetch("SELECT scope FROM pauses")
            overrides = await here.fetch("SELECT job FROM job_overrides")

    assert [list(map(dict, rows)) for rows in (pauses, overrides)] == [[], []]
    assert not {200} & set(codes), codes


async def test_a_long_mirror_on_the_only_connection_does_not_cost_the_lease(
    postgres: PostgresAddress, tmp_path: Path
) -> None:
    query = "SELECT 'k' || i AS key, 'h' || i AS github FROM generate_series(1, 9) i, pg_sleep(8)"
    tables = {"database": {"pool": 1}, "users": {"query": query, "every": "1h"}}
    async with place(postgres, tmp_path, 20, 0) as here, here.daemon("one", tables) as one:
        await one.start()
        run = await one.finished(await one.trigger_job("users"))

        assert one.said("lease.lost") == []
        assert (run["outcome"], run["resumed"]) == ("succeeded", 0)
