"""What a resource allows: the reserve, the spreading of the last, and each resource by itself."""

from __future__ import annotations

import asyncio
import math
import random
from bisect import bisect_left
from itertools import pairwise

import pytest
from fakes.clock import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import RateLimited
from syncd.outbound.gate import Gate
from syncd.outbound.limits import Limits
from syncd.outbound.meter import Charge
from syncd.outbound.quota import QuotaReport
from syncd.outbound.urgency import Urgency, current_urgency
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, PlatformRecovered, PlatformThrottled

MANUAL, SCHEDULED = Urgency.MANUAL, Urgency.SCHEDULED


class Sender:
    """Sends requests, and waits out what it is refused with, as a run does."""

    def __init__(self, clock: FakeClock, bus: Bus | None = None, **limits: float) -> None:
        allowed = {"rate": 1_000.0, "burst": 100, "slots": 10, **limits}
        self.clock = clock
        self.gate = Gate("github", "main", Limits(**allowed), clock=clock, bus=bus or Bus())
        self.latency = 0.1
        self.left_at: dict[Urgency, list[float]] = {MANUAL: [], SCHEDULED: []}

    async def send(
        self,
        urgency: Urgency = SCHEDULED,
        *,
        resource: str = "core",
        charge: Charge = Charge.SPENT,
    ) -> None:
        current_urgency.set(urgency)
        async with self.gate.passage(resource) as passage:
            self.left_at[urgency].append(self.clock.monotonic())
            await self.clock.sleep(self.latency)
            passage.charge = charge

    async def work_through(
        self, count: float, *, until: float = math.inf, charge: Charge = Charge.SPENT
    ) -> None:
        """Send `count` scheduled requests in five lanes; stop at `until`."""
        left = count

        async def lane() -> None:
            nonlocal left
            while left > 0 and self.clock.monotonic() < until:
                left -= 1
                try:
                    await self.send(charge=charge)
                except RateLimited as error:
                    left += 1
                    wait = (error.until - self.clock.now()).total_seconds()
                    await self.clock.sleep(min(wait, until - self.clock.monotonic()))

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(lane())

    def report(self, remaining: int, seconds: float, resource: str = "core") -> None:
        told = QuotaReport(remaining=remaining, resets_in_seconds=seconds, limit=5_000)
        self.gate.resources.named(resource).quota.note(told)


def most_within(times: list[float], seconds: float) -> int:
    return max(bisect_left(times, at + seconds) - i for i, at in enumerate(times))


async def test_a_resource_that_is_used_up_refuses_its_own_requests_only(
    clock: FakeClock, bus: Bus, told: list[Event]
) -> None:
    sender = Sender(clock, bus, quota=100)
    sender.report(0, 1_800, "graphql")

    for _ in range(2):
        with pytest.raises(RateLimited, match="00:30:01 UTC: graphql quota"):
            await sender.send(resource="graphql")
    await clock.run(sender.send())

    assert sender.gate.closed_until() is None
    assert sender.gate.waits_for() == "github pause until 00:30:01 UTC (graphql quota)"
    assert [type(event) for event in told] == [PlatformThrottled]


async def test_who_waits_for_a_resource_holds_up_nobody_who_does_not(clock: FakeClock) -> None:
    sender = Sender(clock)
    sender.report(0, 30, "graphql")
    waiting = [asyncio.create_task(sender.send(resource="graphql")) for _ in range(3)]
    await clock.advance(1)

    others = [asyncio.create_task(sender.send()) for _ in range(5)]
    await clock.advance(1)
    done_at_once = [task.done() for task in others]
    await clock.advance(30)

    assert all(done_at_once)
    assert all(task.done() for task in waiting)


async def test_the_configured_quota_is_that_of_the_core_resource(clock: FakeClock) -> None:
    sender = Sender(clock, quota=3)

    for _ in range(10):
        await clock.run(sender.send(resource="graphql"))

    assert sender.gate.quota.left() == 3
    assert sender.gate.resources.named("graphql").quota.left() == math.inf


async def test_scheduled_requests_leave_the_reserve_to_manual_triggers(
    clock: FakeClock, bus: Bus, told: list[Event]
) -> None:
    sender = Sender(clock, bus, quota=10, reserve=0.2)
    for _ in range(8):
        await clock.run(sender.send())

    for _ in range(3):
        with pytest.raises(RateLimited, match="reserve for manual triggers") as refusal:
            await sender.send()
    words = sender.gate.waits_for()
    for _ in range(2):
        await clock.run(sender.send(MANUAL))
    with pytest.raises(RateLimited, match="quota"):
        await sender.send(MANUAL)

    more_at = (refusal.value.until - clock.now()).total_seconds()
    assert 3_595 <= more_at <= 3_605
    assert words == "github pause until 01:00:03 UTC (reserve for manual triggers)"
    assert [event.cause for event in told if isinstance(event, PlatformThrottled)] == [
        "reserve for manual triggers",
        "quota",
    ]


