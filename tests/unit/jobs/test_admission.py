from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fakes.clock import FakeClock

from syncd.jobs.admission import Admission
from syncd.model.account import Account, AccountId
from syncd.model.pause import Pause, PauseScope

ADA = Account(id=AccountId(1), user_key="ada", platform="github", handle="Ada")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def admission(clock: FakeClock) -> Admission:
    return Admission(clock)


def pause(clock: FakeClock, scope: PauseScope, key: str = "", **changes: float) -> Pause:
    until = clock.now() + timedelta(**changes) if changes else None
    return Pause(scope=scope, key=key, until=until, paused_at=clock.now())


@pytest.mark.parametrize(
    ("scope", "key"),
    [(PauseScope.ALL, ""), (PauseScope.JOB, "sync"), (PauseScope.PLATFORM, "github")],
)
def test_a_pause_of_all_of_the_job_or_of_the_platform_holds_it(
    admission: Admission, clock: FakeClock, scope: PauseScope, key: str
) -> None:
    admission.pause(pause(clock, scope, key))

    assert admission.holding("sync", "github") is not None


def test_a_pause_of_something_else_holds_nothing(admission: Admission, clock: FakeClock) -> None:
    admission.pause(pause(clock, PauseScope.JOB, "another"))
    admission.pause(pause(clock, PauseScope.PLATFORM, "gitlab"))

    assert admission.holding("sync", "github") is None


def test_a_pause_of_a_platform_does_not_hold_the_job_itself(
    admission: Admission, clock: FakeClock
) -> None:
    admission.pause(pause(clock, PauseScope.PLATFORM, "github"))

    assert admission.holding_job("sync") is None


async def test_a_pause_ends_at_its_time(admission: Admission, clock: FakeClock) -> None:
    admission.pause(pause(clock, PauseScope.ALL, seconds=60))

    await clock.advance(59)
    before = admission.holding_job("sync")
    await clock.advance(1)

    assert before is not None
    assert admission.holding_job("sync") is None


def test_what_the_store_holds_replaces_what_was_known(
    admission: Admission, clock: FakeClock
) -> None:
    admission.pause(pause(clock, PauseScope.ALL))

    admission.load([pause(clock, PauseScope.JOB, "sync")])

    assert admission.standing(PauseScope.ALL) is None
    assert admission.holding_job("sync") is not None


def test_resuming_what_was_not_paused_changes_nothing(admission: Admission) -> None:
    admission.resume(PauseScope.JOB, "sync")

    assert admission.holding_job("sync") is None


def test_a_withdrawn_account_is_not_admitted_until_it_is_readmitted(admission: Admission) -> None:
    admission.withdraw([ADA.id])
    before = admission.admits(ADA)
    admission.readmit([ADA.id])

    assert (before, admission.admits(ADA)) == (False, True)


def test_a_paused_account_is_not_admitted(admission: Admission, clock: FakeClock) -> None:
    admission.pause(pause(clock, PauseScope.ACCOUNT, "github:Ada"))

    assert not admission.admits(ADA)


async def test_whoever_waits_learns_of_a_change_at_once(
    admission: Admission, clock: FakeClock
) -> None:
    waiting = asyncio.ensure_future(admission.wait_for_change())
    await clock.settle()
    before = waiting.done()

    admission.pause(pause(clock, PauseScope.ALL))
    await clock.settle()

    assert (before, waiting.done()) == (False, True)
    assert clock.next_wake is None


async def test_whoever_waits_looks_again_after_a_second(
    admission: Admission, clock: FakeClock
) -> None:
    waiting = asyncio.ensure_future(admission.wait_for_change())

    await clock.advance(1)

    assert waiting.done()
