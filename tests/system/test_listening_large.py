"""Many users of Spotify: the pace is the limiter's, memory stays, nothing is asked row by row."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fakes.listening_pace import Figure, pace_of, told

# A hundred times the default of one user in two seconds.
RATE = 50.0
UNLIMITED = 5_000.0
MOST_GROWTH_MB = 10
# Claim, grants, cursors, commit, and what is asked about the run and its gates besides.
MOST_TRANSACTIONS_A_PAGE = 14


def check(figure: Figure, *, share: float) -> None:
    report, users = figure.run.report, figure.users
    assert (figure.run.outcome, report.seen, report.failed) == ("succeeded", users, 0)
    assert figure.pace == pytest.approx(1, abs=share)
    assert figure.forecast.seconds == pytest.approx(figure.seconds, rel=share, abs=0.5)
    assert figure.megabytes_at_end - figure.megabytes_at_begin < MOST_GROWTH_MB
    assert figure.transactions / figure.pages < MOST_TRANSACTIONS_A_PAGE
    # A page is many users, so this is far from one for each.
    assert figure.transactions < users


@pytest.mark.timeout(900)
@pytest.mark.parametrize("users", [500, pytest.param(10_000, marks=pytest.mark.full)])
async def test_a_run_over_many_takes_what_the_limiter_lets_it_and_asks_for_pages_not_for_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], users: int
) -> None:
    async with pace_of(tmp_path, users) as pace:
        async with pace.syncd(UNLIMITED) as (core, bus):
            await pace.grant(core)
            first = await pace.measured(core, bus, UNLIMITED)
        await pace.listen()
        async with pace.syncd(RATE) as (core, bus):
            figure = await pace.measured(core, bus, RATE)

    with capsys.disabled():
        sys.stdout.write(f"\n{told(first)}\n{told(figure)}\n")
    # Over 10 s what a run does before its first question counts as well.
    check(figure, share=0.02 if users >= 10_000 else 0.1)
    assert figure.plays.inserted == 3 * users / 5
    assert (figure.refreshes, first.refreshes) == (0, 0)


@pytest.mark.parametrize(
    ("users", "faster", "least", "most"),
    [
        (1, 1, 0, 5),
        (10, 4, 18, 24),
        pytest.param(100, 10, 196, 216, marks=pytest.mark.full),
    ],
)
async def test_at_one_user_in_two_seconds_a_run_takes_as_long_as_was_forecast(
    tmp_path: Path, users: int, faster: int, least: float, most: float
) -> None:
    async with pace_of(tmp_path, users) as pace, pace.syncd(faster / 2) as (core, bus):
        await pace.grant(core, has_access=False)

        figure = await pace.measured(core, bus, faster / 2)

    assert (figure.run.outcome, figure.run.report.seen) == ("succeeded", users)
    # Everybody needs a new access token first; the two services have limits of their own.
    assert figure.refreshes == users
    assert least <= figure.seconds * faster <= most
    assert least <= figure.forecast.seconds * faster <= most
