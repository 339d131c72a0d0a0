"""Hosts that are poorer than usual: no name for the user, no home, the plainest locale."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fakes.daemon_process import daemon_process
from fakes.processes import processes_of
from fakes.sandbox_process import sandbox_process

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


def require_namespaces() -> None:
    if subprocess.run([*NAMELESS, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine refuses user namespaces")
