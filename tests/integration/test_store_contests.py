"""Contests in PostgreSQL: what is new, what changed, what does not take place any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.announced import NOW, Almanac, contest, listing
from fakes.clock import FakeClock
from fakes.running import running

from syncd.errors import LeaseLost
from syncd.model.contest import Contest, Occasion
from syncd.model.run import Ending, Outcome
from syncd.store.contests import Failed, Look
from syncd.store.database import Database

# What a look may do to a row that says the same.
SEEN = {"last_seen_at"}


@pytest.fixture
async def almanac(database: Database) -> AsyncIterator[Almanac]:
    async with running(database, FakeClock(NOW)) as world:
        yield Almanac(world)


def moved(told: Contest, **by: float) -> Contest:
    shift = timedelta(**by)
    return replace(told, starts_at=told.starts_at + shift, ends_at=told.ends_at + shift)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


async def test_a_list_is_stored_once_and_the_same_list_again_changes_nothing(
    almanac: Almanac,
) -> None:
    told = [contest(1), contest(2), contest(-30)]
    first = await almanac.look(told)
    before = await almanac.rows()

    second = await almanac.look(told)

    after = await almanac.rows()
    assert (first.report.created, second.report.unchanged, second.report.seen) == (3, 3, 3)
    assert {n: without(row, *SEEN) for n, row in after.items()} == {
        n: without(row, *SEEN) for n, row in before.items()
    }
    assert after["1"]["last_seen_at"] > before["1"]["last_seen_at"]
    # What is over is seen again once a day.
    assert after["-30"]["last_seen_at"] == before["-30"]["last_seen_at"]
    assert await almanac.changes() == []
    assert (await almanac.report()).calls == 1


@pytest.mark.parametrize("seconds", [60, -60, 86_400, -86_400])
async def test_a_start_that_differs_by_a_minute_makes_reminders_begin_anew(
    almanac: Almanac, seconds: float
) -> None:
    told = contest(48)
    await almanac.look([told])

    recorded = await almanac.look([moved(told, seconds=seconds)])

    row = await almanac.row(48)
    assert (row["schedule_version"], row["occasion"]) == (2, "moved")
    assert row["previous_starts_at"] == told.starts_at
    assert row["occasion_at"] == row["changed_at"] == row["last_seen_at"]
    [turn] = recorded.turns
    assert (turn.occasion, turn.previous_starts_at) == (Occasion.MOVED, told.starts_at)
    assert [what for _, what, *_ in await almanac.changes()] == ["start", "end"]
    assert recorded.report.updated == 1


CHANGES: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "name": ({"name": "Another"}, [("name", "Round 5", "Another")]),
    "duration": ({"duration_seconds": 5_400}, [("duration", "7200", "5400")]),
    "kind": ({"kind": "ICPC"}, [("kind", "CF", "ICPC")]),
    "url": ({"url": "https://codeforces.com/contests/5"}, []),
    "rated range": ({"rated_range": "All"}, []),
    "end": (
        {"ends_at": NOW + timedelta(hours=8)},
        [("end", "2026-03-01T19:00:00Z", "2026-03-01T20:00:00Z")],
    ),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_another_change_is_noted_and_makes_no_reminder_begin_anew(
    almanac: Almanac, what: str
) -> None:
    changed, noted = CHANGES[what]
    await almanac.look([contest(5)])

    recorded = await almanac.look([replace(contest(5), **changed)])

    row = await almanac.row(5)
    assert (row["schedule_version"], row["occasion"], recorded.turns) == (1, "announced", ())
    assert {name: row[name] for name in changed} == changed
    assert [change[1:] for change in await almanac.changes()] == noted
    assert recorded.report.updated == 1


@pytest.mark.parametrize("seconds", [31, -59])
async def test_a_correction_of_less_than_a_minute_is_no_move(
    almanac: Almanac, seconds: float
) -> None:
    told = contest(5)
    await almanac.look([told])

    recorded = await almanac.look([moved(told, seconds=seconds)])

    row = await almanac.row(5)
    assert (row["schedule_version"], row["occasion"], recorded.turns) == (1, "announced", ())
    assert row["starts_at"] == told.starts_at + timedelta(seconds=seconds)
    assert [what for _, what, *_ in await almanac.changes()] == ["start", "end"]


async def test_a_coming_contest_is_cancelled_at_the_second_look_that_misses_it(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(1), contest(5)])

    first = await almanac.look([contest(1)])
    once = await almanac.row(5)
    second = await almanac.look([contest(1)])
    twice = await almanac.row(5)
    third = await almanac.look([contest(1)])

    assert (once["missing_looks"], once["cancelled_at"], first.turns) == (1, None, ())
    assert (twice["occasion"], twice["missing_looks"]) == ("cancelled", 2)
    assert (twice["schedule_version"], twice["missing_since"]) == (1, once["missing_since"])
    assert [turn.occasion for turn in second.turns] == [Occasion.CANCELLED]
    assert (second.report.updated, second.report.unchanged) == (1, 1)
    assert third.turns == ()
    assert [what for _, what, *_ in await almanac.changes()] == ["cancelled"]


async def test_a_look_that_began_before_the_first_one_ended_is_no_second_one(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(1), contest(5)])
    await almanac.look([contest(1)])

    beside = almanac.at
    recorded = await almanac.look([contest(1)], began_at=beside)

    assert recorded.turns == ()
    assert (await almanac.row(5))["missing_looks"] == 1


async def test_a_contest_that_is_found_again_in_time_was_never_away(almanac: Almanac) -> None:
    await almanac.look([contest(1), contest(5)])
    await almanac.look([contest(1)])

    await almanac.look([contest(1), contest(5)])
    found = await almanac.row(5)
    await almanac.look([contest(1)])

    assert (found["missing_since"], found["missing_looks"]) == (None, 0)
    assert (found["schedule_version"], found["occasion"]) == (1, "announced")
    assert (await almanac.row(5))["cancelled_at"] is None


@pytest.mark.parametrize(("hours", "occasion"), [(0, "restored"), (1, "moved")])
async def test_a_cancelled_contest_that_is_listed_again_takes_place_and_reminders_begin_anew(
    almanac: Almanac, hours: int, occasion: str
) -> None:
    for told in ([contest(1), contest(5)], [contest(1)], [contest(1)]):
        await almanac.look(told)

    recorded = await almanac.look([contest(1), moved(contest(5), hours=hours)])

    row = await almanac.row(5)
    assert (row["schedule_version"], row["occasion"], row["cancelled_at"]) == (2, occasion, None)
    assert [turn.occasion for turn in recorded.turns] == [occasion]
    assert row["previous_starts_at"] == (contest(5).starts_at if hours else None)
    assert ("5", "restored", "cancelled", "announced") in await almanac.changes()


async def test_a_contest_that_began_meanwhile_is_not_cancelled(almanac: Almanac) -> None:
    await almanac.look([contest(0.4), contest(5)])
    await almanac.look([contest(5)])

    almanac.at += timedelta(hours=1)
    recorded = await almanac.look([contest(5)])

    assert recorded.turns == ()
    assert (await almanac.row(0.4))["cancelled_at"] is None


async def test_missing_from_a_window_means_nothing(almanac: Almanac) -> None:
    await almanac.look([contest(1), contest(5)], is_whole=False)

    for _ in range(3):
        await almanac.look([contest(1)], is_whole=False)

    assert (await almanac.row(5))["missing_looks"] == 0


async def test_a_list_with_a_row_that_cannot_be_read_takes_nothing_back(almanac: Almanac) -> None:
    await almanac.look([contest(1), contest(5)])

    for _ in range(3):
        recorded = await almanac.look([contest(1)], unread=["contest 5 has no start"])

    assert (await almanac.row(5))["missing_looks"] == 0
    assert recorded.unread == ["contest 5 has no start"]
    assert recorded.report.failures == {"schema_error": 1}


@pytest.mark.parametrize("is_whole", [True, False])
async def test_an_empty_list_where_rows_were_is_an_error_and_takes_nothing_back(
    almanac: Almanac, *, is_whole: bool
) -> None:
    await almanac.look([contest(1), contest(5)], is_whole=is_whole)
    before = await almanac.rows()

    for _ in range(3):
        recorded = await almanac.look([], is_whole=is_whole)

    assert recorded.doubt == "codeforces listed no contest at all, where it listed some before"
    assert recorded.report.failures == {"suspicious": 1}
    assert (await almanac.report()).failed == 1
    assert await almanac.rows() == before


async def test_an_empty_list_of_whom_nothing_is_known_is_believed(almanac: Almanac) -> None:
    recorded = await almanac.look([])

    assert (recorded.doubt, recorded.report.seen) == ("", 0)


async def test_a_whole_list_of_past_contests_only_takes_nothing_back_and_is_stored(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(-5), contest(5)])

    for _ in range(3):
        recorded = await almanac.look([contest(-5), contest(-9)])

    assert "past contests only" in recorded.doubt
    rows = await almanac.rows()
    assert (rows["5"]["missing_looks"], set(rows)) == (0, {"-9", "-5", "5"})
    assert recorded.report.failures == {"suspicious": 1}


async def test_a_list_that_would_cancel_more_than_half_is_not_believed_but_by_a_person(
    almanac: Almanac,
) -> None:
    coming = [contest(hours + 2) for hours in range(12)]
    await almanac.look(coming)
    await almanac.look(coming[:5])

    doubted = await almanac.look([*coming[:5], contest(99)])
    believed = await almanac.look(coming[:5], is_trusted=True)

    assert doubted.doubt.startswith("codeforces left out 7 of 12 contests to come, at most 6")
    assert (doubted.turns, doubted.report.created) == ((), 1)
    assert (believed.doubt, len(believed.turns)) == ("", 7)


async def test_up_to_five_may_be_cancelled_however_few_there_are(almanac: Almanac) -> None:
    coming = [contest(hours + 2) for hours in range(6)]
    for told in (coming, coming[:1], coming[:1]):
        recorded = await almanac.look(told)

    assert (recorded.doubt, len(recorded.turns)) == ("", 5)


async def test_another_list_tells_of_what_the_platform_does_not_and_changes_nothing_of_its_own(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(30)])

    recorded = await almanac.look(
        [replace(contest(30), name="Otherwise"), contest(40)], source="clist", is_whole=False
    )

    rows = await almanac.rows()
    assert (rows["30"]["name"], rows["30"]["source"]) == ("Round 30", "codeforces")
    assert rows["40"]["source"] == "clist"
    assert (recorded.report.created, recorded.report.unchanged) == (1, 1)
    [share] = (await almanac.world.runs.platform_reports([almanac.run_id]))[almanac.run_id].items()
    assert share[0] == "clist"


async def test_the_platform_has_the_last_word_on_what_another_list_told(almanac: Almanac) -> None:
    await almanac.look([contest(30)], source="clist", is_whole=False)

    recorded = await almanac.look([moved(contest(30), hours=1)])

    row = await almanac.row(30)
    assert (row["source"], row["occasion"]) == ("codeforces", "moved")
    assert recorded.report.updated == 1


async def test_who_is_told_of_by_another_list_only_is_not_cancelled_by_the_platform(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(1)])
    await almanac.look([contest(30)], source="clist", is_whole=False)

    for _ in range(3):
        await almanac.look([contest(1)])

    assert (await almanac.row(30))["missing_looks"] == 0


async def test_another_list_counts_once_the_platform_is_not_heard_for_a_day(
    almanac: Almanac,
) -> None:
    await almanac.look([contest(90)])
    almanac.at += timedelta(hours=25)

    recorded = await almanac.look([moved(contest(90), hours=1)], source="clist", is_whole=False)

    row = await almanac.row(90)
    assert (row["source"], row["occasion"]) == ("clist", "moved")
    assert len(recorded.turns) == 1


async def test_another_list_brings_nothing_back_that_the_platform_took_back(
    almanac: Almanac,
) -> None:
    for told in ([contest(1), contest(90)], [contest(1)], [contest(1)]):
        await almanac.look(told)
    almanac.at += timedelta(hours=25)

    await almanac.look([contest(90)], source="clist", is_whole=False)

    assert (await almanac.row(90))["occasion"] == "cancelled"


async def test_what_ended_long_ago_and_other_platforms_are_left_out(almanac: Almanac) -> None:
    told = [contest(1), contest(-50), replace(contest(3), platform="topcoder")]

    recorded = await almanac.look(
        told, since=NOW - timedelta(hours=24), platforms=("codeforces",), source="codeforces"
    )

    assert (recorded.report.seen, set(await almanac.rows())) == (1, {"1"})


async def test_a_dry_run_keeps_the_counts_and_nothing_else(almanac: Almanac) -> None:
    await almanac.look([contest(1), contest(5)])
    before = await almanac.rows()

    recorded = await almanac.look([moved(contest(1), hours=1), contest(7)], dry_run=True)

    assert (recorded.report.created, recorded.report.updated) == (1, 1)
    assert ((await almanac.report()).created, (await almanac.report()).calls) == (1, 1)
    assert await almanac.rows() == before
    assert (await almanac.store.looks())[0]["looked_at"] < almanac.at


POISON: dict[str, dict[str, Any]] = {
    "a NUL in the name": {"name": "a\0b"},
    "half a surrogate pair": {"name": "a\ud800b"},
    "ten thousand characters": {"name": "x" * 10_000},
    "odd values in what was told": {"raw": {"a\0": ["\ud800", float("nan"), {"b": "\0"}]}},
}


@pytest.mark.parametrize("fields", POISON.values(), ids=POISON)
async def test_odd_texts_are_stored_as_far_as_they_can_be(
    almanac: Almanac, fields: dict[str, Any]
) -> None:
    recorded = await almanac.look([contest(1, **fields), contest(2)])

    assert (recorded.report.created, recorded.report.failed) == (2, 0)


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "no id": {"external_id": ""},
    "an id too long for an index": {"external_id": "x" * 3_000},
    "an id that no text can hold": {"external_id": "a\0"},
    "an end before the start": {"ends_at": NOW - timedelta(days=1)},
    "a duration below nothing": {"ends_at": NOW + timedelta(hours=9), "duration_seconds": -1},
    "a duration without end": {"ends_at": NOW + timedelta(hours=9), "duration_seconds": 2**63},
}


@pytest.mark.parametrize("fields", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
async def test_a_row_that_cannot_be_fails_alone(almanac: Almanac, fields: dict[str, Any]) -> None:
    recorded = await almanac.look([contest(1), replace(contest(2), **fields)])

    assert (recorded.report.created, recorded.report.failures) == (1, {"schema_error": 1})
    assert recorded.unread[0].startswith("codeforces: contest ")


async def test_a_contest_that_is_listed_twice_is_stored_once(almanac: Almanac) -> None:
    recorded = await almanac.look([contest(1), replace(contest(1), name="again")])

    assert (recorded.report.created, recorded.report.seen) == (1, 1)
    assert (await almanac.row(1))["name"] == "Round 1"


async def test_a_contest_that_goes_by_several_ids_is_one(almanac: Almanac) -> None:
    part = contest(30, external_id="START134B", joint_id="START134")
    whole = replace(part, external_id="START134")
    await almanac.look([part, replace(part, external_id="START134C")])
    first = await almanac.rows()

    recorded = await almanac.look([whole, part])
    await almanac.look([part], source="clist", is_whole=False)
    missing = await almanac.look([replace(part, external_id="START134D")])

    assert [*first] == ["START134B"]
    assert (recorded.report.updated, recorded.report.seen, recorded.turns) == (1, 1, ())
    [row] = (await almanac.rows()).values()
    assert (row["external_id"], row["joint_id"]) == ("START134D", "START134")
    assert (row["missing_looks"], missing.turns) == (0, ())


async def test_two_lists_at_once_store_each_contest_once(almanac: Almanac) -> None:
    told = [contest(number) for number in range(1, 200)]

    first, second = await asyncio.gather(almanac.look(told), almanac.look(told[::-1]))

    assert first.report.created + second.report.created == len(told)
    assert len(await almanac.rows()) == len(told)


async def test_a_failure_is_counted_and_is_tried_again_ever_later(almanac: Almanac) -> None:
    await almanac.look([contest(1)])
    looks, waits = almanac.store, []
    for _ in range(6):
        almanac.at += timedelta(hours=3)
        look = Look(
            run_id=almanac.run_id, source="codeforces", began_at=almanac.at, at=almanac.at, calls=3
        )
        await looks.note_failure(look, Failed(outcome="transient", error="no", retryable=True))
        waits.append((await looks.failing(["codeforces"]))["codeforces"] - almanac.at)

    assert [wait / timedelta(minutes=15) for wait in waits] == [1, 2, 4, 8, 8, 8]
    assert ((await almanac.report()).failed, (await almanac.report()).calls) == (6, 19)
    [stands] = await looks.looks()
    assert (stands["fail_streak"], stands["error"], stands["tried_at"]) == (6, "no", almanac.at)
    await almanac.look([contest(1)])
    assert await looks.failing(["codeforces"]) == {}


async def test_nothing_is_stored_for_a_run_that_is_over(almanac: Almanac) -> None:
    await almanac.look([contest(1)])
    await almanac.world.runs.finish(almanac.run_id, Ending(outcome=Outcome.SUCCEEDED), almanac.at)
    look = Look(run_id=almanac.run_id, source="codeforces", began_at=almanac.at, at=almanac.at)

    with pytest.raises(LeaseLost):
        await almanac.store.record(look, listing([contest(2)]))

    assert set(await almanac.rows()) == {"1"}


async def test_who_starts_soon_or_should_have_a_moment_ago_is_near(almanac: Almanac) -> None:
    platforms = ["codeforces", "leetcode", "atcoder", "codechef"]
    starts = {"codeforces": 23.0, "leetcode": 25.0, "atcoder": -0.5, "codechef": -3.0}
    for platform, hours in starts.items():
        told = contest(1, hours=hours, platform=platform)
        await almanac.look([told], source=platform)

    assert await almanac.store.near(platforms, NOW, timedelta(hours=24)) == {
        "codeforces",
        "atcoder",
    }
    counted = await almanac.store.count(NOW)
    assert counted == {
        ("codeforces", "coming"): 1,
        ("leetcode", "coming"): 1,
        ("atcoder", "running"): 1,
        ("codechef", "ended"): 1,
    }
