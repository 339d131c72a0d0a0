"""The shipped unit: clean, tightly closed, and run by a real systemd."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
from pathlib import Path

import pytest
from fakes.booted_systemd import UNIT, booted_systemd
from fakes.misbehaving import MISCHIEF, mischief

SYSUSERS = UNIT.with_name("syncd.sysusers")


def read(listen: str, path: str, token: str = "") -> str:
    request = urllib.request.Request(f"http://{listen}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the address is http
        return str(answer.read().decode())


@pytest.mark.needs_tool("systemd-analyze")
def test_unit_is_clean_where_syncd_is_installed(tmp_path: Path) -> None:
    installed = tmp_path / "syncd"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    unit = tmp_path / "syncd.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/syncd", str(installed)))

    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.needs_tool("systemd-analyze")
def test_exposure_of_the_unit_is_low() -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=12", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stdout


@pytest.mark.needs_tool("systemd-sysusers")
def test_user_of_the_unit_is_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()

    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", SYSUSERS.resolve()], check=True)

    made = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if "syncd" in line]
    assert [line.split(":")[0] for line in made] == ["syncd"]
    assert "User=syncd\nGroup=syncd\n" in UNIT.read_text()


async def test_systemd_runs_the_unit_with_servers_of_its_own_and_stops_it(tmp_path: Path) -> None:
    tables = {"jobs.github": {"schedule": "0 12 * * *"}, "logging": {"dir": "/var/log/syncd"}}
    async with booted_systemd(tmp_path, tables) as systemd:
        await systemd.reached(ActiveState="active", SubState="running")
        active = await systemd.told_status("0 running, 0 failing, next github ")
        ready = await asyncio.to_thread(read, systemd.listen, "/ready")
        guarded = await systemd.run("grep", "Seccomp:", f"/proc/{active['MainPID']}/status")
        state = await systemd.run("stat", "-c", "%U %a", "/var/lib/syncd/postgres")
        logs = await systemd.run("ls", "/var/log/syncd")
        token = await systemd.run("cat", "/var/lib/syncd/token")
        metrics = await asyncio.to_thread(read, systemd.listen, "/metrics", token.strip())
        await systemd.run("sh", "-c", "echo [nonsense] >> /etc/syncd/config.toml")
        reload = await systemd.run("systemctl", "reload", "syncd.service")
        after = await systemd.show()
        await systemd.run("systemctl", "stop", "syncd.service")
        ended = await systemd.show()
        output = await systemd.output()

    assert json.loads(ready) == {"status": "ready"}
    assert guarded.split() == ["Seccomp:", "2"]
    assert state.split() == ["syncd", "700"]
    assert "cron-current.log" in logs
    assert "\nprocess_resident_memory_bytes " in metrics
    assert "failed" in reload
    assert "nonsense" in output
    assert (after["ActiveState"], after["MainPID"]) == ("active", active["MainPID"])
    assert (ended["ActiveState"], ended["Result"], ended["ExecMainStatus"]) == (
        "inactive",
        "success",
        "0",
    )
    assert '"event":"server.stopped","server":"postgres"' in output
    assert "operation not permitted" not in output.lower()


async def test_systemd_ends_and_restarts_what_blocks_and_its_run_goes_on(tmp_path: Path) -> None:
    once = {"run_on_start": True}
    service = "WatchdogSec=7\nRestartSec=1"
    async with booted_systemd(tmp_path, mischief("wait_in_c_once", **once), service) as systemd:
        restarted = await systemd.reached(ActiveState="active", NRestarts="1")
        output = await systemd.printed('"event":"run.finished"')

    finished = next(line for line in output.splitlines() if '"event":"run.finished"' in line)
    run = json.loads(finished)
    assert restarted["Result"] == "success"
    assert (run["job"], run["outcome"], run["resumed"]) == (MISCHIEF, "succeeded", 1)
    assert '"event":"loop.blocked"' in output
    assert "in wait_in_c" in output
    assert "Fatal Python error: Aborted" in output


async def test_bad_configuration_is_told_and_not_started_again(tmp_path: Path) -> None:
    tables = {"jobs.github": {"schedule": "0 0 31 2 *"}}
    async with booted_systemd(tmp_path, tables, "RestartSec=100ms") as systemd:
        failed = await systemd.reached(ActiveState="failed")
        output = await systemd.output()

    assert (failed["ExecMainStatus"], failed["NRestarts"]) == ("5", "0")
    assert "never fires" in output
