from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable
from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import (
    BadPayload,
    CredentialsRejected,
    PlatformBlocked,
    PlatformDown,
    PlatformError,
    PlatformTrouble,
    SyncdError,
)
from syncd.model.gate import GateState
from syncd.outbound.breaker import Breaker, BreakerState
from syncd.outbound.gate import Gate
from syncd.outbound.limits import Limits
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, PlatformRecovered, PlatformTripped

BLOCK = PlatformBlocked("a web page")
CAPTCHA = PlatformBlocked("a captcha", is_certain=True)
DOWN = PlatformDown("HTTP 503")


def captcha() -> PlatformBlocked:
    return PlatformBlocked("a captcha", is_certain=True)


@pytest.fixture
def breaker(clock: FakeClock, bus: Bus) -> Breaker:
    return Breaker("github", "main", clock, bus)


def learn(breaker: Breaker, error: SyncdError | None, *addresses: Hashable) -> None:
    """Let requests end, each with the error or a good answer."""
    for address in addresses:
        with contextlib.suppress(SyncdError), breaker.judging(address):
            if error is not None:
                raise error


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ([(BLOCK, 4)], BreakerState.CLOSED),
        ([(BLOCK, 5)], BreakerState.OPEN),
        ([(DOWN, 19)], BreakerState.CLOSED),
        ([(DOWN, 20)], BreakerState.OPEN),
        ([(BLOCK, 4), (None, 1), (BLOCK, 4)], BreakerState.CLOSED),
        ([(DOWN, 4), (BLOCK, 1)], BreakerState.OPEN),
        ([(BadPayload("odd"), 50)], BreakerState.CLOSED),
        ([(BLOCK, 5), (None, 1)], BreakerState.CLOSED),
        ([(CAPTCHA, 1)], BreakerState.OPEN),
        ([(CAPTCHA, 1), (None, 1)], BreakerState.CLOSED),
    ],
)
def test_only_failures_in_a_row_open_it(
    breaker: Breaker, history: list[tuple[SyncdError | None, int]], state: BreakerState
) -> None:
    for step, (error, times) in enumerate(history):
        learn(breaker, error, *((step, number) for number in range(times)))

    assert breaker.state is state


@pytest.mark.parametrize(("error", "times", "seconds"), [(BLOCK, 5, 600), (DOWN, 20, 60)])
async def test_an_open_one_refuses_at_once_with_the_instant_of_the_next_trial(
    clock: FakeClock, breaker: Breaker, error: PlatformTrouble, times: int, seconds: float
) -> None:
    learn(breaker, error, *range(times))

    with pytest.raises(type(error), match="since 00:00 UTC; tried again at 00:") as refusal:
        breaker.check()
    await clock.advance(seconds)

    assert refusal.value.until == clock.now()
    assert breaker.state is BreakerState.HALF_OPEN


def test_whose_failure_opens_it_is_told_that_it_is_the_platforms(breaker: Breaker) -> None:
    learn(breaker, BLOCK, *range(4))

    with pytest.raises(PlatformBlocked) as raised, breaker.judging("fifth"):
        raise BLOCK

    assert raised.value.until is not None


def test_an_answer_that_everybody_would_get_opens_it_unless_what_was_asked_is_no_evidence(
    breaker: Breaker,
) -> None:
    with (
        pytest.raises(PlatformBlocked, match="a captcha") as aside,
        breaker.judging("aside", is_evidence=False),
    ):
        raise captcha()
    before = breaker.state
    with pytest.raises(PlatformBlocked, match="a captcha") as raised, breaker.judging("ada"):
        raise captcha()

    assert (before, aside.value.until) == (BreakerState.CLOSED, None)
    assert (breaker.state, raised.value.until is None) == (BreakerState.OPEN, False)


async def test_address_that_alone_meets_a_captcha_keeps_nobody_else_from_being_tried(
    clock: FakeClock, breaker: Breaker
) -> None:
    learn(breaker, captcha(), "ada")
    await clock.advance(600)
    tried, later = captcha(), captcha()
    learn(breaker, tried, "ada")
    at_trial = breaker.state
    learn(breaker, None, "bob")
    learn(breaker, later, "ada")

    assert (at_trial, tried.is_certain) == (BreakerState.HALF_OPEN, True)
    assert (breaker.state, later.is_certain) == (BreakerState.CLOSED, False)


