"""Other ways to keep a rate: the usual loops people write, and two packages where installed.

A limiter is an async callable that returns when one more may go.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from time import monotonic

Take = Callable[[], Awaitable[object]]


def strict_gcra(rate: float) -> Take:
    """The generic cell rate algorithm without catching up: one timer for each permit."""
    line, next_at = asyncio.Lock(), [-math.inf]

    async def take() -> None:
        async with line:
            await asyncio.sleep(max(0.0, next_at[0] - monotonic()))
            next_at[0] = max(next_at[0], monotonic()) + 1 / rate

    return take


def reservation(rate: float) -> Take:
    """The classic of 30 lines: reserve the next instant, sleep until then."""
    next_at = [-math.inf]

    async def take() -> None:
        now = monotonic()
        mine = next_at[0] = max(next_at[0] + 1 / rate, now)
        await asyncio.sleep(mine - now)

    return take


def polling_bucket(rate: float) -> Take:
    """A bucket of `rate` tokens that everybody looks into every 10 ms, or sooner."""
    state = [rate, monotonic()]

    async def take() -> None:
        while True:
            now = monotonic()
            state[0] = min(rate, state[0] + (now - state[1]) * rate)
            state[1] = now
            if state[0] >= 1:
                state[0] -= 1
                return
            await asyncio.sleep(min(0.01, 1 / rate))

    return take


def lock_over_sleep(rate: float) -> Take:
    """A lock that is held while sleeping."""
    line = asyncio.Lock()

    async def take() -> None:
        async with line:
            await asyncio.sleep(1 / rate)

    return take


def aiolimiter_burst(rate: float) -> Take:
    """aiolimiter as its documentation shows it."""
    from aiolimiter import AsyncLimiter

    return AsyncLimiter(rate, 1).acquire


def aiolimiter_steady(rate: float) -> Take:
    """aiolimiter without a burst."""
    from aiolimiter import AsyncLimiter

    return AsyncLimiter(1, 1 / rate).acquire


def pyrate(rate: float) -> Take:
    """pyrate-limiter: a sliding log."""
    from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate

    return Limiter(InMemoryBucket([Rate(int(rate), Duration.SECOND)])).try_acquire_async


PEERS: dict[str, Callable[[float], Take]] = {
    "strict GCRA": strict_gcra,
    "reservation + sleep": reservation,
    "polling token bucket": polling_bucket,
    "lock over sleep": lock_over_sleep,
    "aiolimiter(rate, 1)": aiolimiter_burst,
    "aiolimiter(1, 1/rate)": aiolimiter_steady,
    "pyrate-limiter": pyrate,
}
