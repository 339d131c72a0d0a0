from __future__ import annotations

import asyncio

from syncd.jobs.stop import Stop, StopReason


async def test_the_first_reason_to_stop_stays() -> None:
    stop = Stop()

    stop.request(StopReason.DRAIN, 5)
    stop.request(StopReason.CANCEL, 1)

    assert (stop.reason, stop.grace_seconds, stop.is_requested) == (StopReason.DRAIN, 5, True)


async def test_whoever_waits_learns_of_a_stop() -> None:
    stop = Stop()
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.sleep(0)
    before = waiting.done()

    stop.request(StopReason.CANCEL, 1)
    await waiting

    assert not before
