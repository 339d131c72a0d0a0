"""Lists as they come: half a year of observed ones, and one of thousands of contests."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.announced import NOW, Almanac, Herald, contest, job_over, listing
from fakes.batches import begin
from fakes.clock import FakeClock
from fakes.observed_contests import looks, moves
from fakes.postgres_proxy import PostgresProxy
from fakes.running import running
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.errors import PlatformDown
from syncd.jobs.stop import StopReason
from syncd.model.contest import Occasion
from syncd.model.run import Outcome
from syncd.store.contests import Look
from syncd.store.database import Database
from syncd.telemetry.events import ContestsUnread


@pytest.fixture
async def almanac(database: Database) -> AsyncIterator[Almanac]:
    async with running(database, FakeClock(NOW)) as world:
        yield Almanac(world)


async def test_of_half_a_year_each_observed_move_is_noticed_once_and_nothing_else_is_one(
    almanac: Almanac,
) -> None:
    expected = Counter((after.contest.platform, after.contest.external_id) for _, after in moves())
    told = Counter[tuple[str, str]]()
    run_id = await begin(almanac.world, NOW)
    known: dict[str, object] = {}

    for look in looks():
        for source, found in look.lists.items():
            if known.get(source) == found:
                continue
            known[source] = found
            recorded = await almanac.store.record(
                Look(run_id=run_id, source=source, began_at=look.at, at=look.at), found
            )
            turns = [turn for turn in recorded.turns if turn.occasion is Occasion.MOVED]
            told.update((turn.platform, turn.external_id) for turn in turns)

    assert told == expected
    rows = await almanac.world.rows(
        "SELECT platform, external_id, schedule_version FROM contests WHERE occasion = 'moved'"
    )
    assert {
        (row["platform"], row["external_id"]): row["schedule_version"] - 1 for row in rows
    } == expected


class _Counting(PostgresProxy):
    """Counts the statements that pass."""

    statements = 0

    def due(self, sql: str, values: bytes, before: list[str]) -> None:
        self.statements += 1


@pytest.mark.parametrize("many", [5_000, pytest.param(50_000, marks=pytest.mark.full)])
async def test_thousands_of_contests_are_stored_without_a_statement_for_each(
    database: Database, many: int
) -> None:
    address = database.settings.address
    proxy = _Counting(Path(address.host) / f".s.PGSQL.{address.port}")
    await proxy.open()
    there = replace(address, host="127.0.0.1", port=proxy.port, ssl="disable")
    contests = [contest(number, hours=number / 100) for number in range(1, many + 1)]
    try:
        async with (
            Database(replace(database.settings, address=there), SystemClock()) as far,
            running(far, FakeClock(NOW)) as world,
        ):
            almanac = Almanac(world)
            first = await almanac.look(contests)
            again = await almanac.look(contests[:-3])
    finally:
        await proxy.close()

    assert first.report.created == again.report.unchanged + 3 == many
    assert proxy.statements < 100


async def test_a_bug_in_how_one_platform_is_read_costs_the_others_nothing(
    almanac: Almanac,
) -> None:
    world = almanac.world
    good = Herald(world, "atcoder", listing([contest(5, platform="atcoder")], source="atcoder"))
    bad = Herald(world, "codeforces", listing([]))
    bad.error = ZeroDivisionError("no")

    run = await world.run(job_over(world, good, bad))

    assert (run.outcome, run.report.created) == (Outcome.PARTIAL, 1)
    assert "unforeseen ZeroDivisionError while reading contests of codeforces" in run.error
    [told] = world.told(ContestsUnread)
    assert (told.outcome, "ZeroDivisionError" in told.stack) == ("error", True)
    assert bad.asked["codeforces"] == 1


@pytest.mark.parametrize("reason", [StopReason.DEADLINE, StopReason.CANCEL])
async def test_a_run_that_is_to_stop_keeps_what_it_has_and_waits_for_nobody(
    database: Database, reason: StopReason
) -> None:
    async with running(database, SystemClock()) as world:
        good = Herald(world, "atcoder", listing([contest(5, platform="atcoder")], source="atcoder"))
        slow = Herald(world, "codeforces", listing([]))
        failing = Herald(world, "codechef", listing([]))
        failing.error = PlatformDown("no answer")
        slow.may_answer.clear()
        work = job_over(world, good, slow, failing, recent="1000d")
        run_id = await world.start(work)
        await slow.is_asked.wait()
        await failing.is_asked.wait()

        async def is_stored() -> bool:
            return bool(await world.value("SELECT count(*) FROM contests"))

        await until(is_stored, what="what the first platform told is stored")
        world.engine.active()[0].stop.request(reason, 0.0)
        run = await world.end_of(run_id)

        wanted = Outcome.PARTIAL if reason is StopReason.DEADLINE else Outcome.CANCELLED
        assert (run.outcome, run.report.created) == (wanted, 1)


async def test_the_regular_look_and_the_near_one_at_once_count_as_one_look(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(1), contest(5)])
    almanac.at += timedelta(minutes=1)
    at = almanac.at

    await almanac.look([contest(1)], began_at=at, at=at + timedelta(seconds=3))
    beside = await almanac.look([contest(1)], began_at=at, at=at + timedelta(seconds=5))

    assert beside.turns == ()
