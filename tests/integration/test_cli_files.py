"""What the command line reads itself: the config file and the logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fakes.control import JOB
from fakes.daemon import AnswerService, fake_daemon, write_config

from syncd.cli import main

LINES = """\
2026-11-21T06:32:10.123Z INFO     Running scheduled profile update event=run.started run=7
2026-11-21T06:32:11.000Z ERROR    Sync failed event=run.finished run=8
    Traceback of it
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "github-2026-11-21.log").write_text(LINES, "utf-8")
    return write_config(tmp_path, 1)


def test_check_names_every_job_with_its_schedule(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["check", "--config", str(config)])

    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert rows[0] == ["ok", JOB, "every", "12h"]
    assert " ".join(rows[1]).startswith("ok nightly every day at 01:30 America/New_York next ")
    assert err == f"{config} is right\n"


def test_check_names_every_problem_with_its_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text("utf-8") + 'shedule = "@daily"\nlimit = -1\n', "utf-8")

    code = main(["check", "--config", str(config)])

    out, err = capsys.readouterr()
    assert (code, out) == (5, "")
    assert err.splitlines()[0].startswith(f"{config}:18: jobs.nightly.shedule: ")
    assert err.splitlines()[1].startswith(f"{config}:19: jobs.nightly.limit: ")
    assert err.splitlines()[2] == "2 problems"


def test_check_tells_programs_the_same(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = main(["check", "--json", "--config", str(config)])
    good = json.loads(capsys.readouterr().out)
    config.write_text("[nonsense", "utf-8")
    wrong = main(["check", "--json", "--config", str(config)])
    bad = json.loads(capsys.readouterr().out)

    assert (right, good["ok"], [job["name"] for job in good["jobs"]]) == (0, True, [JOB, "nightly"])
    assert (wrong, bad["ok"], len(bad["problems"])) == (5, False, 1)


@pytest.mark.parametrize("command", ["status", "run", "migrate", "next", "trigger x"])
def test_config_that_is_not_there_ends_with_5(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--config", str(tmp_path / "none.toml"), *command.split()])

    out, err = capsys.readouterr()
    assert (code, out) == (5, "")
    assert "no such file" in err


def test_config_is_shown_as_a_file_without_its_secrets(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config.read_text("utf-8")
    secret = 'password = "hunter2"\nhost = "db.example"'
    config.write_text(f"[database]\n{secret}\n{text}", "utf-8")
    config.chmod(0o600)

    code = main(["config", "show", "--config", str(config)])

    shown = tomllib.loads(capsys.readouterr().out)
    assert code == 0
    assert shown["database"]["password"] == "***"
    assert shown["jobs"][JOB]["every"] == "12h"


async def test_next_of_an_interval_goes_on_from_what_the_daemon_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        code = await daemon.syncd(
            "next", JOB, "--json", "--from", "2026-11-21T12:00Z", "--count", "2"
        )

    assert code == 0
    assert [fire["utc"] for fire in json.loads(capsys.readouterr().out)] == [
        "2026-11-21T18:30:00Z",
        "2026-11-22T06:30:00Z",
    ]


def test_next_of_an_interval_without_the_daemon_says_why_not(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = main(["next", JOB, "--config", str(config)])
    all_of_them = main(["next", "--count", "1", "--config", str(config)])

    out, err = capsys.readouterr()
    assert (one, all_of_them) == (3, 0)
    assert out.startswith("nightly  ")
    assert err.count(f"{JOB} fires every so often, and only the running daemon knows") == 2


def test_schedule_that_is_considered_for_a_job_has_its_zone(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["next", "nightly", "--schedule", "0 12 * * *", "--from", "2026-07-01", "--count=1"]
    code = main([*typed, "--json", "--config", str(config)])

    fire = json.loads(capsys.readouterr().out)[0]
    assert code == 0
    assert (fire["job"], fire["at"]) == ("nightly", "2026-07-01T12:00:00-04:00")


def test_logs_are_filtered_by_run_and_level(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_run = main(["logs", "--run", "7", "--config", str(config)])
    first = capsys.readouterr().out
    by_level = main(["logs", "github", "--level", "error", "--config", str(config)])
    second = capsys.readouterr().out

    assert (by_run, by_level) == (0, 0)
    assert first.splitlines() == LINES.splitlines()[:1]
    assert second.splitlines() == LINES.splitlines()[1:]


def test_logs_are_objects_for_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["logs", "--json", "--last", "2", "--config", str(config)])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert (lines[0]["at"], lines[0]["level"]) == ("2026-11-21T06:32:11.000Z", "error")
    assert lines[1] == {"line": "    Traceback of it"}


@pytest.mark.parametrize("typed", [["nonsense"], ["--level", "loud"]])
def test_logs_that_cannot_be_asked_for_end_with_2(
    typed: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["logs", *typed, "--config", str(config)])

    assert code == 2
    assert "hint: one of" in capsys.readouterr().err


def test_logs_that_are_not_kept_say_where_to_look(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("", "utf-8")

    code = main(["logs", "--config", str(config)])

    assert code == 2
    assert "journalctl" in capsys.readouterr().err


def test_following_logs_shows_new_lines_until_interrupted(config: Path) -> None:
    syncd = subprocess.Popen(
        [sys.executable, "-m", "syncd", "logs", "-f", "-n", "1", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert syncd.stdout is not None
    first = syncd.stdout.readline()
    with (config.parent / "logs" / "github-2026-11-21.log").open("a") as file:
        file.write(LINES.splitlines(keepends=True)[0])
    second = syncd.stdout.readline()
    syncd.send_signal(signal.SIGINT)

    out, err = syncd.communicate(timeout=10)

    assert first == "    Traceback of it\n"
    assert second == LINES.splitlines(keepends=True)[0]
    assert (syncd.returncode, out, err) == (130, "", "")
