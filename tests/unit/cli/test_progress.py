from __future__ import annotations

from typing import Any

import pytest
from fakes.clock import FakeClock

from syncd.cli.console import Console
from syncd.cli.progress import ProgressView, summary


def told(done: int, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": 1,
        "job": "github-profiles",
        "platform": "github",
        "done": done,
        "total": 1000,
        "report": {"failed": 3},
        "rate": 10.24,
        "eta_seconds": 38.0,
        "waits_for": "",
        **changes,
    }


async def test_plain_lines_come_every_ten_seconds_and_the_last_in_any_case(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()

    with ProgressView(console, is_terminal=False, clock=clock) as view:
        view.update(told(10))
        view.update(told(20))
        await clock.advance(9)
        view.update(told(25))
        await clock.advance(1)
        view.update(told(30))
        view.update(told(1000, eta_seconds=None))

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "github  10/1,000  failed 3  10.2/s  eta 38 s",
        "github  30/1,000  failed 3  10.2/s  eta 38 s",
        "github  1,000/1,000  failed 3  10.2/s",
    ]


async def test_a_plain_line_comes_at_once_when_a_platform_waits_for_something_else(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = ["", "a bucket: next token 1.2 s", "a slots: 2 requests in flight", ""]
    waits += ["a quota until 12:00", "a quota until 12:01", "PostgreSQL", ""]

    with ProgressView(console, is_terminal=False, clock=FakeClock()) as view:
        for done, waits_for in enumerate(waits):
            view.update(told(done, rate=0, eta_seconds=None, waits_for=waits_for))

    assert capsys.readouterr().err.splitlines() == [
        "github  0/1,000  failed 3",
        "github  4/1,000  failed 3  waits for a quota until 12:00",
        "github  6/1,000  failed 3  waits for PostgreSQL",
        "github  7/1,000  failed 3",
    ]


async def test_a_platform_that_is_done_says_so_while_others_go_on(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressView(console, is_terminal=False, clock=FakeClock()) as view:
        view.update(told(10, platform="codechef"))
        view.update(told(10))
        view.update(told(1000, eta_seconds=None))
        view.update(told(1000, eta_seconds=None, rate=9.8))
        written = capsys.readouterr().err.splitlines()

    assert written[2:] == ["github  1,000/1,000  failed 3  10.2/s"]


async def test_a_run_that_only_waits_is_one_line(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()

    with ProgressView(console, is_terminal=False, clock=clock) as view:
        for _ in range(5):
            view.update(told(10, rate=0, eta_seconds=None, waits_for="PostgreSQL"))
            await clock.advance(1)

    assert capsys.readouterr().err.splitlines() == [
        "github  10/1,000  failed 3  waits for PostgreSQL"
    ]


def test_terminal_gets_a_bar_per_platform(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressView(console, is_terminal=True) as view:
        view.update(told(10))
        view.update(told(500, platform="evil\x1b[2J"))

    out, err = capsys.readouterr()
    assert out == ""
    assert "10/1,000" in err
    assert "\x1b[2J" not in err


def test_summary_tells_what_came_of_a_run() -> None:
    run = {"outcome": "succeeded", "duration_seconds": 1.9, "seen": 2, "error": ""}

    assert summary({**run, "updated": 1, "unchanged": 1}) == "done in 1.9 s: 1 updated, 1 unchanged"
    assert summary({**run, "outcome": "failed", "seen": 0, "error": "no token"}) == (
        "failed in 1.9 s: no token"
    )
