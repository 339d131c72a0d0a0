from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fakes.clock import FakeClock

from syncd.errors import RateLimited
from syncd.outbound.gate import Gate, Limits
from syncd.outbound.meter import Charge, Meter, current_meter
from syncd.outbound.quota import QuotaReport
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, PlatformThrottled


def gate(clock: FakeClock, bus: Bus, **limits: float | None) -> Gate:
    allowed = {"rate": 1_000.0, "burst": 100, "slots": 3, **limits}
    return Gate("github", "main", Limits(**allowed), clock=clock, bus=bus)


class Sender:
    """Sends requests through a gate, each in flight for as long as it is told."""

    def __init__(self, gate: Gate, clock: FakeClock) -> None:
        self.gate = gate
        self.left_at: list[float] = []
        self.most_in_flight = 0
        self._clock = clock

    async def send(self, seconds: float = 1.0, charge: Charge = Charge.SPENT) -> None:
        async with self.gate.passage() as passage:
            self.left_at.append(self._clock.monotonic())
            self.most_in_flight = max(self.most_in_flight, self.gate.in_flight)
            await self._clock.sleep(seconds)
            passage.charge = charge

    async def send_many(self, count: int, charge: Charge = Charge.SPENT) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self.send(charge=charge))


async def test_no_more_requests_are_in_flight_than_there_are_slots(
    clock: FakeClock, bus: Bus
) -> None:
    sender = Sender(gate(clock, bus, slots=3), clock)

    await clock.run(sender.send_many(10))

    assert sender.most_in_flight == 3
    assert sender.left_at == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


async def test_requests_freed_together_still_leave_at_the_rate(clock: FakeClock, bus: Bus) -> None:
    sender = Sender(gate(clock, bus, rate=2, burst=1, slots=2), clock)
    hanging = [asyncio.create_task(sender.send(100)) for _ in range(2)]
    await clock.advance(1)
    waiting = asyncio.create_task(sender.send_many(4))

    await clock.advance(110)

    assert sender.left_at[2:] == pytest.approx([100, 100.5, 101, 101.5], abs=0.021)
    assert waiting.done()
    assert all(task.done() for task in hanging)


async def test_a_short_pause_is_waited_through_without_holding_a_slot(
    clock: FakeClock, bus: Bus
) -> None:
    sender = Sender(gate(clock, bus), clock)
    sender.gate.pauses.pause(60, "HTTP 429")
    waiting = asyncio.create_task(sender.send())

    await clock.advance(59)
    held = sender.gate.in_flight
    await clock.advance(2)

    assert held == 0
    assert sender.left_at == [60]
    assert waiting.done()


async def test_a_long_pause_is_refused_at_once_with_its_end(clock: FakeClock, bus: Bus) -> None:
    closed = gate(clock, bus)
    closed.pauses.pause(61, "secondary limit")

    with pytest.raises(RateLimited, match="00:01:01 UTC: secondary limit") as refusal:
        async with closed.passage():
            pytest.fail("nothing may leave")

    assert refusal.value.until == clock.now() + timedelta(seconds=61)


async def test_a_long_pause_is_refused_at_once_even_where_the_line_stands_still(
    clock: FakeClock, bus: Bus
) -> None:
    sender = Sender(gate(clock, bus, slots=1), clock)
    tasks = [asyncio.create_task(sender.send(1_000)) for _ in range(2)]
    await clock.settle()
    sender.gate.pauses.pause(3_600, "secondary limit")

    with pytest.raises(RateLimited):
        await asyncio.wait_for(sender.send(), 1)

    assert (sender.gate.in_flight, sender.gate.waiting) == (1, 1)
    for task in tasks:
        task.cancel()


async def test_those_who_wait_learn_of_a_long_pause_that_begins_meanwhile(
    clock: FakeClock, bus: Bus
) -> None:
    sender = Sender(gate(clock, bus, rate=1, burst=1), clock)
    tasks = [asyncio.create_task(sender.send()) for _ in range(10)]
    await clock.advance(1.5)

    sender.gate.pauses.pause(3_600, "secondary limit")
    await clock.advance(1)

    refused = [task for task in tasks if task.done() and task.exception()]
    assert len(refused) == 8
    assert all(isinstance(task.exception(), RateLimited) for task in refused)
    assert sender.gate.waiting == 0