async def test_captcha_of_everybody_lets_a_few_be_tried_and_not_each_of_them(
    clock: FakeClock, breaker: Breaker
) -> None:
    people = [f"/users/{number}" for number in range(20)]
    tried = []
    for _ in range(10):
        count = 0
        for address in people:
            if breaker.state is BreakerState.OPEN:
                break
            learn(breaker, captcha(), address)
            count += 1
        tried.append(count)
        await clock.advance(breaker.left_seconds())

    assert tried[0] == 1
    assert max(tried) <= 3


@pytest.mark.parametrize(
    ("error", "minutes"),
    [(BLOCK, [10, 20, 40, 60, 60]), (CAPTCHA, [10, 20, 40, 60]), (DOWN, [1, 2, 4, 8, 15, 15])],
)
async def test_each_failed_trial_keeps_it_open_for_longer_until_an_answer(
    clock: FakeClock, breaker: Breaker, error: PlatformTrouble, minutes: list[float]
) -> None:
    learn(breaker, error, *range(20))
    lengths = []
    for number in range(len(minutes)):
        lengths.append(breaker.left_seconds() / 60)
        await clock.advance(breaker.left_seconds())
        learn(breaker, error, ("trial", number))
    learn(breaker, None, "good")
    learn(breaker, error, *((1, number) for number in range(20)))

    assert lengths == minutes
    assert breaker.left_seconds() == minutes[0] * 60


@pytest.mark.parametrize(("error", "half"), [(BLOCK, 3), (DOWN, 10)])
def test_however_often_one_address_fails_it_is_half_of_the_evidence_at_most(
    breaker: Breaker, error: PlatformTrouble, half: int
) -> None:
    learn(breaker, error, *["/users/ada"] * 100, "/users/bob")
    one_other = breaker.state
    learn(breaker, error, *["/users/bob"] * (half - 1))

    assert (one_other, breaker.state) == (BreakerState.CLOSED, BreakerState.OPEN)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (BadPayload("no JSON"), BreakerState.OPEN),
        (PlatformError("no trusted TLS connection"), BreakerState.OPEN),
        (CredentialsRejected("HTTP 401"), BreakerState.CLOSED),
    ],
)
async def test_every_answer_to_a_trial_decides(
    clock: FakeClock, breaker: Breaker, error: SyncdError, state: BreakerState
) -> None:
    learn(breaker, BLOCK, *range(5))
    await clock.advance(600)

    learn(breaker, error, "trial")

    assert breaker.state is state
    assert breaker.failure == ("blocked" if state is BreakerState.OPEN else "")


def test_what_is_kept_of_the_error_holds_no_path(breaker: Breaker) -> None:
    page = PlatformBlocked("cannot GET /users/ada on github: HTTP 403: please log in")

    learn(breaker, page, *range(5))

    assert breaker.error == "cannot GET on github: HTTP 403: please log in"


def test_a_person_closes_it_and_a_row_begins_anew(breaker: Breaker, told: list[Event]) -> None:
    learn(breaker, BLOCK, *range(5))

    breaker.lift()
    closed = breaker.state
    learn(breaker, BLOCK, *range(10, 14))

    assert (closed, breaker.state) == (BreakerState.CLOSED, BreakerState.CLOSED)
    assert [type(event) for event in told] == [PlatformTripped, PlatformRecovered]


def test_one_address_alone_never_opens_it(breaker: Breaker) -> None:
    learn(breaker, BLOCK, *["/users/ada"] * 100)

    assert breaker.state is BreakerState.CLOSED


def test_addresses_that_fail_while_others_are_answered_do_not_count(breaker: Breaker) -> None:
    refused = range(10)
    for number in refused:
        learn(breaker, BLOCK, number)
        learn(breaker, None, "another")

    learn(breaker, BLOCK, *refused, *refused)

    assert breaker.state is BreakerState.CLOSED


