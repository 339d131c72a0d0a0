"""Logs of a real daemon: lines, files, and what happens when they cannot be written."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import Start
from fakes.sandbox_process import sandbox_process

SMALL_DISK = (
    *("unshare", "--user", "--map-root-user", "--mount"),
    *("/bin/sh", "-c", 'mount -t tmpfs -o size=4k none logs && exec "$@"', "sh"),
)

# What no statement of ours is ready for, and back.
UNFIT = "ALTER TABLE profiles ALTER COLUMN raw_hash TYPE integer USING 0"
FIT = "ALTER TABLE profiles ALTER COLUMN raw_hash TYPE bytea USING ''::bytea"


def require_namespaces() -> None:
    allowed = [*SMALL_DISK[:4], "true"]
    if subprocess.run(allowed, capture_output=True, check=False).returncode:
        pytest.skip("this machine refuses the namespace that a small disk needs")


async def test_every_line_on_standard_output_is_one_json_object(external_daemon: Start) -> None:
    three = {f"jobs.{name}": {"kind": "profiles", "platforms": ["github"]} for name in "abc"}
    async with sandbox_process(20) as sandbox, external_daemon(sandbox, three) as daemon:
        await daemon.follow(sandbox)
        await daemon.finished(await daemon.trigger())
        await daemon.stop()

    assert daemon.noise == []
    assert daemon.errors() == ""
    assert all({"timestamp", "level", "event"} <= line.keys() for line in daemon.lines)
    registered = [line["job"] for line in daemon.said("job.registered")]
    assert sorted(registered) == ["a", "b", "c", JOB]
    (finished,) = daemon.said("run.finished")
    assert (finished["outcome"], finished["seen"], finished["created"]) == ("succeeded", 20, 20)


async def test_failure_nobody_foresaw_leaves_its_stack_in_the_log_and_the_daemon_up(
    external_daemon: Start,
) -> None:
    async with sandbox_process(20) as sandbox, external_daemon(sandbox) as daemon:
        await daemon.follow(sandbox)
        await daemon.fetch(UNFIT)

        failed = await daemon.finished(await daemon.trigger())
        crashed = await daemon.told("run.crashed", job=JOB)
        await daemon.fetch(FIT)
        run = await daemon.finished(await daemon.trigger())

    assert failed["outcome"] == "failed"
    assert failed["error"].startswith("unforeseen DatatypeMismatchError in job")
    assert crashed["level"] == "error"
    assert "Traceback" in crashed["stack"]
    assert (run["outcome"], run["created"]) == ("succeeded", 20)


async def test_lines_go_to_dated_files_by_purpose(external_daemon: Start) -> None:
    async with (
        sandbox_process(20) as sandbox,
        external_daemon(sandbox, {"logging": {"dir": "logs"}}) as daemon,
    ):
        await daemon.follow(sandbox)
        today = datetime.now(UTC).date()
        await daemon.finished(await daemon.trigger())
        await daemon.stop()

    logs = daemon.folder / "logs"
    runs = (logs / f"github-{today}.log").read_text()
    audit = (logs / f"audit-{today}.log").read_text()
    assert "Running manual profile update" in runs
    assert "Sync completed" in runs
    assert "/api/users/import" in audit
    assert (logs / "github-current.log").resolve().name == f"github-{today}.log"
    assert all(stat.S_IMODE(file.stat().st_mode) & 0o007 == 0 for file in logs.iterdir())


async def test_log_folder_that_is_removed_in_mid_run_hurts_no_run_and_comes_back(
    external_daemon: Start,
) -> None:
    async with (
        sandbox_process(1_000) as sandbox,
        external_daemon(sandbox, {"logging": {"dir": "logs"}}) as daemon,
    ):
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await daemon.reached(run_id, 100)

        shutil.rmtree(daemon.folder / "logs")
        run = await daemon.finished(run_id)
        await daemon.stop()

    assert (run["outcome"], run["created"]) == ("succeeded", 1_000)
    files = [*(daemon.folder / "logs").glob("github-2*.log")]
    assert "Sync completed" in files[0].read_text()


async def test_full_log_disk_hurts_no_run_and_is_told_once(external_daemon: Start) -> None:
    require_namespaces()
    # Root of this namespace can become nobody else, which embedded servers would ask of it.
    redis = {"host": "127.0.0.1", "port": 9}
    loud = {"logging": {"dir": "logs", "level": "debug"}, "redis": redis}
    async with (
        sandbox_process(200) as sandbox,
        external_daemon(sandbox, loud, prefix=SMALL_DISK, at_once=False) as daemon,
    ):
        (daemon.folder / "logs").mkdir()
        await daemon.start()
        await daemon.follow(sandbox)

        run = await daemon.finished(await daemon.trigger())
        metrics = await daemon.get("/metrics")
        code = await daemon.stop()

    complaints = [line for line in daemon.errors().splitlines() if "being lost" in line]
    assert (run["outcome"], run["created"]) == ("succeeded", 200)
    assert code == 0
    assert len(complaints) == 1
    assert "No space left on device" in complaints[0]
    assert re.search(r"^syncd_log_lines_dropped_total [1-9]", metrics, re.MULTILINE)
    assert daemon.said("run.finished") != []
