"""Faults 7-10 and 19: kill -9 while a schema or a server is made, and of the servers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from fakes.daemon_process import DaemonProcess, Start
from fakes.perils import EVERYBODY, Perils
from fakes.postgres_proxy import Point, When
from fakes.processes import one_server_each, servers_of
from fakes.storm import Storm, Storms
from fakes.storm import storm as stormy
from fakes.waiting import until

RECORDED = r"INSERT INTO migrations"
# Some seconds for a run, and the servers are ours, who know no password.
UNHURRIED = {
    "database": {"password": ""},
    "jobs.github": {"claim": 16},
    "platforms.github": {"rate": "8/s", "burst": 1},
    "platforms.forge": {"rate": "8/s", "burst": 1},
}
SLOW = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$
"""
AT_COMMIT = """
    CREATE CONSTRAINT TRIGGER slow AFTER UPDATE OF created ON runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()
"""
IN_COMMIT = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@pytest.fixture
def own(embedded_daemon: Start, tmp_path: Path) -> Storms:
    """A storm whose daemon has servers of its own."""
    return partial(stormy, embedded_daemon, tmp_path, UNHURRIED)


def postmaster(daemon: DaemonProcess) -> int:
    (pid,) = servers_of(daemon.state_dir, "postgres")
    return pid


def assert_one_server_each(daemon: DaemonProcess) -> None:
    assert len(servers_of(daemon.state_dir, "postgres")) == 1
    assert len(servers_of(daemon.state_dir, "valkey")) == 1


async def check_all(world: Storm) -> None:
    world.oracle.learn("github")
    world.oracle.learn("forge")
    await world.oracle.check()


@pytest.mark.parametrize(
    ("point", "tables"),
    [
        pytest.param(Point(sql=RECORDED, nth=4), False, marks=pytest.mark.full),
        (Point(sql="^COMMIT", within=RECORDED), False),
        (Point(sql=RECORDED, when=When.COMMITTED), True),
    ],
    ids=["between two files", "before the commit", "in the commit"],
)
async def test_migration_that_was_killed_is_done_or_not_and_the_next_start_finishes_it(
    perils: Perils, point: Point, tables: bool
) -> None:
    async with perils(at_once=False) as peril:
        daemon = peril.world.daemon

        async def begin() -> None:
            await daemon.start(ready=False)

        await peril.dies_at(point, begin)
        (row,) = await daemon.fetch("SELECT to_regclass('runs') IS NOT NULL AS there")

        await daemon.start()

        await peril.world.calm()
        assert row["there"] == tables


async def test_servers_killed_while_they_started_are_started_again_on_the_same_data(
    own: Storms,
) -> None:
    async with own() as world:
        await world.calm()
        daemon = world.daemon
        await daemon.stop()
        pid_file = daemon.state_dir / "postgres" / "postmaster.pid"
        starting = asyncio.create_task(daemon.start(ready=False))

        async def is_being_started() -> bool:
            return pid_file.exists() and bool(servers_of(daemon.state_dir, "postgres"))

        await until(is_being_started, what="a PostgreSQL on its way up")
        os.kill(postmaster(daemon), signal.SIGKILL)
        daemon.kill(signal.SIGKILL)
        await asyncio.gather(starting, return_exceptions=True)
        await daemon.ended()
        was_stale = pid_file.exists()
        await daemon.start()

        assert was_stale
        await one_server_each(daemon.state_dir)
        await world.oracle.check()


async def test_database_whose_making_was_killed_is_made_by_the_next_start(
    external_daemon: Start,
) -> None:
    async with external_daemon(tables={"database": {"host": ""}}, at_once=False) as daemon:
        starting = asyncio.create_task(daemon.start(ready=False))

        async def is_being_made() -> bool:
            return bool([*daemon.state_dir.glob("postgres.new-*/base")])

        await until(is_being_made, what="a half-made data directory")
        daemon.kill(signal.SIGKILL)
        await asyncio.gather(starting, return_exceptions=True)
        await daemon.ended()

        await daemon.start()

        # What made the half of it is told to end by its pipe, and takes a moment.
        await one_server_each(daemon.state_dir)
        assert [*daemon.state_dir.glob("postgres.new-*")] == []


async def test_killed_postgres_is_back_soon_and_the_run_goes_on_where_it_was(own: Storms) -> None:
    async with own() as world:
        daemon = world.daemon
        await world.link()
        run_id = await daemon.trigger()
        before = await daemon.reached(run_id, 4)

        began = time.monotonic()
        os.kill(postmaster(daemon), signal.SIGKILL)
        died = await daemon.told("server.died", server="postgres")
        took = time.monotonic() - began
        run = await daemon.finished(run_id)

        await check_all(world)
        assert_one_server_each(daemon)
        assert world.github.counters.fetched(3) == world.forge.counters.fetched(3) == []

    assert took < 5
    assert died["level"] == "error"
    assert died["retry_seconds"] > 0
    assert before["seen"] < EVERYBODY
    assert (run["outcome"], run["resumed"], run["seen"]) == ("succeeded", 0, EVERYBODY)
    assert len(daemon.said("server.started", server="postgres")) == 2


async def test_daemon_killed_with_its_servers_below_it_never_has_two_on_one_directory(
    own: Storms,
) -> None:
    async with own() as world:
        daemon = world.daemon
        await world.link()
        run_id = await daemon.trigger()
        await daemon.reached(run_id, 4)

        daemon.kill(signal.SIGKILL)
        await daemon.ended()
        await daemon.start()
        assert_one_server_each(daemon)
        run = await daemon.finished(run_id)

        await check_all(world)

    assert (run["outcome"], run["resumed"], run["seen"]) == ("succeeded", 1, EVERYBODY)


async def test_postgres_that_quits_inside_a_commit_gets_the_batch_again_and_stores_it_once(
    own: Storms,
) -> None:
    async with own() as world:
        daemon = world.daemon
        await world.link()
        for statement in (SLOW, AT_COMMIT):
            await daemon.fetch(statement)
        run_id = await daemon.trigger()

        async def commits() -> bool:
            return bool((await daemon.fetch(IN_COMMIT))[0]["count"])

        await until(commits, what="a commit under way")
        os.kill(postmaster(daemon), signal.SIGQUIT)
        await daemon.told("server.died", server="postgres")
        await daemon.told("server.started", server="postgres")
        run = await daemon.finished(run_id)

        await check_all(world)

    assert (run["outcome"], run["resumed"], run["created"]) == ("succeeded", 0, EVERYBODY)
    assert daemon.said("run.held_up") != []