async def test_an_account_that_always_fails_does_not_keep_it_open(
    clock: FakeClock, breaker: Breaker
) -> None:
    learn(breaker, BLOCK, *range(5))
    await clock.advance(600)
    learn(breaker, BLOCK, "always first")
    await clock.advance(1200)

    learn(breaker, BLOCK, "always first")
    still_trying = breaker.state
    learn(breaker, None, "second")

    assert (still_trying, breaker.state) == (BreakerState.HALF_OPEN, BreakerState.CLOSED)


async def test_the_condition_is_told_once_when_it_begins_and_once_when_it_ends(
    clock: FakeClock, breaker: Breaker, told: list[Event]
) -> None:
    learn(breaker, BLOCK, *range(9))
    await clock.advance(600)
    learn(breaker, BLOCK, "trial")
    await clock.advance(1200)
    learn(breaker, None, "next trial", "another")

    assert [type(event) for event in told] == [PlatformTripped, PlatformRecovered]
    assert isinstance(told[0], PlatformTripped)
    assert told[0].hint.startswith(
        "github answers something that is not its API since 00:00 UTC; tried again at 00:10 UTC"
    )


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (timedelta(minutes=30), BreakerState.OPEN),
        (timedelta(days=300), BreakerState.OPEN),
        (timedelta(days=-1), BreakerState.HALF_OPEN),
    ],
)
async def test_after_a_restart_it_goes_on_where_it_was_but_never_beyond_an_hour(
    clock: FakeClock, breaker: Breaker, left: timedelta, state: BreakerState
) -> None:
    now = clock.now()
    kept = GateState(
        platform="github",
        credential="main",
        openings=3,
        opened_at=now - timedelta(hours=1),
        open_until=now + left,
        failure="blocked",
        error="a web page",
    )

    breaker.restore(kept)
    restored = breaker.state
    await clock.advance(3600)
    after_an_hour = breaker.state
    learn(breaker, BLOCK, "trial")

    assert (restored, after_an_hour) == (state, BreakerState.HALF_OPEN)
    assert breaker.left_seconds() == 3600  # the fourth opening in a row


Requests = list[tuple[float, float, SyncdError | None]]
REQUESTS = st.lists(
    st.tuples(
        st.floats(0, 3_000), st.floats(0.1, 30), st.sampled_from([None, BLOCK, BLOCK, BLOCK, DOWN])
    ),
    min_size=20,
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(requests=REQUESTS)
def test_never_more_than_one_request_is_under_way_while_it_is_half_open(
    requests: Requests,
) -> None:
    asyncio.run(_send_all(requests))


async def _send_all(requests: Requests) -> None:
    clock = FakeClock()
    gate = Gate("github", "main", Limits(rate=1_000, burst=100, slots=8), clock=clock, bus=Bus())
    trials = 0

    async def send(number: int, start: float, seconds: float, error: SyncdError | None) -> None:
        nonlocal trials
        await clock.sleep(start)
        with contextlib.suppress(PlatformTrouble), gate.breaker.judging(number):
            async with gate.passage() as passage:
                assert gate.breaker.state is not BreakerState.OPEN
                assert passage.is_trial is (gate.breaker.state is BreakerState.HALF_OPEN)
                trials += passage.is_trial
                assert trials <= 1
                try:
                    await clock.sleep(seconds)
                finally:
                    trials -= passage.is_trial
                if error is not None:
                    raise error

    async def send_all() -> None:
        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests):
                group.create_task(send(number, *request))

    await clock.run(send_all())

    assert (gate.in_flight, gate.waiting, gate.breaker.is_trying) == (0, 0, False)


async def test_a_platform_that_stays_blocked_is_asked_by_a_few_trials_only(
    clock: FakeClock, breaker: Breaker
) -> None:
    asked = []
    for _ in range(40):
        before = len(asked)
        for address in range(30):
            try:
                breaker.check()
            except PlatformTrouble:
                break
            asked.append(address)
            learn(breaker, BLOCK, address)
        assert len(asked) - before <= 5
        await clock.advance(3_600)

    assert len(asked) <= 5 + 39 * 3


def test_an_outage_after_a_bad_day_opens_it_although_most_had_failed_before(
    breaker: Breaker,
) -> None:
    for number in range(60):
        learn(breaker, DOWN, ("broken", number))
        learn(breaker, None, ("good", number))

    learn(breaker, DOWN, *(("broken", number) for number in range(60)))

    assert breaker.state is BreakerState.OPEN
