from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.clock import START, FakeClock

from syncd.daemon.leadership import Leadership
from syncd.errors import LeaseLost, NotLeading, StoreUnavailable
from syncd.model.lease import Candidate, Lease
from syncd.store.fence import Fence
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, LeadLost, LeadTaken

TTL = timedelta(seconds=30)
AWAY = StoreUnavailable("no answer in time")


class Table:
    """The lease in memory, by the same clock; `trouble` comes instead of an answer."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.row: Lease | None = None
        self.epoch = 0
        self.expires_at = 0.0
        self.trouble: StoreUnavailable | None = None
        self.hangs = False
        self.renewals = 0

    async def read(self) -> Lease | None:
        await self._reach()
        left = self.expires_at - self._clock.monotonic()
        return None if self.row is None else replace(self.row, seconds_left=left)

    async def take(self, candidate: Candidate, ttl: timedelta) -> int | None:
        await self._reach()
        standing = await self.read()
        if standing and standing.seconds_left > 0 and standing.instance != candidate.instance:
            return None
        self.epoch += 1
        self.row = Lease(
            holder=candidate.holder,
            instance=candidate.instance,
            epoch=self.epoch,
            taken_at=START,
            listen=candidate.listen,
            version=candidate.version,
            seconds_left=0,
        )
        self.expires_at = self._clock.monotonic() + ttl.total_seconds()
        return self.epoch

    async def renew(self, epoch: int, ttl: timedelta) -> bool:
        await self._reach()
        self.renewals += 1
        if epoch == self.epoch:
            self.expires_at = self._clock.monotonic() + ttl.total_seconds()
        return epoch == self.epoch

    async def release(self, epoch: int) -> None:
        await self._reach()
        if epoch == self.epoch:
            self.row = None

    async def _reach(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble


class Process:
    """One process: what it leads with, and what it was told."""

    def __init__(self, table: Table, clock: FakeClock, name: str, instance: str = "") -> None:
        self.fence = Fence()
        self.events: list[Event] = []
        self.terms = 0
        self.is_at_work = False
        self.let_go = 0
        bus = Bus()
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(bus.subscribed(self.events.append))
        self.leadership = Leadership(
            table,
            self.fence,
            Candidate(
                holder=name, instance=instance or name, listen=f"{name}:8642", version="0.1.0"
            ),
            ttl=TTL,
            let_go=self._let_go,
            clock=clock,
            bus=bus,
        )

    async def lead(self) -> None:
        self.terms += 1
        self.is_at_work = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_at_work = False

    async def _let_go(self) -> None:
        self.let_go += 1

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def table(clock: FakeClock) -> Table:
    return Table(clock)


@contextlib.asynccontextmanager
async def keeping(*processes: Process) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.ensure_future(each.leadership.keep(each.lead)) for each in processes]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_comes_first_leads_and_goes_on_leading(table: Table, clock: FakeClock) -> None:
    one = Process(table, clock, "one")
    async with keeping(one):
        await clock.advance(3600)

        assert (one.terms, one.is_at_work, one.fence.epoch) == (1, True, 1)
        assert [event.epoch for event in one.told(LeadTaken)] == [1]
        assert table.renewals == 360, "renewed at a third of the lease"


async def test_a_second_one_stands_by_and_names_who_leads(table: Table, clock: FakeClock) -> None:
    one, two = Process(table, clock, "one"), Process(table, clock, "two")
    async with keeping(one, two):
        await clock.advance(100)

        assert (two.terms, two.fence.epoch) == (0, None)
        with pytest.raises(NotLeading, match="stands by: one \\(one:8642\\) leads") as refusal:
            two.leadership.check()
        assert refusal.value.leader == "one:8642"
        one.leadership.check()


async def test_a_leader_that_stops_in_order_is_followed_within_a_second(
    table: Table, clock: FakeClock
) -> None:
    one, two = Process(table, clock, "one"), Process(table, clock, "two")
    async with keeping(one, two) as tasks:
        await clock.advance(100)
        tasks[0].cancel()
        await clock.settle()
        await one.leadership.release()
        await clock.advance(1)

        assert (one.is_at_work, two.is_at_work, two.fence.epoch) == (False, True, 2)


async def test_what_is_left_to_write_is_written_before_another_may_lead(
    table: Table, clock: FakeClock
) -> None:
    one = Process(table, clock, "one")
    seen: list[tuple[int | None, bool]] = []

    async def write() -> None:
        seen.append((one.fence.epoch, table.row is not None))

    one.leadership.before_release = write
    async with keeping(one):
        await clock.advance(1)
        await one.leadership.release()

    assert seen == [(1, True)]
    assert (one.fence.epoch, table.row) == (None, None)


async def test_a_leader_that_died_is_followed_within_the_lease(
    table: Table, clock: FakeClock
) -> None:
    one, two = Process(table, clock, "one"), Process(table, clock, "two")
    async with keeping(one, two) as tasks:
        await clock.advance(100)
        tasks[0].cancel()
        await clock.advance(19)
        assert not two.is_at_work, "it may still be there"
        await clock.advance(12)

        assert two.is_at_work


async def test_the_same_state_directory_takes_over_at_once(table: Table, clock: FakeClock) -> None:
    before = Process(table, clock, "before", "here")
    async with keeping(before):
        await clock.advance(1)
    after = Process(table, clock, "after", "here")
    async with keeping(after):
        await clock.settle()

        assert (after.is_at_work, after.fence.epoch) == (True, 2)


@pytest.mark.parametrize("how", ["hangs", "fails"])
async def test_trust_ends_before_the_lease_does_counted_from_before_the_attempt(
    table: Table, clock: FakeClock, how: str
) -> None:
    one = Process(table, clock, "one")
    async with keeping(one):
        await clock.advance(10)  # renewed, and never again
        if how == "hangs":
            table.hangs = True
        else:
            table.trouble = AWAY
        await clock.advance(24.9)
        assert one.is_at_work
        await clock.advance(0.2)

        assert (one.is_at_work, one.fence.epoch, one.let_go) == (False, None, 1)
        assert table.expires_at > clock.monotonic(), "the lease itself is not over yet"
        [lost] = one.told(LeadLost)
        assert lost.why == "the lease could not be renewed in time"


async def test_a_slow_renewal_is_trusted_from_when_it_was_asked_for(
    table: Table, clock: FakeClock
) -> None:
    one = Process(table, clock, "one")
    real = table.renew

    async def slow(epoch: int, ttl: timedelta) -> bool:
        answer = await real(epoch, ttl)
        await clock.sleep(8)
        return answer

    table.renew = slow  # type: ignore[method-assign]
    async with keeping(one):
        await clock.advance(18)  # asked for at 10, answered at 18
        table.trouble = AWAY
        await clock.advance(16.9)
        assert one.is_at_work
        await clock.advance(0.2)  # 10 + 25

        assert not one.is_at_work


async def test_who_was_frozen_steps_down_when_it_wakes_and_stands_by(
    table: Table, clock: FakeClock
) -> None:
    one, two = Process(table, clock, "one"), Process(table, clock, "two")
    async with keeping(one, two):
        await clock.advance(10)
        table.epoch += 1  # the other one took over meanwhile
        assert table.row is not None
        table.row = replace(table.row, holder="two", instance="two", epoch=table.epoch)
        await clock.advance(10)

        assert (one.is_at_work, one.fence.epoch, one.let_go) == (False, None, 1)
        assert one.told(LeadLost)[0].why == "another process leads"
        assert one.leadership.refusal.startswith("this syncd stands by: two")


async def test_a_refused_write_ends_the_leadership_at_once(table: Table, clock: FakeClock) -> None:
    one = Process(table, clock, "one")
    async with keeping(one):
        await clock.settle()
        table.expires_at = 0
        table.trouble = AWAY
        one.fence.refused.set()
        await clock.settle()

        assert (one.is_at_work, one.let_go) == (False, 1)


async def test_after_an_outage_the_same_process_leads_again(table: Table, clock: FakeClock) -> None:
    one = Process(table, clock, "one")
    async with keeping(one) as tasks:
        await clock.advance(5)
        table.trouble = AWAY
        await clock.advance(600)
        assert not one.is_at_work
        assert one.leadership.refusal == "no syncd leads at the moment: this one tries to"
        table.trouble = None
        await clock.advance(1)

        assert (one.terms, one.is_at_work, one.fence.epoch) == (2, True, 2)
        assert not tasks[0].done()


async def test_of_two_with_a_copy_of_one_state_directory_one_takes_another_name(
    table: Table, clock: FakeClock
) -> None:
    one, copy = Process(table, clock, "one", "same"), Process(table, clock, "copy", "same")
    one.leadership.renew_instance = lambda: "another"
    async with keeping(one):
        await clock.settle()
        async with keeping(copy):
            await clock.advance(100)

            assert (copy.is_at_work, copy.fence.epoch) == (True, 2)
            assert (one.is_at_work, one.leadership.candidate.instance) == (False, "another")


async def test_a_failure_of_what_a_leader_does_is_not_hidden(
    table: Table, clock: FakeClock
) -> None:
    one = Process(table, clock, "one")

    async def fail() -> None:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        await clock.run(one.leadership.keep(fail))


async def test_one_piece_of_work_is_done_as_the_leader_and_the_lease_released(
    table: Table, clock: FakeClock
) -> None:
    one = Process(table, clock, "one")

    async def work() -> int | None:
        await clock.sleep(100)
        return one.fence.epoch

    assert await clock.run(one.leadership.lead_once(work)) == 1
    assert (table.row, one.fence.epoch) == (None, None)


async def test_one_piece_of_work_is_refused_while_somebody_else_leads(
    table: Table, clock: FakeClock
) -> None:
    one, two = Process(table, clock, "one"), Process(table, clock, "two")
    async with keeping(one):
        await clock.settle()
        with pytest.raises(NotLeading, match="one \\(one:8642\\) leads"):
            await two.leadership.lead_once(two.lead)  # type: ignore[arg-type]

        assert two.terms == 0


async def test_one_piece_of_work_is_cancelled_when_somebody_else_takes_over(
    table: Table, clock: FakeClock
) -> None:
    one = Process(table, clock, "one")

    async def work() -> None:
        table.epoch += 1
        await one.lead()

    with pytest.raises(LeaseLost):
        await clock.run(one.leadership.lead_once(work))

    assert (one.is_at_work, one.let_go) == (False, 1)


async def test_who_was_frozen_for_longer_than_it_may_trust_leads_no_more_from_the_first_instant(
    table: Table, clock: FakeClock
) -> None:
    one = Process(table, clock, "one")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.leadership.keep(one.lead))
        await clock.advance(1)
        assert one.leadership.is_leading

        # It wakes; nothing of it had a turn yet but what answers an order.
        clock._elapsed += TTL.total_seconds() + 1
        refusal = one.leadership.refusal
        task.cancel()

    assert refusal != ""
