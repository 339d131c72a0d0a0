"""The watchdog in virtual time: `beat` is the event loop's side, `look` the thread's."""

from __future__ import annotations

import pytest
from fakes.clock import FakeClock

from syncd.daemon.watchdog import Watchdog
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, LoopStalled


class World:
    """A watchdog whose loop beats or not, and whose process uses the processor or not."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.used = 0.0
        self.events: list[Event] = []
        bus = Bus()
        self._subscription = bus.subscribed(self.events.append)
        self._subscription.__enter__()
        self.watchdog = Watchdog(self.clock, bus, used=lambda: self.used)

    async def live(self, seconds: int, *, beats: bool = True, looks: bool = True) -> list[str]:
        """Let seconds pass and return the stacks that were told."""
        told = []
        for _ in range(seconds):
            await self.clock.advance(1)
            if beats:
                self.watchdog.beat()
            if looks:
                told.append(self.watchdog.look())
        return [stack for stack in told if stack]


@pytest.fixture
def world() -> World:
    return World()


async def test_loop_that_beats_is_left_alone(world: World) -> None:
    told = await world.live(100)

    assert (told, world.events) == ([], [])


async def test_blocked_loop_is_told_once_with_the_stacks_and_again_when_it_beats(
    world: World,
) -> None:
    await world.live(10)

    early = await world.live(4, beats=False)
    told = await world.live(20, beats=False)
    while_blocked = list(world.events)
    world.watchdog.beat()

    assert early == []
    assert len(told) == 1
    assert "Thread MainThread" in told[0]
    assert "test_blocked_loop_is_told_once" in told[0]
    assert while_blocked == []
    assert world.events == [LoopStalled(duration_seconds=24.0)]


async def test_each_stall_is_told(world: World) -> None:
    for _ in range(2):
        await world.live(6, beats=False)
        await world.live(3)

    assert [type(event) for event in world.events] == [LoopStalled, LoopStalled]


async def test_pause_shorter_than_five_seconds_is_nothing(world: World) -> None:
    told = await world.live(4, beats=False)
    await world.live(1)

    assert (told, world.events) == ([], [])


@pytest.mark.parametrize("beats_first", [True, False])
async def test_stall_in_which_nothing_could_look_is_told_when_it_used_the_processor(
    world: World, *, beats_first: bool
) -> None:
    await world.live(3)
    world.used += 18
    await world.clock.advance(20)

    steps = [world.watchdog.beat, world.watchdog.look]
    for step in steps if beats_first else reversed(steps):
        step()
    await world.live(10)

    assert world.events == [LoopStalled(duration_seconds=20.0)]


@pytest.mark.parametrize("beats_first", [True, False])
async def test_frozen_process_is_not_blamed_and_the_next_stall_is(
    world: World, *, beats_first: bool
) -> None:
    await world.live(3)
    await world.clock.advance(3_600)
    steps = [world.watchdog.beat, world.watchdog.look]
    for step in steps if beats_first else reversed(steps):
        step()
    frozen = list(world.events)

    told = await world.live(7, beats=False)

    assert frozen == []
    assert len(told) == 1
