"""Commands that do their work without a daemon, embedded servers included."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.control import JOB
from fakes.daemon import write_config

from syncd.cli import main


@pytest.fixture
def config() -> Iterator[Path]:
    # Not below pytest's own folder: the path of PostgreSQL's socket must be short.
    with tempfile.TemporaryDirectory(prefix="syncd-cli-") as folder:
        Path(folder).chmod(0o755)
        yield write_config(Path(folder), 1)


def syncd(config: Path, *typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "syncd", "--config", str(config), *typed],
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_daemon_a_job_is_migrated_and_run_once_here(config: Path) -> None:
    missing = syncd(config, "migrate", "--dry-run")
    triggered = syncd(config, "trigger", JOB, "--json")
    migrated = syncd(config, "migrate")

    run = json.loads(triggered.stdout)
    assert (missing.returncode, missing.stdout[:13]) == (0, "missing  0001")
    assert triggered.returncode == 0
    assert f"running {JOB} once, here" in triggered.stderr
    assert (run["id"], run["job"], run["outcome"], run["seen"]) == (1, JOB, "succeeded", 0)
    assert (migrated.returncode, migrated.stdout) == (0, "the schema is up to date\n")


def test_without_a_daemon_scores_are_computed_here_and_a_bad_scale_is_refused(
    config: Path,
) -> None:
    computed = syncd(config, "rescore", "--json")
    config.write_text(config.read_text() + "[score.leetcode]\nweight = -1\n")
    refused = syncd(config, "rescore")

    answer = json.loads(computed.stdout)
    assert computed.returncode == 0
    assert "computing scores here" in computed.stderr
    assert (answer["running"], answer["done"], answer["error"]) == (False, 0, "")
    assert refused.returncode == 5
    assert "score.leetcode.weight" in refused.stderr


def test_without_a_daemon_an_unknown_job_is_answered_with_the_one_meant(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--config", str(config), "trigger", "nightley"])

    assert code == 2
    assert capsys.readouterr().err.endswith(
        "syncd: there is no job 'nightley'\n  hint: did you mean \"nightly\"?\n"
    )
