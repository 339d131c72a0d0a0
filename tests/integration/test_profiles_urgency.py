"""Which of a run's requests may use the reserve: those of a run that a person asked for."""

from __future__ import annotations

import pytest
from fakes.running import PLAY, profile_of, running

from syncd.clock import SystemClock
from syncd.errors import RateLimited
from syncd.model.account import Account
from syncd.model.profile import Fetched
from syncd.outbound.quota import QuotaReport
from syncd.outbound.urgency import Urgency, current_urgency
from syncd.store.database import Database


async def test_a_manual_run_asks_as_a_person_and_every_other_one_as_a_schedule(
    database: Database,
) -> None:
    async with running(database, SystemClock()) as world:
        await world.link(3)
        asked: list[Urgency] = []

        async def answer(account: Account) -> Fetched:
            asked.append(current_urgency.get())
            return profile_of(account)

        world.platform.answering = answer
        await world.run()
        await world.rows(
            "UPDATE sync_state SET attempted_at = '-infinity', succeeded_at = NULL RETURNING 1"
        )
        await world.retry()

    assert asked == [Urgency.MANUAL] * 3 + [Urgency.SCHEDULED] * 3


async def test_a_manual_run_uses_what_scheduled_requests_must_leave(database: Database) -> None:
    async with running(database, SystemClock()) as world:
        await world.link(5)
        gate = world.platform.client.gate
        gate.resources.named("core").quota.note(
            QuotaReport(remaining=1_000, resets_in_seconds=3_600, limit=5_000)
        )

        async def answer(account: Account) -> Fetched:
            async with gate.passage():
                return profile_of(account)

        world.platform.answering = answer
        with pytest.raises(RateLimited, match="reserve for manual triggers"):
            await gate.passage().__aenter__()
        run = await world.run()

    assert (run.outcome, run.report.created) == ("succeeded", 5)
    assert gate.waits_for().startswith(f"{PLAY} pause until")
