"""Hosts that are poorer than usual: no name for the user, no home, the plainest locale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import Start, daemon_process
from fakes.packages import CHECKOUT, packages_without
from fakes.processes import processes_of
from fakes.sandbox_process import sandbox_process

READ_ONLY = (
    *("unshare", "--user", "--map-root-user", "--mount"),
    *("/bin/sh", "-c", 'mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro / && exec "$@"'),
    "sh",
)
NAMELESS = ("unshare", "--user", "--map-user=12345", "--map-group=12345")


async def test_user_without_name_or_home_in_the_plainest_locale_starts_and_runs(
    tmp_path: Path,
) -> None:
    require_namespaces()
    environ = {"LC_ALL": "C", "TMPDIR": str(tmp_path)}
    async with (
        sandbox_process(50) as sandbox,
        daemon_process(tmp_path, sandbox, prefix=NAMELESS, environ=environ) as daemon,
    ):
        await daemon.start()
        await daemon.follow(sandbox)

        run = await daemon.finished(await daemon.trigger())
        code = await daemon.stop()
        left = processes_of(daemon.folder)

    assert (run["outcome"], run["created"]) == ("succeeded", 50)
    assert code == 0
    assert left == {}
    assert daemon.errors() == ""


async def test_state_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    async with daemon_process(tmp_path, tables={"daemon": {"state_dir": "/proc/state"}}) as daemon:
        said = await daemon.command("run")

    sentence, hint = said.err.splitlines()
    assert said.code == 1
    assert sentence.startswith("syncd: cannot write the state directory /proc/state: ")
    assert "state_dir" in hint


async def test_read_only_root_with_a_state_directory_that_can_be_written_starts_and_runs(
    external_daemon: Start,
) -> None:
    require_namespaces(READ_ONLY)
    # Root of this namespace can become nobody else, which embedded servers would ask of it.
    redis = {"redis": {"host": "127.0.0.1", "port": 9}}
    async with (
        sandbox_process(20) as sandbox,
        external_daemon(sandbox, redis, prefix=READ_ONLY) as daemon,
    ):
        await daemon.follow(sandbox)

        run = await daemon.finished(await daemon.trigger())
        code = await daemon.stop()

    assert (run["outcome"], run["created"]) == ("succeeded", 20)
    assert code == 0
    assert daemon.errors() == ""


@pytest.mark.parametrize("command", ["run", "check", "next"])
async def test_machine_without_time_zones_is_told_the_package_that_is_missing(
    tmp_path: Path, command: str
) -> None:
    packages = packages_without("tzdata", into=tmp_path / "packages")
    environ = {"PYTHONPATH": f"{CHECKOUT}:{packages}", "PYTHONTZPATH": ""}
    async with daemon_process(tmp_path, python=(sys.executable, "-S")) as daemon:
        said = await daemon.command(command, **environ)

    assert said.code == 5
    assert said.err.splitlines() == [
        "this machine has no time zone data",
        "1 problem",
        "  hint: install the package tzdata, Debian's or Python's",
    ]


async def test_python_s_own_time_zones_are_enough(tmp_path: Path) -> None:
    kolkata = {f"jobs.{JOB}": {"schedule": "@daily", "timezone": "Asia/Kolkata"}}
    async with daemon_process(tmp_path, tables=kolkata) as daemon:
        said = await daemon.command("next", "--count", "1", PYTHONTZPATH="")

    assert (said.code, said.err) == (0, "")


def require_namespaces(prefix: tuple[str, ...] = NAMELESS) -> None:
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine refuses user namespaces")
