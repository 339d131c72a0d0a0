"""Runs of the notify kind: who is due, each once, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import time

import pytest
from fakes.clock import FakeClock
from fakes.notified import Notified, notified

from syncd.jobs.notify import Notify, NotifyOptions
from syncd.store.arming import Arming
from syncd.store.database import Database
from syncd.telemetry.events import DeliverySent, NotificationsArmed, NotificationsDispatched


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Notified]:
    async with notified(database, clock, "email", "ntfy") as world:
        yield world


async def test_a_reminder_is_sent_once_over_every_channel_from_its_lead_before_the_start_on(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    await world.contest(24.5)

    early = await world.run()
    await world.clock.advance(3_600)
    due = await world.run()
    again = await world.run()

    assert early.report.seen == 0
    assert (due.outcome, due.report.created, again.report.seen) == ("succeeded", 2, 0)
    assert world.email.told == [("ada@email", "reminder", 24)]
    assert world.channels["ntfy"].told == [("ada@ntfy", "reminder", 24)]
    assert [event.channel for event in world.told(DeliverySent)].count("email") == 1
    assert [event.users for event in world.told(NotificationsDispatched)] == [0, 1, 0]
    assert [event.deliveries for event in world.told(NotificationsArmed)] == [0, 2, 0]


async def test_every_lead_has_a_reminder_of_its_own_and_a_lead_added_late_is_due_at_once(
    world: Notified,
) -> None:
    await world.person("ada", 24, 1, channels=["email"])
    await world.contest(5)
    await world.run()

    await world.person("ada", 24, 6, 1, channels=["email"])
    await world.run()
    await world.clock.advance(4 * 3_600)
    await world.run()

    assert world.email.told == [("ada@email", "reminder", lead) for lead in (1, 6, 24)]


async def test_only_wanted_platforms_active_addresses_and_users_who_did_not_opt_out_are_due(
    world: Notified,
) -> None:
    await world.person("all", 24, channels=["email"])
    await world.person("some", 24, channels=["email"], platforms=["leetcode", "codechef"])
    gone = await world.person("gone", 24, channels=["email"])
    off = await world.person("off", 24, channels=["email"])
    await world.world.rows("UPDATE users SET opted_out = true WHERE id = $1", gone)
    await world.world.rows("UPDATE notify_addresses SET state = 'off' WHERE user_id = $1", off)
    await world.contest(5, "A", platform="codeforces")
    await world.contest(5, "B", platform="leetcode")

    await world.run()

    assert [to for to, _, _ in world.email.told] == ["all@email", "all@email", "some@email"]


async def test_a_channel_that_is_not_configured_gets_no_row(world: Notified) -> None:
    await world.person("ada", 24, channels=["email", "pigeon"])
    await world.contest(5)

    await world.run()

    assert await world.rows("channel") == ["email"]


async def test_quiet_hours_hold_back_what_is_due_unless_the_contest_begins_before_their_end(
    world: Notified,
) -> None:
    # The clock stands at midnight UTC, half past five in Kolkata.
    night = (time(22), time(7))
    await world.person("ada", 24, channels=["email"], quiet=night, timezone="Asia/Kolkata")
    await world.contest(1, "early")
    await world.contest(23.5, "late")

    await world.run()
    assert [each.contests[0].name for each in world.email.taken] == ["early"]
    await world.clock.advance(3_600)
    assert (await world.run()).report.seen == 0
    await world.clock.advance(1_800)
    await world.run()

    assert [each.contests[0].name for each in world.email.taken] == ["early", "late"]
    assert [each.is_late for each in world.email.taken] == [True, False]


async def test_what_waits_for_the_morning_is_due_as_quiet_hours_end_not_at_the_next_fire_time(
    world: Notified,
) -> None:
    await world.person("ada", 24, channels=["email"], quiet=(time(22), time(7, 50)))
    await world.contest(8, "at eight")
    await world.run()
    work = Notify("notify", NotifyOptions())

    at = await work.next_retry(world.world.around, world.clock.now())
    await world.clock.advance(7.9 * 3_600)
    await world.run()

    assert at is not None
    assert (at.hour, at.minute) == (7, 50)
    assert [(each.contests[0].name, each.is_late) for each in world.email.taken] == [
        ("at eight", False)
    ]


async def test_a_deleted_user_leaves_no_notification_and_a_deleted_contest_leaves_all(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    await world.person("bob", 24)
    contest = await world.contest(5)
    await world.run()

    await world.world.rows("DELETE FROM contests WHERE id = $1", contest)
    await world.world.rows("DELETE FROM users WHERE key = 'bob'")

    left = await world.rows("channel, contest_name")
    assert sorted(left) == [("email", "Round 1"), ("ntfy", "Round 1")]


async def test_a_user_who_is_deleted_by_somebody_with_another_search_path_leaves_nothing(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    await world.contest(5)
    await world.run()
    schema = world.world.database.settings.schema

    async with world.world.database.transaction() as connection:
        await connection.execute("SELECT set_config('search_path', 'pg_catalog', true)")
        await connection.execute(f"DELETE FROM {schema}.users")  # noqa: S608 - our own name

    assert await world.rows() == []


async def test_what_a_limit_left_waits_for_the_next_fire_time_and_not_for_a_retry(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    await world.contest(5)
    await world.run(limit=1)

    work = Notify("notify", NotifyOptions())

    assert await work.next_retry(world.world.around, world.clock.now()) is None


async def test_who_decides_at_the_same_moment_makes_every_delivery_once(world: Notified) -> None:
    for number in range(20):
        await world.person(f"u{number}", 24, 6)
    for number in range(5):
        await world.contest(5, f"c{number}")
    now = world.clock.now()
    arming = Arming(at=now, channels=["email", "ntfy"], since=now)

    made = await asyncio.gather(*(world.store.arm(arming) for _ in range(5)))

    assert sum(each.deliveries for armed in made for each in armed) == 20 * 5 * 2 * 2
    assert len(await world.rows()) == 20 * 5 * 2 * 2
