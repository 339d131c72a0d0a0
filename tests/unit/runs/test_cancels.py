"""A task goes on as if nothing had been asked of it, after a group of its children failed."""

from __future__ import annotations

import asyncio

import pytest

from syncd.runs.cancels import count_cancels, forget_cancels


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError


async def test_a_deadline_after_a_failed_group_is_a_deadline() -> None:
    before = count_cancels()
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    forget_cancels(before)

    assert count_cancels() == before
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(10)


async def test_what_somebody_else_asked_before_stays() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)

    forget_cancels(1)

    assert count_cancels() == 1
    task.uncancel()
