"""The clean-up: what is old goes, what somebody still asks for stays, whenever it is cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fakes.aged import CONTEST, aged
from fakes.clock import FakeClock
from fakes.running import JOB, Running, running

from syncd.errors import BadInput
from syncd.jobs.cleanup import Cleanup, CleanupOptions
from syncd.model.run import Outcome, Run, RunOptions
from syncd.store.database import Database
from syncd.telemetry.events import ConditionNoticed, ItemsCleaned

DAY = timedelta(days=1)


def cleanup(**options: Any) -> Cleanup:
    return Cleanup(JOB, CleanupOptions.model_validate(options))


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock()) as world:
        yield world


async def clean(world: Running, work: Cleanup | None = None, **options: Any) -> Run:
    return await world.run(work or cleanup(), **options)


async def cleaned(world: Running, run: Run) -> dict[str, int]:
    counts = await world.around.stores.cleanup.counts_of([run.id])
    return dict(counts[run.id])


async def test_a_contest_goes_thirty_days_after_its_end_and_its_notification_stays(
    world: Running,
) -> None:
    await aged(world).contests(ended_days_ago=[29, 31, 400])
    await aged(world).notifications(days_ago=[31], read=False)

    run = await clean(world)

    assert await world.value("SELECT count(*) FROM contests") == 1
    assert await world.value("SELECT contest_name FROM notifications") == CONTEST
    assert (run.outcome, run.report.deleted, await cleaned(world, run)) == (
        Outcome.SUCCEEDED,
        2,
        {"contests": 2},
    )


async def test_of_notifications_only_old_ones_that_were_read_go(world: Running) -> None:
    there = aged(world)
    await there.notifications(days_ago=[89, 91], read=True)
    await there.notifications(days_ago=[300], read=False)
    await there.notifications(days_ago=[301, 302], read=True, state="failed")

    run = await clean(world)

    assert await cleaned(world, run) == {"read_notifications": 1}
    assert await world.value("SELECT count(*) FROM notifications") == 4


async def test_what_was_read_before_its_contest_stays_until_that_began_and_comes_no_second_time(
    world: Running,
) -> None:
    await aged(world).notifications(days_ago=[3], read=True)
    await world.rows("UPDATE notifications SET expires_at = read_at + interval '4 days'")

    early = await clean(world, cleanup(keep={"read_notifications": "1d"}))
    assert await cleaned(world, early) == {}
    await world.clock.advance(2 * 86_400 + 60)
    late = await clean(world, cleanup(keep={"read_notifications": "1d"}))

    assert await cleaned(world, late) == {"read_notifications": 1}


async def test_of_a_job_that_only_some_users_asked_for_the_last_run_about_everybody_stays(
    world: Running,
) -> None:
    there = aged(world)
    await there.runs("main", days_ago=range(400, 395, -1))
    await there.runs("main", days_ago=[*range(390, 330, -1), 2])
    await world.rows(
        "UPDATE runs SET options = jsonb_build_object('platform', '', 'dry_run', false, 'only',"
        " CASE WHEN claimed_at < $1::timestamptz THEN '[]'::jsonb ELSE '[\"u1\"]' END)",
        world.clock.now() - 393 * DAY,
    )

    await clean(world)

    whole = "SELECT count(*) FROM runs WHERE job = 'main' AND NOT options -> 'only' ? 'u1'"
    assert await world.value(whole) == 1


async def test_unread_notifications_go_where_that_is_asked_for(world: Running) -> None:
    await aged(world).notifications(days_ago=[10, 300], read=False)

    run = await clean(world, cleanup(keep={"unread_notifications": "200d"}))

    assert await cleaned(world, run) == {"unread_notifications": 1}


async def test_who_did_not_log_in_for_long_is_inactive_until_the_next_login(
    world: Running,
) -> None:
    there = aged(world)
    await there.users({"new": 1, "old": 181, "never": None})

    run = await clean(world)

    assert await there.inactive() == ["old"]
    assert (run.report.updated, run.report.deleted) == (1, 0)
    await there.users({"old": 0})
    assert await there.inactive() == []


async def test_who_is_inactive_by_a_shorter_age_is_active_again_by_a_longer_one(
    world: Running,
) -> None:
    there = aged(world)
    await there.users({f"u{n}": 200 + n for n in range(12)} | {"new": 1})
    await clean(world)

    with_longer = cleanup(keep={"logins": "210d"})
    await world.rows(
        "INSERT INTO users (key, inactive_since) SELECT n, now() FROM generate_series(1, 2500) n"
    )
    await world.rows("UPDATE users SET last_login_at = now() WHERE last_login_at IS NULL")
    await clean(world, with_longer)

    assert await there.inactive() == ["u11"]


async def test_nobody_becomes_inactive_when_logins_are_not_told_any_more(world: Running) -> None:
    await aged(world).users({f"u{n}": 200 + n for n in range(5)})

    await clean(world)

    assert await aged(world).inactive() == []
    [told] = [event for event in world.told(ConditionNoticed) if "inactive" in event.condition]
    assert "last_login_at" in told.hint


async def test_too_many_inactive_users_at_once_wait_for_a_person_and_the_rest_is_done(
    world: Running,
) -> None:
    there = aged(world)
    await there.users({f"u{n}": 190 for n in range(21)} | {"new": 1})
    await there.contests(ended_days_ago=[50])

    held = await clean(world)

    assert (held.outcome, held.report.deleted) == (Outcome.HELD, 1)
    assert held.error == (
        "21 of 22 users would become inactive at once (at most 20 may); nobody was marked"
    )
    assert await there.inactive() == []
    passed = await clean(world, cleanup(max_inactive=21))
    assert (passed.outcome, passed.report.updated) == (Outcome.SUCCEEDED, 21)


async def test_tokens_of_a_grant_that_ended_are_cleared_and_its_state_stays(
    world: Running,
) -> None:
    there = aged(world)
    await there.grants({"dead": ("dead", -1), "alive": ("ok", 30), "doubted": ("suspect", -1)})

    run = await clean(world)

    rows = await world.rows(
        "SELECT users.key, health, refresh_ct IS NULL AS is_cleared FROM oauth_tokens "
        "JOIN accounts ON accounts.id = account_id JOIN users ON users.id = user_id ORDER BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("alive", "ok", False),
        ("dead", "dead", True),
        ("doubted", "suspect", False),
    ]
    assert await cleaned(world, run) == {"expired_grants": 1}


async def test_of_runs_the_newest_of_a_job_and_those_that_something_names_stay(
    world: Running,
) -> None:
    there = aged(world)
    await there.runs("busy", days_ago=range(400, 100, -1))
    await there.runs("rare", days_ago=[500])
    await there.runs("failing", days_ago=range(300, 200, -1), outcome="failed")
    await there.runs("alive", days_ago=[2])

    run = await clean(world)

    left = await world.rows("SELECT job, count(*) FROM runs WHERE job <> $1 GROUP BY job", JOB)
    assert {row["job"]: row["count"] for row in left} == {
        "busy": 50,
        "rare": 1,
        "failing": 50,
        "alive": 1,
    }
    assert await cleaned(world, run) == {"runs": 300, "outcomes": 401}
    newest = await world.value("SELECT max(fire_time) FROM runs WHERE job = 'busy'")
    assert newest == world.clock.now() - 101 * DAY


async def test_settled_letters_and_tombstones_of_jobs_that_do_not_run_go(world: Running) -> None:
    there = aged(world)
    await there.letters({"resolved": 100, "discarded": 80, "open": 300})
    await there.runs("alive", days_ago=[2])
    await there.tombstones({"alive": 100, "removed": 100})

    run = await clean(world)

    assert await cleaned(world, run) == {"letters": 1, "tombstones_left": 1}
    assert await world.value("SELECT job FROM leaderboard_tombstones") == "alive"


async def test_a_dry_run_counts_by_rule_and_removes_nothing(world: Running) -> None:
    there = aged(world)
    await there.contests(ended_days_ago=[31, 32])
    await there.users({"old": 181, "new": 1})

    run = await clean(world, dry_run=True)

    assert await cleaned(world, run) == {"contests": 2, "inactive_users": 1}
    assert (run.report.deleted, run.report.updated) == (2, 1)
    assert await world.value("SELECT count(*) FROM contests") == 2
    assert await there.inactive() == []


async def test_a_second_run_finds_nothing(world: Running) -> None:
    there = aged(world)
    await there.contests(ended_days_ago=[31, 32])
    await there.runs("busy", days_ago=range(400, 200, -1))
    await clean(world)

    again = await clean(world)

    assert (again.report.seen, await cleaned(world, again)) == (0, {})


async def test_a_clock_that_leapt_ahead_makes_nothing_old(world: Running) -> None:
    there = aged(world)
    await there.contests(ended_days_ago=[1, 40])
    await there.runs("busy", days_ago=[0])
    clock = world.clock
    assert isinstance(clock, FakeClock)
    clock.jump_wall(timedelta(days=3650))

    run = await clean(world)
    again = await clean(world)

    assert await world.value("SELECT count(*) FROM contests") == 1
    assert (run.report.deleted, again.report.deleted) == (1, 0)


async def test_a_limit_bounds_what_goes(world: Running) -> None:
    await aged(world).contests(ended_days_ago=[31] * 30)

    run = await clean(world, limit=7)

    assert run.report.deleted == 7


async def test_each_rule_is_told_with_what_it_came_to(world: Running) -> None:
    await aged(world).contests(ended_days_ago=[31])

    await clean(world)

    told = {event.rule: event.items for event in world.told(ItemsCleaned)}
    assert told["contests"] == 1
    assert told["runs"] == 0


def test_a_clean_up_of_some_users_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be narrowed"):
        cleanup().check(RunOptions(only=("u1",)))


@pytest.mark.parametrize(
    ("keep", "problem"),
    [
        ({"contests": "1h"}, 'must be at least "1d"'),
        ({"outcomes": "100d"}, "must not be kept longer than runs"),
        ({"outcomes": ""}, "must not be kept longer than runs"),
        ({"everything": "3d"}, "Extra inputs"),
    ],
)
def test_an_age_that_cannot_be_is_refused(keep: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        cleanup(keep=keep)
