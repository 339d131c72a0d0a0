"""Whoever comes in between, whatever breaks off: nothing is lost, doubled, or counted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.benches import JOB, PROMPT, World, pages
from fakes.postgres_proxy import Point, When, postgres_proxy

from syncd.clock import SystemClock
from syncd.errors import CacheUnavailable, LeaseLost, SourceUnfit, StoreUnavailable, TargetUnfit
from syncd.model.leaderboard import LONGEST_ID, Page
from syncd.store.database import Database

ONE = (1.0, 1.0, 1.0, 1.0)
State = dict[str, tuple[float | None, ...]]


@pytest.fixture
def world(database: Database) -> World:
    return World.over(database)


def crowd(count: int, score: float = 1.0) -> State:
    return {f"u{n:05}": (score, 1.0, 1.0, float(n)) for n in range(count)}


async def test_who_wrote_a_row_since_it_was_seen_has_it_his_way(world: World) -> None:
    await world.sync(dict.fromkeys(("upd", "del", "gone", "calm", "bye"), ONE))
    run_id = await world.begin()

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        said = {"upd": (2, 2, 2, 2), "calm": (3, 3, 3, 3), "new": ONE, "fresh": ONE}
        await bench.stage(pages(said))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        # `upd` gets another value, `del` the same one again, `gone` goes, `new` comes.
        await world.rows("UPDATE pomo_leaderboard SET daily_pomo = 77 WHERE user_id = 'upd'")
        await world.rows("UPDATE pomo_leaderboard SET daily_pomo = 1 WHERE user_id = 'del'")
        await world.rows("DELETE FROM pomo_leaderboard WHERE user_id = 'gone'")
        await world.rows("INSERT INTO pomo_leaderboard (user_id, daily_pomo) VALUES ('new', 88)")
        applied = await bench.apply(run_id, world.at, world.verdict, world.books())
        drift = await bench.drift()

    assert await world.table() == {
        "upd": (77, 1, 1, 1),
        "del": ONE,
        "calm": (3, 3, 3, 3),
        "new": (88, 0, 0, 0),
        "fresh": ONE,
    }
    report = applied.report
    assert (report.created, report.updated, report.deleted) == (1, 1, 1)
    assert report.failures == {"conflict": 4}
    assert report.seen == 5 + 1 + 1
    assert drift.rows == 2
    again = await world.sync(said)
    assert (await world.table()).keys() == said.keys()
    assert again.applied.report.failures == {}


async def test_a_source_that_breaks_off_leaves_nothing_and_the_next_run_is_fit(
    world: World,
) -> None:
    async def broken() -> AsyncIterator[Page]:
        async for page in pages(crowd(3_000)):
            yield page
        raise CacheUnavailable("Redis is gone")

    async def read() -> None:
        async with world.store.bench(JOB, world.target) as bench:
            await bench.check()
            await bench.stage(broken())

    with pytest.raises(CacheUnavailable):
        await read()

    assert (await world.sync(crowd(3))).applied.report.created == 3


async def test_an_id_that_is_longer_than_any_may_be_is_told_with_its_mend(world: World) -> None:
    assert (await world.sync({"é" * LONGEST_ID: ONE})).applied.report.created == 1

    with pytest.raises(SourceUnfit, match="more than 400 characters") as refused:
        await world.sync({"é" * (LONGEST_ID + 1): ONE})

    assert "id_length" in (refused.value.hint or "")
    assert len(await world.table()) == 1


async def test_a_row_whose_id_is_longer_than_any_goes_like_others(world: World) -> None:
    await world.rows("INSERT INTO pomo_leaderboard (user_id) VALUES (repeat('x', 2000)), ('ada')")

    assert (await world.sync({"ada": ONE})).applied.report.deleted == 1
    assert await world.table() == {"ada": ONE}


async def test_what_was_staged_is_forgotten_when_it_is_read_once_more(world: World) -> None:
    run_id = await world.begin()

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        for said in (crowd(9), crowd(2)):
            await bench.stage(pages(said))
            await bench.compare(partial=False, guard=world.guard, at=world.at)
        await bench.apply(run_id, world.at, world.verdict, world.books())

    assert await world.table() == crowd(2)


async def test_a_run_that_goes_on_after_its_books_tells_what_is_true_then(world: World) -> None:
    await world.sync(crowd(3))
    run_id = await world.begin()
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages(crowd(3, 2.0)))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        await world.rows("UPDATE pomo_leaderboard SET daily_pomo = 9 WHERE user_id = 'u00001'")
        first = await bench.apply(run_id, world.at, world.verdict, world.books())

    await world.sync(crowd(3, 2.0), run_id=run_id)

    assert first.report.failures == {"conflict": 1}
    report = await world.report(run_id)
    assert (report.updated, report.seen, report.skipped, report.failures) == (3, 3, 0, {})


async def test_a_row_that_is_refused_is_set_aside_and_the_others_are_written(
    world: World,
) -> None:
    await world.rows("ALTER TABLE pomo_leaderboard ADD CHECK (daily_pomo <> 13)")
    await world.rows("ALTER TABLE pomo_leaderboard ADD nick text UNIQUE")
    await world.rows(
        "CREATE FUNCTION pick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.user_id = 'u00042' THEN RAISE EXCEPTION 'not him'; END IF; RETURN new; END $$"
    )
    await world.rows(
        "CREATE TRIGGER pick BEFORE INSERT ON pomo_leaderboard FOR EACH ROW EXECUTE FUNCTION pick()"
    )
    said = crowd(500)
    said["u00007"] = said["u00400"] = (13, 1, 1, 1)

    first = await world.sync(said)
    good = crowd(500)
    del good["u00042"], good["u00007"], good["u00400"]
    assert await world.table() == good
    report = first.applied.report
    assert (report.created, report.failed, report.seen) == (497, 3, 500)
    letters = await world.rows("SELECT item_key, error FROM dead_letters ORDER BY item_key")
    assert [row["item_key"] for row in letters] == [
        f"leaderboard/{name}" for name in ("u00007", "u00042", "u00400")
    ]
    assert letters[1]["error"] == "PostgreSQL refuses it: not him"
    assert "check constraint" in letters[0]["error"]

    said["u00001"] = (13, 1, 1, 1)
    del said["u00002"]
    second = await world.sync(said)
    report = second.applied.report
    assert (report.updated, report.deleted, report.failed, report.unchanged) == (0, 1, 4, 495)
    assert (second.drift.protected, second.drift.rows) == (1, 0)


async def test_a_row_that_others_refer_to_stays_and_the_others_go(world: World) -> None:
    await world.sync(crowd(300))
    await world.rows("CREATE TABLE medals (id text REFERENCES pomo_leaderboard (user_id))")
    await world.rows("INSERT INTO medals VALUES ('u00150')")

    passed = await world.sync({"u00000": crowd(1)["u00000"]})

    assert sorted(await world.table()) == ["u00000", "u00150"]
    report = passed.applied.report
    assert (report.deleted, report.failed, report.unchanged, report.seen) == (298, 1, 1, 300)
    assert await world.value("SELECT count(*) FROM leaderboard_tombstones") == 298


async def test_a_table_that_refuses_nearly_everything_is_at_fault_itself(world: World) -> None:
    await world.rows("ALTER TABLE pomo_leaderboard ADD CHECK (daily_pomo > 1)")

    with pytest.raises(TargetUnfit, match="refuses more than 1000 rows"):
        await world.sync(crowd(1_500))

    assert await world.table() == {}


async def test_a_run_that_was_taken_away_writes_nothing(world: World) -> None:
    await world.sync(crowd(3))
    run_id = await world.begin()
    await world.rows("UPDATE runs SET outcome = 'interrupted' WHERE id = $1", run_id)
    world.guard = PROMPT

    with pytest.raises(LeaseLost):
        await world.sync(crowd(9, 2.0), run_id=run_id)

    assert await world.table() == crowd(3)
    assert await world.value("SELECT count(*) FROM reconciliations") == 1


# Where the line is cut: before a statement of the nth transaction, or behind its COMMIT.
POINTS = [
    Point(sql="COPY"),
    Point(sql="INSERT INTO lb_changes"),
    Point(sql="CREATE TABLE"),
    Point(sql="UPDATE .*pomo_leaderboard"),
    Point(sql="UPDATE .*pomo_leaderboard", nth=3),
    Point(sql="INSERT INTO [^(]*pomo_leaderboard"),
    Point(sql="INSERT INTO [^(]*pomo_leaderboard", nth=2),
    Point(sql="DELETE FROM [^(]*pomo_leaderboard"),
    Point(sql="INSERT INTO leaderboard_missing"),
    Point(sql="INSERT INTO reconciliations"),
    Point(sql="COMMIT", within="CREATE TABLE"),
    Point(sql="COMMIT", within="UPDATE .*pomo_leaderboard", nth=2),
    Point(sql="COMMIT", within="DELETE FROM [^(]*pomo_leaderboard"),
    Point(sql="COMMIT", within="CREATE TABLE", when=When.COMMITTED),
    Point(sql="COMMIT", within="UPDATE .*pomo_leaderboard", when=When.COMMITTED),
    Point(sql="COMMIT", within="UPDATE .*pomo_leaderboard", when=When.COMMITTED, nth=3),
    Point(sql="COMMIT", within="INSERT INTO [^(]*pomo_leaderboard", when=When.COMMITTED),
    Point(sql="COMMIT", within="INSERT INTO reconciliations", when=When.COMMITTED),
    Point(sql="UPDATE reconciliations"),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.when}-{point.sql}-{point.nth}")
async def test_a_run_that_is_cut_off_anywhere_is_repeated_and_counts_true(
    database: Database, point: Point
) -> None:
    near = World.over(database)
    before = crowd(1_000)
    await near.sync(before)
    after = {**crowd(900, 2.0), **{f"v{n:04}": ONE for n in range(300)}}
    run_id = await near.begin()
    async with postgres_proxy(database.settings.address) as proxy:
        address = replace(
            database.settings.address, host="127.0.0.1", port=proxy.port, ssl="disable"
        )
        async with Database(replace(database.settings, address=address), SystemClock()) as far:
            world = World.over(far, batch=100)
            await far.ping()
            fell = proxy.strike(point)
            with pytest.raises(StoreUnavailable):
                await sync_with_copy(world, after, run_id)
            assert fell.is_set()

            await sync_with_copy(world, after, run_id)

    assert await near.table() == after
    report = await near.report(run_id)
    assert (report.created, report.updated, report.deleted) == (300, 900, 100)
    assert (report.seen, report.failures) == (1_300, {})
    assert await near.value("SELECT count(*) FROM leaderboard_tombstones") == 100
    [backup] = await near.rows("SELECT table_name, rows FROM leaderboard_backups")
    assert backup["rows"] == 1_000
    same = await near.sync(after)
    assert same.applied.report.unchanged == 1_200


async def sync_with_copy(world: World, said: State, run_id: Any) -> None:
    """Do what a run does that changes much."""
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages(said))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        backup = await bench.back_up(run_id, world.at, timedelta(days=14))
        books = replace(world.books(), backup=backup)
        await bench.apply(run_id, world.at, world.verdict, books)
        await bench.note_drift(run_id, await bench.drift(), {})


async def test_rows_that_another_locks_for_a_moment_are_waited_for(world: World) -> None:
    await world.sync(crowd(2))
    run_id = await world.begin()

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages(crowd(2, 5.0)))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        # The first attempt waits for nobody, and is taken again.
        await bench._do.connection.execute("SET lock_timeout TO '20ms'")
        async with world.database.transaction() as other:
            await other.fetch("SELECT * FROM pomo_leaderboard FOR UPDATE")
            with pytest.raises(StoreUnavailable):
                await bench.apply(run_id, world.at, world.verdict, world.books())
        applied = await bench.apply(run_id, world.at, world.verdict, world.books())

    assert applied.report.updated == 2
    assert await world.table() == crowd(2, 5.0)
