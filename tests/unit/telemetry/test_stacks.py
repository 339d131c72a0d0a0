from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from syncd.telemetry.stacks import stack_of_task, stacks_of_threads


async def innermost() -> None:
    await asyncio.Event().wait()


async def in_a_coroutine() -> None:
    await innermost()


async def numbers() -> AsyncIterator[int]:
    yield 1
    await innermost()


async def in_a_generator() -> None:
    async for _ in numbers():
        pass


async def stack_of(task: asyncio.Task[None]) -> str:
    for _ in range(3):
        await asyncio.sleep(0)
    stack = stack_of_task(task)
    task.cancel()
    await asyncio.wait([task])
    return stack


def order(stack: str, *names: str) -> list[int]:
    return [stack.find(f"in {name}\n") for name in names]


async def test_task_is_shown_from_its_outermost_call_to_what_it_waits_for() -> None:
    stack = await stack_of(asyncio.create_task(in_a_coroutine(), name="run 7 of github"))

    places = order(stack, "in_a_coroutine", "innermost", "wait")
    assert stack.startswith("Task run 7 of github (most recent call last):\n")
    assert -1 not in places
    assert places == sorted(places)


async def test_what_an_asynchronous_generator_waits_for_is_shown_as_well() -> None:
    stack = await stack_of(asyncio.create_task(in_a_generator()))

    places = order(stack, "in_a_generator", "numbers", "innermost", "wait")
    assert -1 not in places
    assert places == sorted(places)


async def test_task_that_runs_or_has_ended_has_a_stack_too() -> None:
    ended = asyncio.create_task(asyncio.sleep(0), name="over")
    await ended
    here = asyncio.current_task()
    assert here is not None

    assert stack_of_task(ended) == "Task over (most recent call last):\n"
    assert "in test_task_that_runs_or_has_ended" in stack_of_task(here)


def test_every_thread_is_shown_by_its_name() -> None:
    leave = threading.Event()

    def linger() -> None:
        leave.wait()

    thread = threading.Thread(target=linger, name="lingering")
    thread.start()
    stacks = stacks_of_threads()
    leave.set()
    thread.join()

    assert "Thread MainThread (most recent call last):" in stacks
    assert "Thread lingering (most recent call last):" in stacks
    assert "in linger" in stacks
