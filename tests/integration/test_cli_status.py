"""`syncd status` and how every command reaches the daemon, over a real control port."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.daemon import (
    AnswerService,
    FakeDaemon,
    fake_daemon,
    job_answer,
    platform_answer,
    run_answer,
    status_answer,
    write_config,
)

from syncd.cli import main
from syncd.errors import NotLeading, StoreUnavailable

HEAVY = {"aiohttp", "asyncpg", "croniter", "pydantic", "redis", "rich", "structlog"}

HEADLINE = (
    "syncd 0.1.0  up 3 d 4 h  db ok 1.2 ms  redis ok 1.2 ms  users 1,000  fresh 98.4 %  (984/1,000)"
)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


async def test_first_screen_shows_freshness_jobs_and_platforms(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("status")

    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        HEADLINE,
        "",
        "JOB              STATE  LAST RUN           FRESH   NEXT (Asia/Kolkata)",
        "github-profiles  ok     12:00  1.9 s  2/2  98.4 %  Sun 00:00 (in 11 h 30 m)",
        "",
        "PLATFORM  ACCOUNTS            QUOTA LEFT   CALLS  SAVED  WAITS FOR",
        "github    active 997, gone 3  4,871/5,000  1,000  990    -",
    ]


async def test_a_syncd_that_stands_by_names_who_leads_and_where(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    leader = {**status_answer()["leader"], "holder": "there:7", "listen": "10.0.0.7:8642"}
    daemon.service.told = status_answer(ready=False, why="-", leader={**leader, "is_me": False})

    code = await daemon.syncd("status")

    out, _ = capsys.readouterr()
    assert code == 0
    assert out.splitlines()[1] == (
        "standby: there:7 leads since 06:30 UTC, its control port is 10.0.0.7:8642"
    )


async def test_a_change_is_refused_by_a_syncd_that_stands_by(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.leads_elsewhere = NotLeading(
        "this syncd stands by: there:7 leads", leader="10.0.0.7:8642", hint="ask there"
    )

    code = await daemon.syncd("pause", "github-profiles")

    _, err = capsys.readouterr()
    assert (code, err) == (6, "syncd: this syncd stands by: there:7 leads\n  hint: ask there\n")
    assert daemon.service.orders == []


async def test_several_credentials_stand_below_their_platform(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    main = {**platform_answer(), "credential": "main", "calls": 600, "refused": ""}
    app = {**main, "credential": "app", "calls": 400, "saved": 0, "refused": "HTTP 401"}
    platform = {**platform_answer(), "waits_for": "app: ...", "credentials": [main, app]}
    daemon.service.told = status_answer(platforms=[platform])

    await daemon.syncd("status")

    assert capsys.readouterr().out.splitlines()[-3:] == [
        "github    active 997, gone 3  4,871/5,000  1,000  990    -",
        "  main                        4,871/5,000  600    990    -",
        "  app                         4,871/5,000  400    0      nothing: it is refused",
    ]


async def test_problems_stand_below_with_what_to_do_and_end_with_4(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [{"what": "token \x1b[31mrejected", "hint": "make a new one"}]
    daemon.service.told = status_answer(problems=problems)

    code = await daemon.syncd("status")

    assert code == 4
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "problem  token \\x1b[31mrejected",
        "         -> make a new one",
    ]


async def test_running_paused_and_switched_off_jobs_are_told_apart(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = {"done": 620, "total": 1000, "failed": 14, "eta_seconds": 242, "waits_for": "reset"}
    pause = {"why": "new token", "until": None}
    daemon.service.told = status_answer(
        jobs=[
            job_answer(name="a", state="running", running=run_answer(progress={"x": progress})),
            job_answer(name="b", state="paused", paused=pause),
            job_answer(name="c", state="off", enabled=False, next_fire_time=None, timezone="UTC"),
            job_answer(name="d", state="never", last_run=None, next_fire_time=None),
        ],
        ready=False,
        why="the database does not answer",
        paused=pause,
    )

    await daemon.syncd("status")

    out = capsys.readouterr().out
    assert "not ready: the database does not answer" in out
    assert "everything is paused: new token" in out
    assert "run 4812  62 %  620/1,000  14 failed  eta 4 m 02 s  waits for reset" in out
    rows = {line[0]: line.split("  ")[-1] for line in out.splitlines() if line[:1] in {*"abcd"}}
    assert rows == {
        "a": "Sun 00:00 Asia/Kolkata (in 11 h 30 m)",
        "b": "paused: new token",
        "c": "off",
        "d": "when triggered",
    }


async def test_json_is_what_the_daemon_said(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("status", "--json")

    status = json.loads(capsys.readouterr().out)
    assert code == 0
    assert status["freshness"]["share"] == 0.984
    assert status["jobs"][0]["next_fire_time"] == "2026-11-21T18:30:00Z"


async def test_asking_the_daemon_imports_nothing_heavy(daemon: FakeDaemon) -> None:
    script = f"""
import sys
from syncd.cli import main
code = main(["--config", {str(daemon.config)!r}, "status"])
sys.exit(" ".join({HEAVY!r} & set(sys.modules)) or code)
"""

    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("syncd 0.1.0")


async def test_reader_that_leaves_early_is_no_failure(daemon: FakeDaemon) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "syncd", "--config", str(daemon.config), "status"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


async def test_database_that_is_down_is_one_sentence_and_exit_1(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.failure = StoreUnavailable("cannot reach PostgreSQL", hint="start it")

    code = await daemon.syncd("status")

    assert code == 1
    assert capsys.readouterr() == ("", "syncd: cannot reach PostgreSQL\n  hint: start it\n")


async def test_wrong_token_ends_with_8(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(daemon.config.parent, daemon.port, token="a-token-of-somebody-else-entirely-xyz")

    code = await daemon.syncd("status")

    out, err = capsys.readouterr()
    assert (code, out) == (8, "")
    assert err.startswith("syncd: ")


async def test_token_that_others_can_read_ends_with_8(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    (daemon.config.parent / "token").chmod(0o644)

    code = await daemon.syncd("status")

    assert code == 8
    assert "chmod 600" in capsys.readouterr().err


def test_daemon_that_does_not_answer_ends_with_3(
    tmp_path: Path, unused_tcp_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, unused_tcp_port)

    code = main(["--config", str(config), "status"])

    out, err = capsys.readouterr()
    assert (code, out) == (3, "")
    assert f"no syncd answers on 127.0.0.1:{unused_tcp_port}: connection refused" in err


def test_daemon_that_never_ran_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, 1)
    (tmp_path / "token").unlink()

    code = main(["--config", str(config), "runs"])

    assert code == 3
    assert "no syncd has run here yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"rows": 0, "held": 0, "waiting": 0}, "1,180 rows, 0 off"),
        ({"rows": 17, "held": 212, "waiting": 3}, "1,180 rows, 17 off, 212 held, 3 waiting"),
    ],
)
async def test_a_leaderboard_job_says_how_its_table_follows_redis(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str], counts: dict[str, int], words: str
) -> None:
    told = {"is_measured": True, "postgres_users": 1_180, **counts}
    new = job_answer(name="new", leaderboard={"is_measured": False})
    daemon.service.told = status_answer(jobs=[job_answer(leaderboard=told), new])

    await daemon.syncd("status")

    lines = capsys.readouterr().out.splitlines()
    assert f"2/2  {words}  " in lines[3]
    assert "2/2  -  " in lines[4]
