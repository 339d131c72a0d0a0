"""How a daemon ends: the first signal drains, the second cancels, the third leaves at once."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import asyncpg
import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess, Start, said_by
from fakes.misbehaving import MISCHIEF, begin_mischief, mischief, with_mischief
from fakes.processes import processes_of
from fakes.sandbox_process import sandbox_process
from fakes.waiting import until

IN_FLIGHT = 50
WAITS_FOR_RUNS = """
    SELECT pid FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND query LIKE '%INTO runs%' AND pid <> pg_backend_pid()
"""


async def attempted(daemon: DaemonProcess) -> int:
    """Count the accounts whose answer is stored."""
    rows = await daemon.fetch("SELECT count(*) AS n FROM sync_state WHERE outcome <> ''")
    return int(rows[0]["n"])


async def stored_run(daemon: DaemonProcess, run_id: int) -> Any:
    return (await daemon.fetch("SELECT * FROM runs WHERE id = $1", run_id))[0]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)]
)
async def test_first_signal_stores_what_is_in_flight_and_the_next_start_goes_on(
    external_daemon: Start, number: signal.Signals
) -> None:
    users = 200
    async with (
        sandbox_process(users, latency_ms=1_000) as sandbox,
        external_daemon(sandbox, {"daemon": {"drain": "20s"}}) as daemon,
    ):
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await sandbox.busy(IN_FLIGHT)

        began = time.monotonic()
        daemon.kill(number)
        code = await daemon.ended()
        took = time.monotonic() - began

        fetches = await sandbox.fetches()
        stored = await attempted(daemon)
        interrupted = await stored_run(daemon, run_id)
        left = processes_of(daemon.folder)
        await daemon.start()
        run = await daemon.finished(run_id)
        again = await sandbox.fetches()

    assert code == 0
    assert took < 10
    assert IN_FLIGHT <= sum(fetches.values()) < users
    assert stored == sum(fetches.values()) == interrupted["created"]
    assert interrupted["outcome"] == "interrupted"
    assert left == {}
    assert (run["outcome"], run["seen"], run["resumed"]) == ("succeeded", users, 1)
    assert set(again.values()) == {1}
    assert daemon.errors() == ""


async def test_requests_that_outlast_the_drain_are_given_up_and_asked_again_later(
    external_daemon: Start,
) -> None:
    async with (
        sandbox_process(60, latency_ms=8_000) as sandbox,
        external_daemon(sandbox, {"daemon": {"drain": "2s"}}) as daemon,
    ):
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await sandbox.busy(IN_FLIGHT)

        began = time.monotonic()
        code = await daemon.stop()
        took = time.monotonic() - began

        run = await stored_run(daemon, run_id)
        stored = await attempted(daemon)

    assert code == 0
    assert took < 5
    assert run["outcome"] == "interrupted"
    assert stored == run["created"] == 0


@pytest.mark.parametrize(
    "second", [pytest.param(signal.SIGTERM, marks=pytest.mark.full), signal.SIGINT]
)
async def test_second_signal_cancels_what_runs_and_ends_with_130_and_nothing_is_lost(
    external_daemon: Start, second: signal.Signals
) -> None:
    users = 100
    async with (
        sandbox_process(users, latency_ms=3_000) as sandbox,
        external_daemon(sandbox) as daemon,
    ):
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await sandbox.busy(IN_FLIGHT)
        daemon.kill(signal.SIGTERM)
        await daemon.told("daemon.draining", active_runs=1)

        began = time.monotonic()
        daemon.kill(second)
        code = await daemon.ended()
        took = time.monotonic() - began
        cancelled = await stored_run(daemon, run_id)
        await daemon.start()
        run = await daemon.finished(run_id)

    assert code == 130
    assert took < 3
    assert (cancelled["outcome"], cancelled["attempt"], cancelled["finished_at"]) == (
        "interrupted",
        1,
        None,
    )
    assert daemon.said("daemon.hurried", active_runs=1)
    assert (run["outcome"], run["seen"], run["resumed"]) == ("succeeded", users, 1)
    assert run["attempt"] == 1
    assert daemon.errors() == ""


@pytest.mark.parametrize("how", ["swallow", "wait_in_c", "spin"])
async def test_third_signal_leaves_at_once_whatever_hangs(external_daemon: Start, how: str) -> None:
    async with external_daemon(None, mischief(how), environ=with_mischief()) as daemon:
        run_id = await begin_mischief(daemon)

        began = time.monotonic()
        for _ in range(3):
            daemon.kill(signal.SIGTERM)
            await asyncio.sleep(0.1)
        code = await daemon.ended()
        took = time.monotonic() - began
        daemon.configure(mischief("nothing"))
        await daemon.start()
        run = await daemon.finished(run_id)

    assert code == 130
    assert took < 1.5
    assert (run["outcome"], run["resumed"], run["attempt"]) == ("succeeded", 1, 1)


@pytest.mark.parametrize("how", ["wait_in_c", "spin", "leave_a_thread"])
async def test_second_signal_ends_within_five_seconds_whatever_hangs(
    external_daemon: Start, how: str
) -> None:
    async with external_daemon(None, mischief(how), environ=with_mischief()) as daemon:
        await begin_mischief(daemon)

        began = time.monotonic()
        daemon.kill(signal.SIGTERM)
        await asyncio.sleep(0.1)
        daemon.kill(signal.SIGINT)
        code = await daemon.ended()
        took = time.monotonic() - began
        stuck = daemon.said("daemon.stuck")

    assert code == 130
    assert took < 6
    assert [line["exit_code"] for line in stuck] == [130]
    assert how == "leave_a_thread" or f"in {how}" in stuck[0]["stack"]


@pytest.mark.parametrize("how", ["swallow", "swallow_in_a_task", "swallow_in_a_generator"])
async def test_run_that_swallows_its_cancellation_is_told_with_its_stack_and_left_behind(
    external_daemon: Start, how: str
) -> None:
    tables = {"daemon": {"drain": "1s"}, **mischief(how)}
    async with external_daemon(None, tables, environ=with_mischief()) as daemon:
        run_id = await begin_mischief(daemon)

        began = time.monotonic()
        code = await daemon.stop()
        took = time.monotonic() - began
        stuck = daemon.said("run.stuck")
        left = processes_of(daemon.folder)
        row = await stored_run(daemon, run_id)

    assert code == 0
    assert took < 6
    assert [(line["run_id"], line["level"]) for line in stuck] == [(run_id, "error")]
    assert f"in {how}" in stuck[0]["stack"]
    assert "in swallow\n    await asyncio.sleep(3_600)" in stuck[0]["stack"]
    assert left == {}
    assert (row["outcome"], row["attempt"]) == ("interrupted", 1)
    assert daemon.said("daemon.stopped")


async def test_signal_during_the_first_start_ends_it_in_order(external_daemon: Start) -> None:
    async with external_daemon(tables={"database": {"host": ""}}, at_once=False) as daemon:
        await daemon.start(ready=False)

        code = await daemon.stop()
        left = processes_of(daemon.folder)
        await daemon.start()

    assert code == 0
    assert left == {}


async def test_open_event_streams_do_not_hold_up_the_end(external_daemon: Start) -> None:
    async with external_daemon() as daemon:
        streams = [await asyncio.open_connection(*daemon.listen.split(":")) for _ in range(3)]
        for reader, writer in streams:
            request = "GET /api/events HTTP/1.1\r\nHost: localhost\r\n"
            writer.write(f"{request}Authorization: Bearer {daemon.token}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")

        began = time.monotonic()
        code = await daemon.stop()
        took = time.monotonic() - began
        for _, writer in streams:
            writer.close()

    assert code == 0
    assert took < 2


@pytest.mark.full
async def test_run_that_swallows_the_end_of_a_leadership_is_told_and_its_job_gone_on_with(
    external_daemon: Start,
) -> None:
    tables = mischief("swallow")
    async with external_daemon(None, tables, environ=with_mischief()) as daemon:
        run_id = await begin_mischief(daemon)
        # Somebody else had the lease for a moment.
        await daemon.fetch(
            "UPDATE leases SET epoch = epoch + 1, expires_at = '-infinity', instance = ''"
        )
        stuck = await daemon.told("run.stuck", run_id=run_id)

        async def runs_again() -> bool:
            return len(daemon.said("run.started", run_id=run_id)) > 1

        await until(runs_again, what="the run to be gone on with")
        status = await daemon.command("status")
        code = await daemon.stop()

    assert "in swallow" in stuck["stack"]
    assert f"{MISCHIEF}: run {run_id} was cancelled and goes on all the same" in status.out
    assert code == 0


async def test_signal_while_a_trigger_waits_for_its_row_begins_the_drain_within_seconds(
    external_daemon: Start,
) -> None:
    async with external_daemon() as daemon:
        await daemon.told("job.registered")
        address = daemon.database
        other = await asyncpg.connect(
            host=address.host, port=address.port, user=address.user, database=address.database
        )
        async with other.transaction():
            # Nobody can write a run.
            await other.execute(f"LOCK TABLE {daemon.schema}.runs IN SHARE MODE")
            trigger = await daemon.begin("trigger", JOB)
            await until(lambda: daemon.fetch(WAITS_FOR_RUNS), what="the trigger to wait")
            daemon.kill(signal.SIGTERM)
            began = time.monotonic()
            await daemon.told("daemon.draining")
            took = time.monotonic() - began
        await other.close()
        await said_by(trigger)
        code = await daemon.ended()

    assert took < 4
    assert code == 0
