"""What a gate tells to be remembered, and how it goes on from there."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import FakeClock

from syncd.errors import PlatformBlocked, RateLimited
from syncd.model.gate import GateState
from syncd.outbound.breaker import BreakerState
from syncd.outbound.gate import Gate
from syncd.outbound.limits import Limits
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, PlatformRecovered


def remembering(clock: FakeClock, bus: Bus) -> tuple[Gate, list[GateState]]:
    gate = Gate("github", "main", Limits(rate=1_000, burst=100, slots=5), clock=clock, bus=bus)
    states: list[GateState] = []
    gate.remember = states.append
    return gate, states


async def ask(gate: Gate, address: int, error: PlatformBlocked | None = None) -> None:
    with gate.breaker.judging(address):
        async with gate.passage():
            if error is not None:
                raise error


async def trip(gate: Gate) -> None:
    for address in range(5):
        with contextlib.suppress(PlatformBlocked):
            await ask(gate, address, PlatformBlocked("a web page"))


async def test_a_pause_of_a_minute_is_not_worth_remembering(clock: FakeClock, bus: Bus) -> None:
    gate, states = remembering(clock, bus)

    gate.pauses.pause(60, "HTTP 429")
    await clock.advance(60)
    gate.pauses.note_good_answer()

    assert states == []


async def test_a_long_pause_is_told_when_it_begins_and_when_it_has_ended(
    clock: FakeClock, bus: Bus
) -> None:
    gate, states = remembering(clock, bus)
    until = clock.now() + timedelta(hours=1)

    for _ in range(50):
        gate.pauses.pause(3_600, "secondary limit")
    await clock.advance(3_600)
    for _ in range(50):
        gate.pauses.note_good_answer()

    nothing = GateState(platform="github", credential="main")
    paused = replace(nothing, paused_until=until, pause_cause="secondary limit", pauses_in_a_row=1)
    assert states == [paused, nothing]


async def test_the_breaker_is_told_when_it_opens_opens_again_and_closes(
    clock: FakeClock, bus: Bus
) -> None:
    gate, states = remembering(clock, bus)

    await trip(gate)
    await clock.advance(600)
    with contextlib.suppress(PlatformBlocked):
        await ask(gate, 6, PlatformBlocked("a captcha"))
    await clock.advance(1_200)
    await ask(gate, 7)

    assert [(state.openings, state.error) for state in states] == [
        (1, "a web page"),
        (2, "a captcha"),
        (0, ""),
    ]


async def test_a_restored_pause_holds_for_what_is_left_of_it(
    clock: FakeClock, bus: Bus, told: list[Event]
) -> None:
    gate, states = remembering(clock, bus)
    until = clock.now() + timedelta(hours=1)
    gate.restore(
        GateState(
            platform="github",
            credential="main",
            paused_until=until,
            pause_cause="HTTP 429",
            pauses_in_a_row=3,
        )
    )

    with pytest.raises(RateLimited, match="01:00 UTC: HTTP 429") as refusal:
        await ask(gate, 1)
    await clock.advance(3_600)
    await ask(gate, 1)
    gate.pauses.note_good_answer()

    assert refusal.value.until == until
    assert told == [PlatformRecovered(platform="github", credential="main")]
    assert [state.paused_until for state in states] == [None]


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(timedelta(seconds=-1), 0), (timedelta(0), 0), (timedelta(days=365), 7 * 86_400)],
)
def test_a_pause_that_ended_is_dropped_and_none_is_longer_than_a_week(
    clock: FakeClock, bus: Bus, left: timedelta, seconds: float
) -> None:
    gate, _ = remembering(clock, bus)

    gate.restore(GateState(platform="github", credential="main", paused_until=clock.now() + left))

    assert gate.pauses.left_seconds() == seconds


async def test_a_pause_that_ended_elsewhere_ends_here_and_is_told_to_people_alone(
    clock: FakeClock, bus: Bus, told: list[Event]
) -> None:
    gate, states = remembering(clock, bus)
    await trip(gate)
    gate.pauses.pause(3_600, "secondary limit")
    gate.resources.named("graphql").reserved.pause(3_600, "reserve")
    told.clear()
    states.clear()

    gate.restore(GateState(platform="github", credential="main"))

    assert (gate.pauses.active, gate.breaker.state) == (None, BreakerState.CLOSED)
    assert gate.resources.named("graphql").reserved.active is None
    assert told == [PlatformRecovered(platform="github", credential="main")] * 3
    assert states == []


async def test_a_short_pause_outlives_what_was_remembered_elsewhere(
    clock: FakeClock, bus: Bus
) -> None:
    gate, _ = remembering(clock, bus)
    gate.pauses.pause(30, "HTTP 429")

    gate.restore(GateState(platform="github", credential="main"))

    assert gate.pauses.left_seconds() == 30


async def test_while_it_is_open_nothing_leaves_and_then_one_request_decides(
    clock: FakeClock, bus: Bus
) -> None:
    gate, _ = remembering(clock, bus)
    await trip(gate)
    calls = gate.calls

    with pytest.raises(PlatformBlocked, match="tried again at 00:10 UTC"):
        await ask(gate, 8)
    refused = gate.calls - calls
    words = gate.waits_for()
    await clock.advance(600)
    await ask(gate, 8)

    assert refused == 0
    assert words == (
        "github answers something that is not its API since 00:00 UTC; tried again at 00:10 UTC"
    )
    assert (gate.closed_until(), gate.breaker.state) == (None, BreakerState.CLOSED)


async def test_those_who_stand_in_line_when_it_opens_do_not_leave(
    clock: FakeClock, bus: Bus
) -> None:
    gate = Gate("github", "main", Limits(rate=1, burst=5, slots=5), clock=clock, bus=bus)
    for address in range(4):
        with contextlib.suppress(PlatformBlocked):
            await ask(gate, address, PlatformBlocked("a web page"))
    fifth = asyncio.create_task(ask(gate, 4, PlatformBlocked("a web page")))
    waiting = [asyncio.create_task(ask(gate, 5 + number)) for number in range(10)]

    await clock.advance(2)

    errors = [task.exception() for task in [fifth, *waiting]]
    assert all(isinstance(error, PlatformBlocked) and error.until for error in errors)
    assert gate.calls == 5


async def test_a_cancelled_trial_leaves_the_turn_to_the_next(clock: FakeClock, bus: Bus) -> None:
    gate, _ = remembering(clock, bus)
    await trip(gate)
    await clock.advance(600)

    async def hang() -> None:
        async with gate.passage():
            await asyncio.Event().wait()

    hanging = asyncio.create_task(hang())
    await clock.settle()
    waiting = asyncio.create_task(ask(gate, 9))
    await clock.settle()
    under_way = gate.in_flight
    hanging.cancel()
    await clock.settle()

    assert under_way == 1
    assert waiting.done()
    assert gate.breaker.state is BreakerState.CLOSED


async def test_a_lift_is_told_though_nothing_was_in_the_way(clock: FakeClock, bus: Bus) -> None:
    gate, states = remembering(clock, bus)

    gate.lift()

    # What another process left in the memory may be restored a moment later.
    assert [state.paused_until for state in states] == [None]
