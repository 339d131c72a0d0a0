"""What becomes of runs while PostgreSQL is away, or its reply is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from fakes.clock import START
from fakes.pretending import HOUR, Host, every
from fakes.scripted_job import succeed

from syncd.errors import StoreUnavailable
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Outcome, SkipReason

MINUTE = timedelta(minutes=1)


async def test_a_catch_up_that_is_held_back_begins_after_postgresql_was_away(host: Host) -> None:
    jobs = [every(f"job {n}", succeed) for n in range(3)]
    async with host.firing(*jobs):
        await host.clock.advance(600)
    await host.clock.advance(8 * 3600)
    fast = every("fast", succeed, timedelta(seconds=1))
    async with host.firing(*jobs, fast) as process:
        claim = process.ledger.claim

        async def away(*_: Any) -> Any:
            await host.clock.sleep(10)
            raise StoreUnavailable("no answer in time")

        process.ledger.claim = away  # type: ignore[method-assign]
        await host.clock.advance(25)
        process.ledger.claim = claim  # type: ignore[method-assign]
        await host.clock.advance(2 * 3600)

        stuck = [run for run in host.ran() if run.outcome is Outcome.CLAIMED]
        overlaps = [run for run in host.runs() if run.skip_reason is SkipReason.OVERLAP]
        assert (stuck, len(overlaps)) == ([], 0)


async def test_a_chain_whose_reply_is_lost_and_is_paused_then_leaves_no_claimed_row(
    host: Host,
) -> None:
    first = every("first", succeed)
    second = every("second", succeed, None, after=("first",))
    async with host.firing(first, second) as process:
        process.flaky.loses_reply.add("follow")
        await host.clock.advance(3601)
        pause = Pause(
            scope=PauseScope.JOB, key="second", why="x", until=None, paused_at=host.clock.now()
        )
        process.around.admission.pause(pause)
        await host.clock.advance(600)
        process.around.admission.resume(PauseScope.JOB, "second")
        await host.clock.advance(600)

        assert [run.outcome for run in host.runs("second")] != [Outcome.CLAIMED]


async def test_a_change_while_postgresql_is_away_does_not_spin(host: Host) -> None:
    job = every("job", succeed, MINUTE)
    async with host.firing(job) as process:
        await host.clock.advance(30)
        asked = 0

        async def away(*_: Any, **__: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked > 3_000:
                await asyncio.get_running_loop().create_future()
            raise StoreUnavailable("no answer in time")

        process.ledger.settle = away  # type: ignore[method-assign]
        process.ledger.recover = away  # type: ignore[method-assign]
        process.scheduler.apply([every("job", succeed, 2 * MINUTE)])
        await host.clock.advance(120)

        assert asked < 60, asked


async def test_a_fire_after_a_change_made_while_postgresql_was_away_has_its_row(
    host: Host,
) -> None:
    async with host.firing(every("job", succeed, 24 * HOUR)) as process:
        await host.clock.advance(3600)
        settle = process.ledger.settle

        async def away(*_: Any, **__: Any) -> Any:
            await host.clock.sleep(10)
            raise StoreUnavailable("no answer in time")

        process.ledger.settle = away  # type: ignore[method-assign]
        process.scheduler.apply([every("job", succeed, 2 * HOUR)])
        await host.clock.advance(3600 + 60)
        process.ledger.settle = settle  # type: ignore[method-assign]
        await host.clock.advance(120)

        # The change was made at 01:00; 02:00 is a fire time of the new schedule.
        assert [run.fire_time for run in host.runs()] == [START + 2 * HOUR]


async def test_a_claim_whose_reply_is_lost_and_whose_job_changes_is_not_claimed_for_ever(
    host: Host,
) -> None:
    async with host.firing(every("job", succeed)) as process:
        process.flaky.loses_reply.add("claim")
        await host.clock.advance(3602)
        process.scheduler.apply([every("job", succeed, 3 * HOUR)])
        await host.clock.advance(8 * 3600)

        assert all(run.outcome.is_final for run in host.runs()), host.runs()
