"""`syncd trigger` where no daemon runs: the job once, here, and nothing stays behind."""

from __future__ import annotations

import json
import signal

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import Start, said_by
from fakes.processes import processes_of
from fakes.sandbox_process import sandbox_process

USERS, IN_FLIGHT = 100, 50


async def test_trigger_without_a_daemon_runs_the_job_once_and_leaves_no_process(
    embedded_daemon: Start,
) -> None:
    async with sandbox_process(USERS) as sandbox, embedded_daemon(sandbox) as daemon:
        await daemon.follow(sandbox)
        await daemon.stop()

        said = await daemon.command("trigger", JOB, "--json")
        left = processes_of(daemon.folder)
        fetches = await sandbox.fetches()

    run = json.loads(said.out)
    assert said.code == 0
    assert (run["outcome"], run["created"]) == ("succeeded", USERS)
    assert set(fetches.values()) == {1}
    assert left == {}


async def test_signal_ends_a_run_without_a_daemon_and_the_next_daemon_goes_on_with_it(
    embedded_daemon: Start,
) -> None:
    async with (
        sandbox_process(USERS, latency_ms=1_000) as sandbox,
        embedded_daemon(sandbox) as daemon,
    ):
        await daemon.follow(sandbox)
        await daemon.stop()
        process = await daemon.begin("trigger", JOB, "--json")
        await sandbox.busy(IN_FLIGHT)

        process.send_signal(signal.SIGTERM)
        said = await said_by(process)
        left = processes_of(daemon.folder)
        interrupted = json.loads(said.out)
        await daemon.start()
        run = await daemon.finished(interrupted["id"])
        fetches = await sandbox.fetches()

    assert said.code == 1
    assert interrupted["outcome"] == "interrupted"
    assert interrupted["seen"] >= IN_FLIGHT
    assert left == {}
    assert (run["outcome"], run["seen"]) == ("succeeded", USERS)
    assert set(fetches.values()) == {1}


async def test_second_signal_cancels_a_run_without_a_daemon_and_ends_with_130(
    embedded_daemon: Start,
) -> None:
    async with (
        sandbox_process(USERS, latency_ms=5_000) as sandbox,
        embedded_daemon(sandbox) as daemon,
    ):
        await daemon.follow(sandbox)
        await daemon.stop()
        process = await daemon.begin("trigger", JOB)
        await sandbox.busy(IN_FLIGHT)

        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        said = await said_by(process)
        left = processes_of(daemon.folder)
        await daemon.start()
        run = await daemon.finished((await daemon.get("/api/runs"))["runs"][0]["id"])

    assert said.code == 130
    assert "Traceback" not in said.err
    assert left == {}
    assert (run["outcome"], run["seen"], run["resumed"]) == ("succeeded", USERS, 1)


@pytest.mark.parametrize("words", [("trigger", JOB), ("migrate",)])
async def test_command_that_needs_a_database_which_is_away_ends_with_1(
    external_daemon: Start, words: tuple[str, ...]
) -> None:
    away = {"database": {"host": "127.0.0.1", "port": 9}}
    async with external_daemon(tables=away, at_once=False) as daemon:
        said = await daemon.command(*words)
        left = processes_of(daemon.folder)

    assert said.code == 1
    assert "syncd: cannot use PostgreSQL syncd@127.0.0.1:9/syncd: " in said.err
    assert "Traceback" not in said.err
    assert left == {}


async def test_second_signal_leaves_the_run_of_a_command_interrupted_not_running(
    external_daemon: Start,
) -> None:
    async with (
        sandbox_process(USERS, latency_ms=5_000) as sandbox,
        external_daemon(sandbox) as daemon,
    ):
        await daemon.follow(sandbox)
        await daemon.stop()
        process = await daemon.begin("trigger", JOB)
        await sandbox.busy(IN_FLIGHT)

        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        said = await said_by(process)
        rows = await daemon.fetch("SELECT outcome FROM runs")

    assert said.code == 130
    assert [row["outcome"] for row in rows] == ["interrupted"]
