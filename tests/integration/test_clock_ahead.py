"""What a clock that was ahead for a while wrote down keeps nobody from being asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.controlled import controlled, text_for
from fakes.running import running

from syncd.model.run import Outcome, RunOptions
from syncd.sandbox.population import Population
from syncd.store.database import Database
from syncd.telemetry.events import ConditionNoticed

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AHEAD = AT + timedelta(days=365)


@pytest.mark.parametrize("options", [RunOptions(), RunOptions(full=True)])
async def test_who_was_asked_in_the_future_is_asked_again(
    database: Database, options: RunOptions
) -> None:
    async with running(database, FakeClock(AHEAD)) as wrong:
        await wrong.link(3)
        await wrong.run()
    async with running(database, FakeClock(AT)) as right:
        run = await right.run(full=options.full)

    assert (run.report.seen, sum(right.platform.asked.values())) == (3, 3)
    conditions = [event.condition for event in right.told(ConditionNoticed)]
    assert conditions == ["the clock was ahead when 3 accounts were asked"]


async def test_a_run_that_began_in_the_future_asks_for_each_account_once(
    database: Database,
) -> None:
    async with running(database, FakeClock(AHEAD)) as wrong:
        await wrong.link(3)
        run_id = await wrong.start_nothing()
        begun = await wrong.runs.begin(run_id, AHEAD)
    assert begun is not None
    async with running(database, FakeClock(AT)) as right:
        run = await right.go_on(begun)

    assert run.outcome is Outcome.SUCCEEDED
    assert sum(right.platform.asked.values()) == 3


async def test_a_few_minutes_between_two_clocks_let_nobody_be_asked_twice(
    database: Database,
) -> None:
    now = datetime.now(UTC)
    async with running(database, FakeClock(now + timedelta(minutes=4))) as other:
        await other.link(3)
        await other.run()
    async with running(database, FakeClock(now)) as here:
        await here.run()

    assert not here.platform.asked


async def test_the_first_screen_calls_nobody_fresh_whose_success_lies_in_the_future(
    database: Database, base_url: str, tmp_path: Path, population: Population
) -> None:
    text = text_for(database.settings.address, database.settings.schema, base_url)
    async with controlled(text, tmp_path, FakeClock(AHEAD)) as wrong:
        await wrong.core.health.ready.wait()
        await wrong.link(ada=population.login(1))
        [run] = (await wrong.control.sync_user("ada"))["runs"]
        await wrong.end(run["id"])
    async with controlled(text, tmp_path, FakeClock(AT)) as right:
        await right.core.health.ready.wait()
        await right.core.learn()

        status = await right.control.status()
        synced = await right.control.sync_user("ada")

    assert status["freshness"]["fresh"] == 0
    assert len(synced["runs"]) == 1
