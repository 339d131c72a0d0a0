"""Cancellations that a task group asks of its own task, and forgets to take back."""

from __future__ import annotations

import asyncio


def count_cancels() -> int:
    """Return how many cancellations are asked of the current task."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def forget_cancels(before: int) -> None:
    """Take back those that came since there were `before`; to be called where errors are caught.

    A group whose child fails while it waits for the others leaves its request behind. On Python
    3.11.2 every later deadline of the task would end as a cancellation then, not as a TimeoutError.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling() > before:
        task.uncancel()