async def test_when_there_is_more_scheduled_requests_go_on_and_that_is_told(
    clock: FakeClock, bus: Bus, told: list[Event]
) -> None:
    sender = Sender(clock, bus, quota=10, reserve=0.2)
    for _ in range(8):
        await clock.run(sender.send())
    with pytest.raises(RateLimited) as refusal:
        await sender.send()

    await clock.advance((refusal.value.until - clock.now()).total_seconds())
    await clock.run(sender.send())
    sender.gate.note_good_answer("core")

    assert [type(event) for event in told] == [PlatformThrottled, PlatformRecovered]
    assert sender.gate.waits_for() == ""


async def test_the_reserve_is_a_share_of_what_the_server_says_of_its_window(
    clock: FakeClock,
) -> None:
    sender = Sender(clock, reserve=0.2)
    sender.report(1_001, 1_800)

    await clock.run(sender.send())
    sender.report(1_000, 1_800)

    with pytest.raises(RateLimited, match="reserve"):
        await sender.send()
    await clock.run(sender.send(MANUAL))


async def test_manual_requests_do_not_wait_where_scheduled_ones_wait_for_the_reserve(
    clock: FakeClock,
) -> None:
    sender = Sender(clock, reserve=0.2)
    sender.report(1_000, 40)
    waiting = asyncio.create_task(sender.send())
    await clock.advance(1)

    manual = asyncio.create_task(sender.send(MANUAL))
    await clock.advance(1)
    words, is_through = sender.gate.waits_for(), manual.done()
    await clock.advance(40)

    assert (words, is_through) == ("github reserve for manual triggers", True)
    assert waiting.done()


async def test_the_last_of_a_window_is_spread_until_there_is_more(clock: FakeClock) -> None:
    sender = Sender(clock, quota=1_000)

    await clock.run(sender.work_through(math.inf, until=3_600))

    times = sender.left_at[SCHEDULED]
    gaps = [later - earlier for earlier, later in pairwise(times[-45:])]
    assert len(times) == 1_000
    assert times[950] < 20
    assert gaps == pytest.approx([3_600 / 46] * 44, rel=0.02)


async def test_answers_that_cost_nothing_are_not_spread(clock: FakeClock) -> None:
    sender = Sender(clock)
    sender.report(50, 3_600)

    await clock.run(sender.work_through(200, charge=Charge.SAVED))

    assert clock.monotonic() <= 200 * 0.1 + 1


async def test_manual_requests_are_not_spread(clock: FakeClock) -> None:
    sender = Sender(clock)
    sender.report(50, 3_600)

    for _ in range(40):
        await clock.run(sender.send(MANUAL))

    assert clock.monotonic() == pytest.approx(40 * 0.1)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    quota=st.integers(40, 400),
    rate=st.sampled_from([2, 10, 100]),
    manual=st.integers(0, 30),
    reserve=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_a_window_is_used_up_by_its_end_never_exceeded_and_never_in_a_manual_triggers_way(
    seed: int, quota: int, rate: int, manual: int, reserve: float
) -> None:
    window, chance = 600.0, random.Random(seed)
    clock = FakeClock()
    limits = {"quota": quota, "quota_seconds": window, "reserve": reserve, "rate": rate}
    limits["burst"] = 1
    sender = Sender(clock, **limits)
    reserved = int(quota * reserve)
    asked_at = sorted(chance.random() * 2 * window for _ in range(min(manual, reserved // 2)))
    delays = []

    async def ask() -> None:
        for at in asked_at:
            await clock.sleep(at - clock.monotonic())
            before = clock.monotonic()
            await sender.send(MANUAL)
            delays.append(sender.left_at[MANUAL][-1] - before)

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sender.work_through(math.inf, until=3 * window))
            group.create_task(ask())

    asyncio.run(clock.run(story()))

    scheduled = sender.left_at[SCHEDULED]
    everything = sorted(scheduled + sender.left_at[MANUAL])
    share = quota - reserved
    assert most_within(everything, window) <= quota
    assert bisect_left(scheduled, window) >= 0.95 * min(share, rate * window) - len(asked_at) - 1
    assert all(delay <= 1 / rate + 0.11 for delay in delays)
    if share >= 200 and share < rate * window * 0.9 and not asked_at:
        # Nothing like a stall until there is more: the last twentieth goes evenly, but for what the
        # five lanes have under way when it begins.
        last = scheduled[int(share * 0.95) + 1 : share]
        gaps = [later - earlier for earlier, later in pairwise(last)]
        assert max(gaps, default=0) <= 2 * (window - last[0]) / len(last) + 1


@pytest.mark.parametrize("latency", [0.02, 0.4])
@pytest.mark.parametrize(("users", "hours"), [(10_000, 2), (3_000, 0)])
async def test_a_pass_is_no_slower_for_the_spreading(
    clock: FakeClock, users: int, hours: int, latency: float
) -> None:
    sender = Sender(clock, rate=10, burst=1, quota=5_000, reserve=0.2)
    sender.latency = latency

    await clock.run(sender.work_through(users))

    ideal = hours * 3_600 + (users - hours * 4_000) / 10
    assert clock.monotonic() <= 1.03 * ideal