async def test_a_used_up_quota_refuses_with_the_instant_of_more_and_is_told_once(
    clock: FakeClock, bus: Bus, told: list[Event]
) -> None:
    sender = Sender(gate(clock, bus, quota=5), clock)
    await clock.run(sender.send_many(5))

    for _ in range(3):
        with pytest.raises(RateLimited, match="quota") as refusal:
            await sender.send()

    wait = refusal.value.until - clock.now()
    assert timedelta(seconds=3_598) <= wait <= timedelta(seconds=3_605)
    assert [type(event) for event in told] == [PlatformThrottled]


async def test_requests_in_flight_are_kept_below_what_is_left_of_the_quota(
    clock: FakeClock, bus: Bus
) -> None:
    sender = Sender(gate(clock, bus, slots=50), clock)
    sender.gate.quota.note(QuotaReport(remaining=4, resets_in_seconds=600))

    tasks = [asyncio.create_task(sender.send()) for _ in range(20)]
    await clock.advance(0.5)
    in_flight = sender.gate.in_flight
    for task in tasks:
        task.cancel()

    assert in_flight == 4


async def test_free_answers_cost_no_quota(clock: FakeClock, bus: Bus) -> None:
    sender = Sender(gate(clock, bus, quota=5), clock)

    await clock.run(sender.send_many(40, Charge.SAVED))

    assert (sender.gate.calls, sender.gate.saved, sender.gate.quota.left()) == (40, 40, 5)


async def test_what_never_left_counts_as_no_call(clock: FakeClock, bus: Bus) -> None:
    sender = Sender(gate(clock, bus, quota=5), clock)

    await clock.run(sender.send(charge=Charge.UNSENT))

    assert (sender.gate.calls, sender.gate.quota.left()) == (0, 5)


async def test_cancelling_those_in_flight_and_in_line_leaves_the_gate_whole(
    clock: FakeClock, bus: Bus
) -> None:
    sender = Sender(gate(clock, bus, slots=5), clock)
    tasks = [asyncio.create_task(sender.send(100)) for _ in range(50)]
    await clock.settle()

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await clock.run(sender.send_many(5))

    assert (sender.gate.in_flight, sender.gate.waiting) == (0, 0)
    assert sender.left_at[-5:] == [0, 0, 0, 0, 0]


async def test_it_says_in_words_what_requests_wait_for(clock: FakeClock, bus: Bus) -> None:
    sender = Sender(gate(clock, bus, rate=0.5, burst=1, slots=2), clock)
    words = [sender.gate.waits_for()]
    tasks = [asyncio.create_task(sender.send(100)) for _ in range(4)]
    await clock.advance(0.5)
    words.append(sender.gate.waits_for())
    await clock.advance(10)
    words.append(sender.gate.waits_for())
    sender.gate.pauses.pause(49.5, "secondary limit")
    words.append(sender.gate.waits_for())
    for task in tasks:
        task.cancel()

    assert words == [
        "",
        "github bucket: next token 1.5 s",
        "github slots: 2 requests in flight",
        "github pause until 00:01 UTC (secondary limit)",
    ]


async def test_meter_knows_how_long_requests_were_under_way_and_not_how_long_they_waited(
    clock: FakeClock, bus: Bus
) -> None:
    sender, meter = Sender(gate(clock, bus, slots=1), clock), Meter()
    before = current_meter.set(meter)
    try:
        await clock.run(sender.send_many(3))
        await clock.run(sender.send(5, Charge.UNSENT))
    finally:
        current_meter.reset(before)
    first = meter.take()
    meter.put_back(first)

    assert first == (3, 0, pytest.approx(3.0))
    assert meter.take() == first
    assert meter.take() == (0, 0, 0.0)
