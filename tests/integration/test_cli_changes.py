"""`syncd enable`, `disable`, `reschedule` and `reload`, over a real control port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes.control import JOB
from fakes.daemon import AnswerService, FakeDaemon, fake_daemon, job_answer, status_answer

from syncd.errors import ConfigError
from syncd.model.override import JobChange

DIFFERS = [
    {
        "key": "schedule",
        "config": "30 1 * * *",
        "now": "0 */6 * * *",
        "why": "quieter",
        "actor": "token",
        "changed_at": datetime(2026, 11, 20, tzinfo=UTC),
    }
]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


@pytest.mark.parametrize(
    ("typed", "change"),
    [
        (["enable", JOB], JobChange(enabled=True)),
        (["enable", JOB, "--catch-up"], JobChange(enabled=True, catch_up=True)),
        (["disable", JOB, "--why", "loud"], JobChange(enabled=False, why="loud")),
        (["reschedule", JOB, "0 * * * *"], JobChange(schedule="0 * * * *")),
        (
            ["reschedule", JOB, "--every", "90m", "--tz", "UTC"],
            JobChange(every="90m", timezone="UTC"),
        ),
        (["reschedule", JOB, "--reset"], JobChange(reset=True)),
    ],
)
async def test_each_command_orders_what_it_says(
    daemon: FakeDaemon, typed: list[str], change: JobChange
) -> None:
    assert await daemon.syncd(*typed) == 0
    assert daemon.service.orders == [("change", JOB, change, "token")]


async def test_a_change_is_answered_with_how_the_job_is_then(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.told = status_answer(jobs=[job_answer(differs_from_config=DIFFERS)])

    await daemon.syncd("reschedule", JOB, "0 */6 * * *")

    out, err = capsys.readouterr()
    assert out.startswith(f"{JOB} is switched on: every 12h, next ")
    assert err == f'config.toml says schedule "30 1 * * *": syncd reschedule {JOB} --reset\n'


async def test_a_job_that_is_off_says_that_nothing_fires_it(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    off = job_answer(enabled=False, next_fire_time=None, differs_from_config=[])
    daemon.service.told = status_answer(jobs=[off])

    await daemon.syncd("disable", JOB)

    out = capsys.readouterr().out
    assert out == f"{JOB} is switched off: nothing fires it, a run under way goes on\n"


@pytest.mark.parametrize(
    ("typed", "sentence", "hint"),
    [
        (["disable", "github-profile"], "there is no job", f'did you mean "{JOB}"?'),
        (["enable", "x"], "there is no job 'x'", f"jobs: {JOB}"),
        (["reschedule", JOB], "say when it is to fire", "--reset"),
        (["reschedule", JOB, ""], "say when it is to fire", "--reset"),
        (["reschedule", JOB, "0", "*", "*", "*", "*"], "one argument, not 5", "in quotes"),
        (["pause", "--all", "--until", "2020-01-01"], "until: 2020-01-01T00:00:00+00:00 has", ""),
    ],
)
async def test_what_cannot_be_is_said_in_a_sentence_with_a_suggestion(
    daemon: FakeDaemon,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: list[str],
    sentence: str,
    hint: str,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert await daemon.syncd(*typed) == 2

    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert sentence in first
    assert hint in second


def difference(**changes: Any) -> dict[str, Any]:
    empty = {"change": "changed", "key": "", "old": None, "new": None, "needs_restart": False}
    return {**empty, **changes}


async def test_a_reload_shows_what_is_different_and_what_waits_for_a_restart(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.reloaded = [
        difference(change="added", key="jobs.more"),
        difference(key="jobs.x.claim", old=100, new=50),
        difference(key="web.listen", old="a:1", new="b:1", needs_restart=True),
    ]

    code = await daemon.syncd("reload")

    out, err = capsys.readouterr()
    assert code == 0
    assert out.splitlines() == [
        "added    jobs.more",
        "changed  jobs.x.claim: 100 -> 50",
        'changed  web.listen: "a:1" -> "b:1"  (needs a restart)',
    ]
    assert err.splitlines() == ["2 differences applied", "1 difference only a restart applies"]
    assert daemon.service.orders == [("reload", False, "token")]


async def test_a_dry_run_says_that_nothing_was_changed(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.reloaded = [difference(change="removed", key="jobs.more")]

    await daemon.syncd("reload", "--dry-run")

    assert capsys.readouterr().err == "1 difference, nothing was changed\n"
    assert daemon.service.orders == [("reload", True, "token")]


async def test_a_broken_file_ends_with_5_and_every_problem(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.failure = ConfigError("config.toml:3: jobs.x: one", "config.toml:9: two")

    code = await daemon.syncd("reload")

    err = capsys.readouterr().err
    assert code == 5
    assert err.splitlines() == ["config.toml:3: jobs.x: one", "config.toml:9: two", "2 problems"]


async def test_next_goes_by_what_runs_and_says_so(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly = job_answer(
        name="nightly",
        cron="0 */6 * * *",
        every_seconds=None,
        timezone="America/New_York",
        differs_from_config=DIFFERS,
    )
    daemon.service.told = status_answer(jobs=[nightly])
    until = ["--from", "2026-11-22T00:00-05:00", "--until", "2026-11-22"]

    code = await daemon.syncd("next", "nightly", *until, "--json")

    out, err = capsys.readouterr()
    assert code == 0
    assert [each["at"][11:16] for each in json.loads(out)] == ["06:00", "12:00", "18:00"]
    words = 'schedule "0 */6 * * *" in place of "30 1 * * *"'
    assert err == f"nightly differs from config.toml: {words}\n"


async def test_config_show_says_what_runs_otherwise(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    off = {**DIFFERS[0], "key": "enabled", "config": True, "now": False}
    daemon.service.told = status_answer(jobs=[job_answer(differs_from_config=[off])])

    await daemon.syncd("config", "show")

    out, err = capsys.readouterr()
    assert "[jobs.github-profiles]" in out
    assert err == f"jobs.{JOB} differs as it runs: switched off\n"


async def test_status_tells_notes_that_are_no_problems(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    note = {"what": "config.toml differs from what runs: web.listen", "hint": "restart syncd"}
    daemon.service.told = status_answer(notes=[note])

    code = await daemon.syncd("status")

    assert code == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "note     config.toml differs from what runs: web.listen",
        "         -> restart syncd",
    ]
