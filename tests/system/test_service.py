"""syncd as a service manager sees it: what it is told, in which order, and that it lives."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from fakes.daemon_process import Start
from fakes.misbehaving import begin_mischief, mischief, with_mischief
from fakes.sandbox_process import sandbox_process
from fakes.service_manager import service_manager

IN_FLIGHT = 50
PING_SECONDS = 0.5
WATCHDOG_USEC = "1500000"


@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
async def test_whole_life_is_told_in_order(
    external_daemon: Start, tmp_path: Path, *, is_abstract: bool
) -> None:
    with service_manager(None if is_abstract else tmp_path / "notify") as manager:
        environ = {"NOTIFY_SOCKET": manager.address}
        embedded = {"database": {"host": ""}, "jobs.github": {"schedule": "0 12 * * *"}}
        async with external_daemon(None, embedded, environ=environ) as daemon:
            await manager.heard("READY")
            await manager.heard_status("next github ")
            code = await daemon.stop()

    named = ("EXTEND_TIMEOUT_USEC", "READY", "STOPPING")
    lives = [name for message in manager.messages for name in named if name in message.told]
    assert code == 0
    assert dict.fromkeys(lives) == dict.fromkeys(named)
    assert (lives.count("READY"), lives.count("STOPPING")) == (1, 1)
    assert manager.statuses()[0] == "starting: servers"
    assert manager.statuses()[-1] == "stopping, 0 running"
    assert manager.named("WATCHDOG") == []
    assert daemon.errors() == ""


async def test_end_is_told_first_and_the_pulse_goes_on_while_fetches_end(
    external_daemon: Start, tmp_path: Path
) -> None:
    with service_manager(tmp_path / "notify") as manager:
        environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": WATCHDOG_USEC}
        async with (
            sandbox_process(200, latency_ms=3_000) as sandbox,
            external_daemon(sandbox, environ=environ) as daemon,
        ):
            await daemon.follow(sandbox)
            run_id = await daemon.trigger()
            await sandbox.busy(IN_FLIGHT)
            await manager.heard_status("1 running, 0 failing")

            asked_at = time.monotonic()
            daemon.kill(signal.SIGTERM)
            stopping = await manager.heard("STOPPING")
            code = await daemon.ended()
            took = time.monotonic() - asked_at
            row = (await daemon.fetch("SELECT outcome FROM runs WHERE id = $1", run_id))[0]

    pings = [message.at for message in manager.named("WATCHDOG") if message.at > stopping.at]
    said = [each for each in manager.messages if each.at > asked_at and "WATCHDOG" not in each.told]
    assert said[0] is stopping
    assert stopping.at - asked_at < 1
    assert (code, row["outcome"]) == (0, "interrupted")
    assert took < 30
    assert len(pings) >= 2
    assert manager.statuses()[-1].startswith("stopping, ")


async def test_database_that_is_away_leaves_the_service_up_and_its_status_tells(
    external_daemon: Start, tmp_path: Path
) -> None:
    away = {"database": {"host": "127.0.0.1", "port": 9}}
    with service_manager(tmp_path / "notify") as manager:
        environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": WATCHDOG_USEC}
        async with external_daemon(None, away, at_once=False, environ=environ) as daemon:
            await daemon.start(ready=False)
            ready = await manager.heard("READY")
            await manager.heard("WATCHDOG", after=ready.at)
            answer = await daemon.api("GET", "/ready", token=None)
            code = await daemon.stop()

    status = ready.told["STATUS"]
    assert status.startswith("degraded, 0 running: cannot use PostgreSQL syncd@127.0.0.1:9/syncd")
    assert status.endswith("; syncd keeps trying")
    assert answer.status == 503
    assert code == 0


async def test_failing_job_is_counted_in_the_status_until_it_succeeds(
    external_daemon: Start, tmp_path: Path
) -> None:
    with service_manager(tmp_path / "notify") as manager:
        environ = with_mischief(NOTIFY_SOCKET=manager.address)
        async with external_daemon(None, mischief("no_such_thing"), environ=environ) as daemon:
            await begin_mischief(daemon)
            failed = await manager.heard_status("0 running, 1 failing")
            await daemon.stop()

    assert failed.told["STATUS"] == "0 running, 1 failing, nothing is due"


async def test_manager_that_went_away_hurts_nobody(external_daemon: Start, tmp_path: Path) -> None:
    with service_manager(tmp_path / "notify") as manager:
        environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": WATCHDOG_USEC}
        async with external_daemon(None, environ=environ) as daemon:
            await manager.heard("READY")
            (tmp_path / "notify").unlink()
            await asyncio.sleep(3 * PING_SECONDS)
            alive = await daemon.api("GET", "/live", token=None)
            code = await daemon.stop()

    assert (alive.status, code) == (200, 0)
    assert daemon.errors() == ""
