"""Code that blocks the event loop: told at once with its stack, counted, and not pinged over."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import signal
import time
from pathlib import Path

import pytest
from fakes.daemon_process import DaemonProcess, Start
from fakes.misbehaving import MISCHIEF, begin_mischief, mischief, with_mischief
from fakes.service_manager import ServiceManager, service_manager

WATCHDOG_USEC = "1500000"
STALL_SECONDS = 8.0


async def stalls_counted(daemon: DaemonProcess) -> float:
    text = str((await daemon.api("GET", "/metrics")).body)
    lines = [line for line in text.splitlines() if line.startswith("syncd_loop_stalls_total")]
    return float(lines[0].split()[1])


def longest_silence(manager: ServiceManager) -> float:
    """Return the longest time between two pings."""
    pings = [message.at for message in manager.named("WATCHDOG")]
    return max(later - earlier for earlier, later in itertools.pairwise(pings))


def without_uvloop(folder: Path) -> str:
    """Return a path in which the package is there and cannot be imported."""
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "uvloop.py").write_text("raise ImportError('hidden by a test')\n")
    return str(hidden)


@pytest.mark.parametrize("how", ["wait_in_c", pytest.param("spin", marks=pytest.mark.full)])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_blocked_loop_is_told_with_its_stack_and_counted_and_pings_stop(
    external_daemon: Start, tmp_path: Path, how: str, loop: str
) -> None:
    if loop == "uvloop" and importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop, the extra `fast`, is not installed")
    with service_manager(tmp_path / "notify") as manager:
        environ = dict(with_mischief(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC=WATCHDOG_USEC))
        if loop == "asyncio":
            environ["PYTHONPATH"] = f"{without_uvloop(tmp_path)}:{environ['PYTHONPATH']}"
        tables = mischief(how, seconds=STALL_SECONDS)
        async with external_daemon(None, tables, environ=environ) as daemon:
            run_id = await begin_mischief(daemon)
            began = time.monotonic()
            blocked = await daemon.told("loop.blocked")
            told_after = time.monotonic() - began
            stalled = await daemon.told("loop.stalled")
            run = await daemon.finished(run_id)
            counted = await stalls_counted(daemon)
            code = await daemon.stop()

    assert told_after < STALL_SECONDS
    assert blocked["level"] == "error"
    assert f"in {how}" in blocked["stack"]
    assert "Thread MainThread (most recent call last):" in blocked["stack"]
    assert f"in {how}" in daemon.errors()
    assert STALL_SECONDS - 1 < stalled["duration_seconds"] < STALL_SECONDS + 4
    assert len(daemon.said("loop.blocked")) == len(daemon.said("loop.stalled")) == counted == 1
    assert longest_silence(manager) > STALL_SECONDS - 1
    assert (run["outcome"], code) == ("succeeded", 0)


async def test_stall_that_keeps_the_interpreter_is_counted_and_stands_on_standard_error(
    external_daemon: Start,
) -> None:
    # A lease that ends meanwhile would let the run go on afterwards, and keep the lock again.
    tables = {**mischief("keep_the_lock", seconds=12.0), "daemon": {"lease": "5m"}}
    async with external_daemon(None, tables, environ=with_mischief()) as daemon:
        await begin_mischief(daemon)
        await daemon.told("loop.stalled")
        counted = await stalls_counted(daemon)
        await daemon.stop()

    assert counted == 1
    assert "in keep_the_lock" in daemon.errors()


async def test_process_that_was_frozen_is_not_blamed(external_daemon: Start) -> None:
    async with external_daemon() as daemon:
        daemon.kill(signal.SIGSTOP)
        await asyncio.sleep(7)
        daemon.kill(signal.SIGCONT)
        await asyncio.sleep(3)
        counted = await stalls_counted(daemon)
        blamed = daemon.said("loop.blocked") + daemon.said("loop.stalled")

    assert counted == 0
    assert blamed == []


async def test_service_manager_ends_what_does_not_ping_and_the_next_start_goes_on(
    external_daemon: Start, tmp_path: Path
) -> None:
    with service_manager(tmp_path / "notify") as manager:
        environ = with_mischief(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC=WATCHDOG_USEC)
        async with external_daemon(None, mischief("wait_in_c"), environ=environ) as daemon:
            run_id = await begin_mischief(daemon)
            await daemon.told("loop.blocked")
            last_ping = manager.named("WATCHDOG")[-1].at
            silence = time.monotonic() - last_ping

            daemon.kill(signal.SIGABRT)  # as systemd does after WatchdogSec
            code = await daemon.ended()
            daemon.configure({f"jobs.{MISCHIEF}": {"how": "nothing"}})
            await daemon.start()
            run = await daemon.finished(run_id)

    assert silence > int(WATCHDOG_USEC) / 1e6
    assert code == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in daemon.errors()
    assert "in wait_in_c" in daemon.errors()
    assert (run["outcome"], run["resumed"], run["attempt"]) == ("succeeded", 1, 1)
