"""Who is told of what: jobs over a real ledger, a real receiver, virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.alerting import Alerting, alerting, settings
from fakes.clock import FakeClock
from fakes.receiver import SECRET, Receiver, Says, receiver
from fakes.running import JOB, Running, draft, running, to_job

from syncd.errors import BadInput
from syncd.model.run import Ending, Outcome, RunOptions
from syncd.schedule.roster import Schedule
from syncd.store.database import Database
from syncd.telemetry.events import AlertDropped, AlertSent, GrantsExpiring, LargeChange

DAILY = Schedule(job=to_job(), every=timedelta(days=1), retries=2)
DOWN = Says(status=503)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Running]:
    async with running(database, clock) as world:
        yield world


@pytest.fixture
async def end() -> AsyncIterator[Receiver]:
    async with receiver() as end:
        yield end


@pytest.fixture
async def alerts(world: Running, clock: FakeClock, end: Receiver) -> AsyncIterator[Alerting]:
    async with alerting(world, clock, end, DAILY) as alerts:
        yield alerts


async def test_a_failure_is_told_once_and_its_end_once(alerts: Alerting, end: Receiver) -> None:
    await alerts.ends(Outcome.FAILED, error="cannot read it")
    told = await alerts.tells(end, "run.failed")
    await alerts.ends(Outcome.FAILED, error="cannot read it")
    await alerts.tells(end, "run.failed")
    await alerts.ends(Outcome.SUCCEEDED)
    well = await alerts.tells(end, "run.failed", "job.recovered")
    await alerts.ends(Outcome.SUCCEEDED)
    await alerts.tells(end, "run.failed", "job.recovered")

    assert (told["job"], told["error"]) == (JOB, "cannot read it")
    assert "after 2 runs that ended badly" in well["content"]


async def test_a_failure_that_lasts_is_told_again_after_a_day(
    alerts: Alerting, clock: FakeClock, end: Receiver
) -> None:
    await alerts.ends(Outcome.FAILED)
    await alerts.tells(end, "run.failed")
    clock.jump_wall(timedelta(hours=25))
    await alerts.ends(Outcome.FAILED)

    told = await alerts.tells(end, "run.failed", "run.failed")

    assert "still fails" in told["title"]


async def test_a_failure_that_is_tried_again_is_told_when_that_fails_too(
    alerts: Alerting, end: Receiver
) -> None:
    await alerts.ends(Outcome.FAILED, retryable=True, attempt=1)
    await alerts.ends(Outcome.FAILED, retryable=True, attempt=2)
    await alerts.tells(end)
    last = await alerts.ends(Outcome.FAILED, retryable=True, attempt=3)

    told = await alerts.tells(end, "run.failed")

    assert told["run"] == last.id


async def test_a_retry_that_the_next_fire_comes_before_is_not_waited_for(
    world: Running, clock: FakeClock, end: Receiver
) -> None:
    often = Schedule(job=to_job(), every=timedelta(seconds=30), retries=2)
    async with alerting(world, clock, end, often) as alerts:
        await alerts.ends(Outcome.FAILED, retryable=True, attempt=1)

        await alerts.tells(end, "run.failed")


async def test_an_abandoned_run_is_told(alerts: Alerting, end: Receiver) -> None:
    await alerts.ends(Outcome.ABANDONED, error="nothing to go on from")

    told = await alerts.tells(end, "run.abandoned")

    assert told["outcome"] == "abandoned"


async def test_a_held_run_is_told_once_a_plan_with_what_to_type(
    alerts: Alerting, end: Receiver
) -> None:
    plan = await alerts.plan()
    await alerts.ends(Outcome.HELD, error="350 deletions wait")
    told = await alerts.tells(end, "run.held")
    await alerts.ends(Outcome.HELD)
    await alerts.tells(end, "run.held")
    other = await alerts.plan(deletes=400)
    await alerts.ends(Outcome.HELD)
    again = await alerts.tells(end, "run.held", "run.held")

    assert (told["plan"], again["plan"]) == (plan, other)
    assert f"`syncd approve {plan} --deletes N`" in told["content"]
    assert "350 of 1,000 users are on no board" in told["content"]


async def test_a_large_change_is_told(alerts: Alerting, world: Running, end: Receiver) -> None:
    run = await alerts.ends(Outcome.SUCCEEDED)
    world.bus.emit(LargeChange(run_id=run.id, job=JOB, changed=4000, base=10_000, backup=2))

    told = await alerts.tells(end, "run.changed_much")

    assert told["change"] == {"changed": 4000, "base": 10_000, "backup": 2}


async def test_that_consents_end_soon_is_told_once(
    alerts: Alerting, world: Running, end: Receiver
) -> None:
    run = await alerts.ends(Outcome.SUCCEEDED)
    world.bus.emit(GrantsExpiring(run_id=run.id, job=JOB, platform="spotify", users=2, days=7))

    told = await alerts.tells(end, "grants.expiring")

    assert told["grants"] == {"platform": "spotify", "users": 2, "days": 7}


async def test_a_large_change_of_a_run_that_goes_on_is_told_when_it_has_ended(
    alerts: Alerting, world: Running, clock: FakeClock, end: Receiver
) -> None:
    run_id = await world.start_nothing()
    await world.runs.begin(run_id, clock.now())
    world.bus.emit(LargeChange(run_id=run_id, job=JOB, changed=4000, base=10_000))
    await alerts.tells(end)
    await world.runs.finish(run_id, Ending(outcome=Outcome.SUCCEEDED), clock.now())

    told = await alerts.tells(end, "run.changed_much")

    assert told["outcome"] == "succeeded"


@pytest.mark.parametrize(
    "job", [to_job(alerts=False), to_job(enabled=False)], ids=["alerts off", "job off"]
)
async def test_a_job_that_wants_no_alerts_has_none(
    world: Running, clock: FakeClock, end: Receiver, job: Any
) -> None:
    async with alerting(world, clock, end, Schedule(job=job)) as alerts:
        run = await alerts.ends(Outcome.FAILED)
        world.bus.emit(LargeChange(run_id=run.id, job=JOB, changed=4000, base=10_000))

        await alerts.tells(end)


@pytest.mark.parametrize(
    "options", [RunOptions(dry_run=True), RunOptions(only=("u1",)), RunOptions(act="undo")]
)
async def test_what_a_person_asked_for_beside_the_usual_work_is_not_told(
    alerts: Alerting, end: Receiver, options: RunOptions
) -> None:
    await alerts.ends(Outcome.FAILED, options=options)

    await alerts.tells(end)


async def test_who_does_not_lead_tells_nothing(
    world: Running, clock: FakeClock, end: Receiver
) -> None:
    async with alerting(world, clock, end, DAILY, is_leading=lambda: False) as alerts:
        await alerts.ends(Outcome.FAILED)

        await alerts.tells(end)


async def test_a_receiver_that_is_away_is_tried_five_times_in_ten_minutes(
    alerts: Alerting, world: Running, end: Receiver
) -> None:
    end.usual = DOWN
    await alerts.ends(Outcome.FAILED)

    took = await alerts.passes_until(lambda: bool(world.told(AlertDropped)), "giving up")
    await alerts.passes(20 * 60)

    dropped = world.told(AlertDropped)
    assert len(end.got) == 5
    assert 9 * 60 < took < 12 * 60
    assert [(each.alert, each.attempts) for each in dropped] == [("run.failed", 5)]
    assert "HTTP 503" in dropped[0].error
    assert SECRET not in repr(world.events)


async def test_the_next_run_that_fails_is_told_where_the_last_could_not_be(
    alerts: Alerting, world: Running, end: Receiver
) -> None:
    end.usual = Says(status=404, text="no_service")
    await alerts.ends(Outcome.FAILED)
    await alerts.passes_until(lambda: bool(world.told(AlertDropped)), "giving up")
    problems = alerts.desk.problems()
    end.usual = Says()
    await alerts.ends(Outcome.FAILED)

    await alerts.tells(end, "run.failed", "run.failed")

    assert problems[0]["hint"]
    assert problems[0]["what"].startswith("alerts do not arrive: ")
    assert "HTTP 404: no_service" in problems[0]["what"]
    assert alerts.desk.problems() == []


async def test_the_receiver_is_left_alone_for_as_long_as_it_asks(
    alerts: Alerting, end: Receiver
) -> None:
    end.says.append(Says(status=429, headers={"Retry-After": "1200"}))
    await alerts.ends(Outcome.FAILED)

    await alerts.passes_until(lambda: len(end.got) == 1, "the first attempt")
    took = await alerts.passes_until(lambda: len(end.got) == 2, "the second attempt")

    assert 1190 < took < 1290


async def test_another_address_is_tried_at_once(alerts: Alerting, end: Receiver) -> None:
    end.usual = DOWN
    await alerts.ends(Outcome.FAILED)
    await alerts.passes_until(lambda: len(end.got) == 1, "the first attempt")
    async with receiver() as other:
        alerts.desk.adopt(settings(other))

        took = await alerts.passes_until(lambda: bool(other.got), "the other one")

    assert other.events() == ["run.failed"]
    assert took < 60


async def test_what_was_due_before_a_kill_is_told_after_it_in_order(
    world: Running, clock: FakeClock, end: Receiver
) -> None:
    end.usual = DOWN
    async with alerting(world, clock, end, DAILY) as alerts:
        run = await alerts.ends(Outcome.FAILED)
        await alerts.passes_until(lambda: len(end.got) == 1, "the first attempt")
        world.bus.emit(LargeChange(run_id=run.id, job=JOB, changed=4000, base=10_000))
        await alerts.passes(10)
        await alerts.ends(Outcome.SUCCEEDED)
        await alerts.passes(10)
    end.usual = Says()
    end.got.clear()
    async with alerting(world, clock, end, DAILY) as alerts:
        await alerts.tells(end, "run.failed", "run.changed_much", "job.recovered")


async def test_what_was_told_before_a_kill_is_not_told_after_it(
    world: Running, clock: FakeClock, end: Receiver
) -> None:
    async with alerting(world, clock, end, DAILY) as alerts:
        await alerts.ends(Outcome.FAILED)
        await alerts.passes_until(lambda: bool(world.told(AlertSent)), "the alert")
    async with alerting(world, clock, end, DAILY) as alerts:
        await alerts.tells(end, "run.failed")


async def test_a_slow_receiver_holds_up_no_run(
    alerts: Alerting, world: Running, end: Receiver
) -> None:
    end.usual = Says(after_seconds=3600)
    await alerts.ends(Outcome.FAILED)
    await alerts.passes_until(lambda: len(end.got) == 1, "the first attempt")

    run = await world.run()

    assert run.outcome is Outcome.SUCCEEDED


async def test_without_a_webhook_nothing_is_written_and_a_test_says_so(
    world: Running, clock: FakeClock
) -> None:
    async with alerting(world, clock, None, DAILY) as alerts:
        await alerts.ends(Outcome.FAILED)
        await alerts.passes(120)
        with pytest.raises(BadInput, match=r"no webhook in \[alerts\]"):
            await alerts.desk.test()

    assert await world.rows("SELECT * FROM alert_states") == []


async def test_a_test_that_arrives_lets_what_waits_follow_at_once(
    alerts: Alerting, end: Receiver
) -> None:
    end.says.append(Says(status=429, headers={"Retry-After": "86400"}))
    await alerts.ends(Outcome.FAILED)
    await alerts.passes_until(lambda: bool(alerts.desk.problems()), "the refusal")
    await alerts.desk.test()

    took = await alerts.passes_until(lambda: len(end.got) == 3, "what waited")

    assert end.events() == ["run.failed", "alert.tested", "run.failed"]
    assert took < 60
    assert alerts.desk.problems() == []


async def test_a_database_that_is_away_for_a_while_loses_no_alert(
    alerts: Alerting, world: Running, end: Receiver
) -> None:
    await world.rows("ALTER TABLE alert_states RENAME TO elsewhere")
    await alerts.ends(Outcome.FAILED)
    await alerts.tells(end)
    await alerts.desk.look()
    await world.rows("ALTER TABLE elsewhere RENAME TO alert_states")

    await alerts.tells(end, "run.failed")


async def test_of_many_jobs_each_is_told(world: Running, clock: FakeClock, end: Receiver) -> None:
    names = [f"job-{number:03}" for number in range(450)]
    schedules = [Schedule(job=replace(to_job(), name=name)) for name in names]
    for name in names[::90]:
        run_id = await world.runs.create(draft(clock, job=name))
        await world.runs.begin(run_id, clock.now())
        await world.runs.finish(run_id, Ending(outcome=Outcome.FAILED), clock.now())
    async with alerting(world, clock, end, *schedules) as alerts:
        await alerts.tells(end, *["run.failed"] * 5)

    assert [body["job"] for body in end.got] == names[::90]


async def test_a_test_tells_what_came_back(alerts: Alerting, end: Receiver) -> None:
    end.says.append(Says(status=403, text="invalid_token"))

    bad, good = await alerts.desk.test(), await alerts.desk.test()

    assert (bad["delivered"], good["delivered"]) == (False, True)
    assert "HTTP 403: invalid_token" in bad["error"]
    assert (good["status"], good["answer"]) == (200, "ok")
    assert end.events() == ["alert.tested", "alert.tested"]
