"""Starting, following, looking at and stopping runs from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.control import JOB, TOKEN
from fakes.daemon import NOW, AnswerService, FakeDaemon, ended, fake_daemon, run_answer

from syncd.cli.follow import follow_run
from syncd.model.pause import PauseScope
from syncd.model.run import Cause, Outcome, Report, Run, RunId, RunOptions
from syncd.telemetry.events import RunFinished, RunProgressed
from syncd.web.client import ControlClient, DaemonUnreachable

RUN = 4812
FAILURES = {"not_found": 1}
SHARE = {
    "users": 3,
    "profiles": 2,
    "created": 0,
    "updated": 1,
    "unchanged": 1,
    "skipped": 0,
    "failed": 1,
    "failures": FAILURES,
    "success_rate": 2 / 3,
    "mean_seconds": 0.118,
    "calls": 3,
    "saved": 1,
}


def table_of(share: Mapping[str, Any]) -> list[str]:
    """What is shown of a run that asked GitHub alone."""
    heading = "PLATFORM USERS NEW UPDATED SAME FAILED SUCCESS MEAN CALLS"
    cells = [str(share[count]) for count in ("users", "created", "updated", "unchanged", "failed")]
    row = ["github", *cells, "66.7 %", "118 ms", str(share["calls"])]
    words = heading.split()
    widths = [max(map(len, column)) for column in zip(words, row, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (words, row)
    ]
    return [*table, "not_found: github 1"]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


def progressed(done: int, run_id: int = RUN) -> RunProgressed:
    return RunProgressed(
        run_id=run_id,
        job=JOB,
        platform="github",
        done=done,
        total=3,
        report=Report(updated=1, unchanged=1, failed=1),
        rate=1.1,
        eta_seconds=2.0,
        waits_for="",
    )


def finished() -> RunFinished:
    run = Run(
        id=RunId(RUN),
        job=JOB,
        kind="profiles",
        cause=Cause.MANUAL,
        outcome=Outcome.PARTIAL,
        claimed_at=NOW,
    )
    return RunFinished(run=run, duration_seconds=1.9)


async def test_trigger_narrows_the_run_and_returns_at_once(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd(
        "trigger",
        JOB,
        "--only",
        "ada, bob",
        "--platform=github",
        "--limit=5",
        "--full",
        "--dry-run",
    )

    options = RunOptions(only=("ada", "bob"), platform="github", limit=5, full=True, dry_run=True)
    assert code == 0
    assert daemon.service.orders == [("trigger", JOB, options, None)]
    assert capsys.readouterr().out == f"run {RUN} of {JOB} started\n"


async def test_unknown_job_is_answered_with_the_one_meant(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("trigger", "github-profile")

    assert code == 2
    assert capsys.readouterr().err == (
        f"syncd: there is no job 'github-profile'\n  hint: did you mean \"{JOB}\"?\n"
    )


async def test_job_that_runs_already_ends_with_6(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.active = 4811

    code = await daemon.syncd("trigger", JOB)

    assert code == 6
    assert "runs already" in capsys.readouterr().err


async def test_followed_run_shows_progress_and_ends_as_the_run_ended(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    following = asyncio.create_task(daemon.syncd("trigger", JOB, "--follow"))
    await daemon.service.run_was_asked.wait()
    daemon.bus.emit(progressed(1))
    daemon.bus.emit(progressed(9, run_id=RUN + 1))
    daemon.bus.emit(progressed(3))
    daemon.service.started[RUN] = ended(
        "partial", failures=FAILURES, hint="look at it", platforms={"github": SHARE}
    )
    daemon.bus.emit(finished())

    code = await following

    out, err = capsys.readouterr()
    assert code == 4
    assert out.splitlines() == [
        "partial in 1.9 s: 1 updated, 1 unchanged, 1 failed (not_found 1)",
        "requests: 3 calls, 1 cost no quota",
        "",
        *table_of(SHARE),
        "quota left on github: 4,871/5,000",
    ]
    assert err.splitlines() == [
        f"run {RUN} of {JOB} started",
        "github  1/3  failed 1  1.1/s  eta 2.0 s",
        "github  3/3  failed 1  1.1/s",
        "  hint: look at it",
    ]


@pytest.mark.parametrize(
    ("outcome", "code"), [("succeeded", 0), ("held", 7), ("failed", 1), ("cancelled", 1)]
)
async def test_run_that_ended_before_it_was_followed_is_not_waited_for(
    daemon: FakeDaemon, outcome: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.ending = ended(outcome)

    assert await daemon.syncd("trigger", JOB, "--follow", "--json") == code
    assert json.loads(capsys.readouterr().out)["outcome"] == outcome


async def test_run_is_followed_past_a_restart_of_the_daemon(tmp_path: Path) -> None:
    service = AnswerService()
    service.started[RUN] = run_answer()
    told: list[Any] = []
    async with fake_daemon(tmp_path, service) as first:
        client = ControlClient("127.0.0.1", first.port, TOKEN)
        following = asyncio.create_task(asyncio.to_thread(follow_run, client, RUN, told.append))
        await service.run_was_asked.wait()
    service.started[RUN] = ended("succeeded")

    async with fake_daemon(tmp_path, service, first.port):
        run = await following

    assert run["outcome"] == "succeeded"


async def test_daemon_that_stays_away_ends_the_following(tmp_path: Path) -> None:
    service = AnswerService()
    service.started[RUN] = run_answer()
    async with fake_daemon(tmp_path, service) as first:
        client = ControlClient("127.0.0.1", first.port, TOKEN)
        following = asyncio.create_task(
            asyncio.to_thread(follow_run, client, RUN, print, patience_seconds=0)
        )
        await service.run_was_asked.wait()

    with pytest.raises(DaemonUnreachable, match=f"went away while run {RUN} was under way"):
        await following


async def test_interrupt_leaves_the_run_alone_and_says_so(daemon: FakeDaemon) -> None:
    syncd = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd", "--config", str(daemon.config), "trigger", JOB, "-f"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await daemon.service.run_was_asked.wait()
    os.kill(syncd.pid, signal.SIGINT)

    out, err = await syncd.communicate()

    assert (syncd.returncode, out) == (130, b"")
    assert err.decode().splitlines() == [
        f"run {RUN} of {JOB} started",
        f"run {RUN} goes on",
        f"  hint: syncd cancel {RUN} stops it",
    ]


async def test_runs_are_listed_with_what_came_of_them(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    skipped = run_answer(2, outcome="skipped", skip_reason="paused", duration_seconds=None)
    daemon.service.started = {1: ended("partial", 1, failures=FAILURES), 2: skipped}

    code = await daemon.syncd("runs", JOB, "--limit", "9")

    assert code == 0
    assert [line.split("  ")[-1].strip() for line in capsys.readouterr().out.splitlines()] == [
        "ITEMS",
        "1 updated, 1 unchanged, 1 failed (not_found 1)",
        "paused",
    ]


async def test_one_run_is_shown_with_how_it_was_narrowed(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"only": ["ada"], "platform": "", "limit": 5, "full": True, "dry_run": False}
    daemon.service.started = {7: ended("failed", 7, options=options, error="no token", resumed=1)}

    code = await daemon.syncd("show", "7")

    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert code == 0
    assert rows["narrowed to"].strip() == "only ada; limit 5; full"
    assert rows["error"].strip() == "no token"
    assert rows["attempt"].strip() == "1, resumed 1 time"


async def test_what_a_run_came_to_on_six_platforms_fits_on_80_columns(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["github", "atcoder", "codechef", "codeforces", "geeksforgeeks", "hackerrank"]
    failures = {"not_found": 1_024, "schema_error": 17, "blocked": 3}
    share = {**SHARE, "users": 100_000, "unchanged": 98_956, "failures": failures, "skipped": 2}
    share |= {"failed": 1_044, "success_rate": 0.98956, "calls": 100_017}
    daemon.service.started = {7: ended("partial", 7, platforms=dict.fromkeys(names, share))}

    await daemon.syncd("show", "7")

    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index("") :]
    assert max(map(len, table)) < 80
    assert [line.split()[0] for line in table[2:8]] == names
    shown = " ".join(" ".join(table).split())
    assert "not_found: github 1,024, atcoder 1,024, codechef 1,024" in shown
    assert "skipped: github 2, atcoder 2" in shown


@pytest.mark.parametrize("command", ["show", "cancel"])
async def test_unknown_run_is_a_mistake_of_usage(
    daemon: FakeDaemon, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd(command, "99")

    assert code == 2
    assert capsys.readouterr().err == "syncd: run 99 is not known\n"


async def test_cancel_says_whether_there_was_anything_to_stop(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.started = {1: ended("succeeded", 1), 2: run_answer(2)}

    codes = [await daemon.syncd("cancel", "1"), await daemon.syncd("cancel", "2")]

    assert codes == [0, 0]
    assert capsys.readouterr().out.splitlines() == [
        f"run 1 of {JOB} has ended: succeeded",
        f"run 2 of {JOB} stops at its next item",
    ]


async def test_pause_and_resume_reach_a_job_a_platform_or_everything(daemon: FakeDaemon) -> None:
    until = "2026-11-22T12:00+05:30"

    codes = [
        await daemon.syncd("pause", JOB, "--until", until, "--why", "new token"),
        await daemon.syncd("pause", "--platform", "github"),
        await daemon.syncd("pause", "--all"),
        await daemon.syncd("resume", JOB),
        await daemon.syncd("resume", "--platform", "github"),
        await daemon.syncd("resume", "--all"),
    ]

    orders = [order[:3] for order in daemon.service.orders]
    scopes = [(PauseScope.JOB, JOB), (PauseScope.PLATFORM, "github"), (PauseScope.ALL, "")]
    assert codes == [0] * 6
    assert orders == [(word, *scope) for word in ("pause", "resume") for scope in scopes]
    assert daemon.service.orders[0][3] == "new token"
    assert daemon.service.orders[0][4].isoformat() == "2026-11-22T06:30:00+00:00"


async def test_resume_lifts_what_a_platform_asked_one_credential_for(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("resume", "--platform", "github", "--credential", "main")
    told = capsys.readouterr().out.splitlines()
    wrong = await daemon.syncd("resume", JOB, "--credential", "main")

    assert (code, wrong) == (0, 2)
    assert [order[:3] + order[4:] for order in daemon.service.orders] == [
        ("resume", PauseScope.PLATFORM, "github", "main")
    ]
    assert told == ["platform github goes on", "lifted: github pause until 12:00 UTC (HTTP 429)"]
    assert "--credential goes with --platform" in capsys.readouterr().err


async def test_pause_until_nonsense_ends_with_2(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("pause", JOB, "--until", "later")

    assert code == 2
    assert "'later' is no date and time" in capsys.readouterr().err
    assert daemon.service.orders == []
