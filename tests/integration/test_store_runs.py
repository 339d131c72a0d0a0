"""The ledger: every fire one row, every run one owner and one end, counts that add up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fakes.clock import FakeClock
from fakes.running import JOB, claim_fire, draft, fire_at

from syncd.errors import LeaseLost
from syncd.model.run import Cause, Ending, Outcome, Report, RunId, RunOptions, SkipReason
from syncd.model.schedule import Known, Registered
from syncd.store.database import Database
from syncd.store.runs import RunStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLOCK = FakeClock(AT)


@pytest.fixture
def runs(database: Database) -> RunStore:
    return RunStore(database, "one")


@pytest.fixture
def others(database: Database) -> RunStore:
    return RunStore(database, "two")


async def begun(runs: RunStore, **options: object) -> RunId:
    number = await runs.create(draft(CLOCK, RunOptions(**options)))  # type: ignore[arg-type]
    await runs.begin(number, AT)
    return number


async def add(database: Database, runs: RunStore, number: RunId, report: Report) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO users (key) VALUES ('of this batch')")
        await runs.add_report(connection, number, report, AT)


async def test_a_fire_time_is_claimed_by_exactly_one_of_twenty_processes(
    database: Database,
) -> None:
    processes = [RunStore(database, f"process {n}") for n in range(20)]

    numbers = await asyncio.gather(*(claim_fire(process, fire_at(AT)) for process in processes))

    assert len([number for number in numbers if number is not None]) == 1


async def test_a_process_that_asks_again_gets_the_fire_it_claimed_until_it_runs(
    runs: RunStore,
) -> None:
    first = await claim_fire(runs, fire_at(AT))
    again = await claim_fire(runs, fire_at(AT))
    assert first is not None
    await runs.begin(first, AT)

    late = await claim_fire(runs, fire_at(AT))

    assert (again, late) == (first, None)


async def test_a_claim_whose_reply_was_lost_can_still_become_a_skip(runs: RunStore) -> None:
    number = await claim_fire(runs, fire_at(AT))

    await claim_fire(runs, fire_at(AT), skip_reason=SkipReason.PAUSED)

    assert number is not None
    run = await runs.read(number)
    assert run is not None
    assert (run.outcome, run.skip_reason) == (Outcome.SKIPPED, SkipReason.PAUSED)


async def test_a_skipped_fire_stays_skipped(runs: RunStore) -> None:
    number = await claim_fire(runs, fire_at(AT), skip_reason=SkipReason.OVERLAP)

    again = await claim_fire(runs, fire_at(AT))

    assert number is not None
    assert again is None


async def test_a_run_is_begun_by_one_process_and_by_it_again_after_a_lost_reply(
    runs: RunStore, others: RunStore
) -> None:
    number = await runs.create(draft(CLOCK))
    await runs.begin(number, AT)

    again = await runs.begin(number, AT + timedelta(minutes=1))

    assert (again.started_at, again.resumed) == (AT, 0)
    with pytest.raises(LeaseLost):
        await others.begin(number, AT)


@pytest.mark.parametrize("taken", ["ended", "taken over"])
async def test_a_run_that_is_no_longer_ours_takes_no_counts_and_the_batch_is_rolled_back(
    database: Database, runs: RunStore, others: RunStore, taken: str
) -> None:
    number = await begun(runs)
    if taken == "ended":
        await runs.finish(number, Ending(outcome=Outcome.FAILED), AT)
    else:
        await others.recover()
        await others.begin(number, AT)

    with pytest.raises(LeaseLost):
        await add(database, runs, number, Report(created=1))

    run = await runs.read(number)
    assert run is not None
    assert run.report.seen == 0
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0


async def test_counts_add_up_and_failures_are_summed_by_word(
    database: Database, runs: RunStore
) -> None:
    number = await begun(runs)
    first = Report(created=3, failed=2, calls=5, failures={"not_found": 1, "transient": 1})
    second = Report(unchanged=4, failed=1, skipped=1, saved=4, failures={"not_found": 1, "x": 1})
    async with database.transaction() as connection:
        await runs.add_report(connection, number, first, AT)
        await runs.add_report(connection, number, second, AT)

    run = await runs.read(number)

    assert run is not None
    assert run.report == first + second
    assert run.report.failures == {"not_found": 2, "transient": 1, "x": 1}
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT seen FROM runs WHERE id = $1", number) == 11


async def test_what_a_dead_process_left_running_is_interrupted_and_keeps_its_start(
    runs: RunStore, others: RunStore
) -> None:
    number = await begun(runs)

    left = await others.recover()
    resumed = await others.begin(number, AT + timedelta(hours=1))

    assert [(run.id, run.outcome) for run in left] == [(number, Outcome.INTERRUPTED)]
    assert (resumed.started_at, resumed.resumed) == (AT, 1)


async def test_a_second_resume_keeps_the_first_start(runs: RunStore, others: RunStore) -> None:
    number = await begun(runs)
    await others.recover()
    await others.begin(number, AT + timedelta(hours=1))
    await runs.recover()

    run = await runs.begin(number, AT + timedelta(hours=2))

    assert (run.started_at, run.resumed) == (AT, 2)


async def test_recovering_leaves_what_this_process_runs_alone(runs: RunStore) -> None:
    number = await begun(runs)

    assert await runs.recover() == []
    run = await runs.read(number)
    assert run is not None
    assert run.outcome is Outcome.RUNNING


async def test_a_run_ends_once_and_may_be_told_so_again_by_its_owner(
    runs: RunStore, others: RunStore
) -> None:
    number = await begun(runs)

    ended = await runs.finish(number, Ending(outcome=Outcome.SUCCEEDED), AT)
    again = await runs.finish(number, Ending(outcome=Outcome.SUCCEEDED), AT + timedelta(minutes=5))

    assert ended is not None
    assert again == ended
    assert await runs.finish(number, Ending(outcome=Outcome.FAILED), AT) is None
    assert await others.finish(number, Ending(outcome=Outcome.SUCCEEDED), AT) is None


async def test_an_interrupted_run_may_be_told_so_again_by_its_owner(runs: RunStore) -> None:
    number = await begun(runs)

    first, second = await runs.interrupt(number), await runs.interrupt(number)

    assert first == second
    assert first is not None
    assert first.outcome is Outcome.INTERRUPTED


async def test_an_abandoned_run_cannot_be_begun(runs: RunStore) -> None:
    number = await runs.create(draft(CLOCK))

    await runs.abandon(number, AT, "its job is off")

    with pytest.raises(LeaseLost):
        await runs.begin(number, AT)


async def test_the_first_caller_sets_the_anchor_and_a_restart_does_not_move_it(
    runs: RunStore, others: RunStore
) -> None:
    job = Registered(job=JOB, schedule="every 3600s", enabled=True)
    first = await runs.settle([job], AT)

    again = await others.settle([job], AT + timedelta(days=3))

    assert first == again == {JOB: Known(anchor_at=AT, counts_from=AT, decided_until=AT)}


@pytest.mark.parametrize(
    "narrowed", [{"only": ("u1",)}, {"limit": 5}, {"platform": "github"}, {"dry_run": True}]
)
async def test_a_narrowed_run_is_no_whole_pass(runs: RunStore, narrowed: dict[str, object]) -> None:
    await begun(runs)
    number = await runs.create(draft(CLOCK, RunOptions(**narrowed)))  # type: ignore[arg-type]
    await runs.begin(number, AT + timedelta(hours=1))

    assert await runs.cycle_start(JOB) == AT


async def test_a_retry_fills_up_the_pass_before_it(runs: RunStore) -> None:
    await begun(runs)
    number = await runs.create(draft(CLOCK, cause=Cause.RETRY))
    await runs.begin(number, AT + timedelta(hours=1))

    assert await runs.cycle_start(JOB) == AT


async def test_the_last_run_of_a_job_is_the_last_one_about_everybody(runs: RunStore) -> None:
    number = await begun(runs)
    await begun(runs, only=("u1",))
    await begun(runs, dry_run=True)
    await begun(runs, act="rehydrate")
    await claim_fire(runs, fire_at(AT), skip_reason=SkipReason.OVERLAP)

    last = await runs.last_of([JOB, "never ran"])

    assert {job: run.id for job, run in last.items()} == {JOB: number}


@pytest.mark.parametrize(
    ("narrowed", "own_limit", "tells"),
    [
        ((RunOptions(), Report(created=5)), None, True),
        ((RunOptions(platform="github"), Report(created=5)), None, False),
        ((RunOptions(only=("ada",)), Report(created=1)), None, False),
        ((RunOptions(dry_run=True), Report(created=5)), None, False),
        ((RunOptions(limit=3), Report(created=2, unchanged=1)), None, False),
        ((RunOptions(limit=3), Report(created=2)), None, True),
        ((RunOptions(limit=3), Report(created=3)), 10, False),
        ((RunOptions(limit=10), Report(created=10)), 10, True),
    ],
)
async def test_only_a_run_that_was_not_narrowed_tells_how_its_job_is(
    database: Database,
    runs: RunStore,
    narrowed: tuple[RunOptions, Report],
    own_limit: int | None,
    *,
    tells: bool,
) -> None:
    options, report = narrowed
    troubled = await begun(runs)
    await runs.finish(troubled, Ending(outcome=Outcome.FAILED), AT)
    later = await runs.create(draft(CLOCK, options))
    await runs.begin(later, AT)
    await add(database, runs, later, report)
    await runs.finish(later, Ending(outcome=Outcome.SUCCEEDED), AT)

    verdicts = await runs.verdicts({JOB: own_limit, "never ran": None})

    assert {job: run.id for job, run in verdicts.items()} == {JOB: later if tells else troubled}


async def test_runs_are_listed_newest_first_and_page_by_page(runs: RunStore) -> None:
    numbers = [await runs.create(draft(CLOCK)) for _ in range(5)]

    first = await runs.list_newest(JOB, None, 2)
    second = await runs.list_newest(None, first[-1].id, 10)

    assert [run.id for run in (*first, *second)] == numbers[::-1]
    assert await runs.list_newest("another", None, 10) == []
