"""Runs that are bounded: by rate and slots, by a limit, to some users, to nobody at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import time

import pytest
from fakes.clock import FakeClock
from fakes.notified import Notified, ScriptedChannel, notified

from syncd.model.notification import Message, Receipt
from syncd.model.pause import Pause, PauseScope
from syncd.store.database import Database
from syncd.telemetry.events import NotificationsArmed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Notified]:
    async with notified(database, clock, "email", "ntfy") as world:
        for key in ("ada", "bob", "eve"):
            await world.person(key, 24)
        yield world


async def test_a_channel_that_a_reload_takes_away_sends_nothing_more_of_what_waits(
    world: Notified,
) -> None:
    world.channels.pop("ntfy")
    await world.contest(20)
    taken_away = world.channels["email"] = ScriptedChannel(
        "email", world.clock, world.world.bus, slots=1
    )

    async def end(message: Message) -> Receipt:
        world.channels.pop("email", None)
        return await taken_away.agree(message)

    taken_away.sending = end
    await world.run()

    assert len(taken_away.taken) == 1
    assert await world.states() == {"sent": 1, "pending": 2}


async def test_a_channel_that_a_reload_changes_sends_the_rest_as_it_is_now(world: Notified) -> None:
    world.channels.pop("ntfy")
    await world.contest(20)
    before, after = (
        ScriptedChannel("email", world.clock, world.world.bus, slots=1) for _ in range(2)
    )

    async def change(message: Message) -> Receipt:
        world.channels["email"] = after
        return await before.agree(message)

    world.channels["email"], before.sending = before, change
    await world.run()

    assert (len(before.taken), len(after.taken)) == (1, 2)
    assert await world.states() == {"sent": 3}


async def test_no_more_are_under_way_than_there_are_slots_and_no_more_claimed(
    world: Notified,
) -> None:
    for number in range(10):
        await world.contest(20, f"c{number}")
    claimed: list[int] = []

    async def slowly(message: Message) -> Receipt:
        claimed.append(
            await world.world.value(
                "SELECT count(*) FROM notifications WHERE state = 'sending' AND channel = 'email'"
            )
        )
        await world.clock.sleep(1)
        return await world.email.agree(message)

    world.email.sending = slowly
    run = await world.run()

    assert run.report.created == 60
    assert world.email.most_under_way == world.email.settings.slots
    assert max(claimed) <= world.email.settings.slots


async def test_a_channel_goes_at_its_rate_and_another_one_does_not_wait_for_it(
    database: Database, clock: FakeClock
) -> None:
    async with notified(database, clock, "email", "ntfy", rate="1/s", slots=10) as world:
        quick = world.channels["ntfy"]
        quick.settings = quick.settings.model_copy(update={"rate": None})
        for key in range(10):
            await world.person(f"u{key}", 24)
        await world.contest(20)
        sent: dict[str, list[float]] = {"email": [], "ntfy": []}

        async def timed(message: Message) -> Receipt:
            sent[message.channel].append(clock.monotonic())
            return Receipt()

        world.email.sending = quick.sending = timed
        await world.run()

    assert max(sent["ntfy"]) - min(sent["ntfy"]) < 0.1
    gaps = [after - before for before, after in zip(sent["email"], sent["email"][1:], strict=False)]
    assert len(gaps) == 9
    assert all(gap >= 0.97 for gap in gaps)


async def test_a_limit_caps_the_deliveries_of_a_run_and_the_rest_waits(world: Notified) -> None:
    await world.contest(20)

    first = await world.run(limit=2)
    second = await world.run()

    assert (first.report.created, second.report.created) == (2, 4)


async def test_a_run_about_one_user_is_about_that_user_only(world: Notified) -> None:
    await world.contest(20)

    run = await world.run(only=("bob",))

    assert run.report.created == 2
    assert await world.states() == {"sent": 2}
    assert [to for to, _, _ in world.email.told] == ["bob@email"]


async def test_a_dry_run_counts_who_is_due_and_writes_nothing(world: Notified) -> None:
    await world.contest(20)

    run = await world.run(dry_run=True)

    assert run.report.seen == 0
    assert run.hint == ("would send 6: 6 due now (email reminder 3, ntfy reminder 3), 0 wait")
    assert await world.rows() == []
    assert world.email.taken == []
    assert [event.dry_run for event in world.told(NotificationsArmed)] == [True]


async def test_where_only_some_may_be_written_to_nobody_else_gets_a_row_or_a_message(
    world: Notified,
) -> None:
    await world.contest(20, "before")
    world.email.settings = world.email.settings.model_copy(update={"slots": 1})
    await world.run(limit=1)
    object.__setattr__(world.world.around, "only_to", lambda: {"ada", "bob@email"})
    await world.contest(20, "after")
    for channel in world.channels.values():
        channel.taken.clear()

    await world.run()

    told = {each.address for channel in world.channels.values() for each in channel.taken}
    assert told <= {"ada@email", "ada@ntfy", "bob@email"}
    rows = await world.world.rows(
        "SELECT u.key, n.channel FROM notifications n JOIN users u ON u.id = n.user_id"
        " WHERE contest_name = 'after' ORDER BY 1, 2"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("ada", "email"),
        ("ada", "ntfy"),
        ("bob", "email"),
    ]


async def test_without_a_channel_a_run_says_so_and_sends_nothing(world: Notified) -> None:
    await world.contest(20)
    object.__setattr__(world.world.around, "channels", {})

    run = await world.run()

    assert (run.outcome, run.report.seen) == ("succeeded", 0)
    assert run.hint == "nothing is sent: config.toml has no channel that is on"


async def test_a_paused_job_sends_no_more_and_goes_on_in_the_next_run(world: Notified) -> None:
    await world.contest(20)
    world.email.settings = world.email.settings.model_copy(update={"slots": 1})

    async def pausing(message: Message) -> Receipt:
        now = world.clock.now()
        world.world.around.admission.pause(
            Pause(scope=PauseScope.JOB, key="sync", why="no", until=None, actor="me", paused_at=now)
        )
        await asyncio.sleep(0)
        return Receipt()

    world.email.sending = pausing
    await world.run()
    assert len(world.email.taken) == 1
    world.world.around.admission.resume(PauseScope.JOB, "sync")
    world.email.sending = world.email.agree
    await world.run()

    assert await world.states() == {"sent": 6}


async def test_a_digest_tells_once_a_day_of_what_was_first_seen_since_the_last_one(
    database: Database, clock: FakeClock
) -> None:
    async with notified(database, clock) as world:
        await world.person("ada", 1, digest=True, timezone="Asia/Kolkata")
        await world.person("bob", 1)
        await world.contest(100, "old")
        await world.contest(100, "one", seen=-3)

        # Half past five in Kolkata, then half past eight, then the next mornings.
        assert (await world.run()).report.seen == 0
        await clock.advance(3 * 3_600)
        await world.run()
        await world.run()
        await world.contest(100, "two", platform="leetcode", seen=0)
        await world.contest(100, "three", seen=0)
        await clock.advance(24 * 3_600)
        await world.run()
        await clock.advance(24 * 3_600)
        await world.run()

        assert [
            (each.address, str(each.occasion), sorted(one.name for one in each.contests))
            for each in world.email.taken
        ] == [
            ("ada@email", "digest", ["one"]),
            ("ada@email", "digest", ["three", "two"]),
        ]


async def test_a_digest_that_is_due_in_quiet_hours_over_midnight_comes_when_they_end(
    database: Database, clock: FakeClock
) -> None:
    async with notified(database, clock) as world:
        await world.person("ada", 1, digest=True, quiet=(time(22), time(7)))
        await world.contest(100, "one", seen=1)
        await clock.advance(23.5 * 3_600)
        run_id = await world.start(hour=23)
        assert (await clock.run(world.world.end_of(run_id))).report.seen == 0

        await clock.advance(7.5 * 3_600)
        run_id = await world.start(hour=23)
        await clock.run(world.world.end_of(run_id))

        assert [str(each.occasion) for each in world.email.taken] == ["digest"]
        assert not world.email.taken[0].is_late


async def test_a_dry_run_tells_apart_what_waits_for_the_end_of_quiet_hours(
    database: Database, clock: FakeClock
) -> None:
    async with notified(database, clock) as world:
        await world.person("ada", 24, quiet=(time(22), time(7)))
        await world.person("bob", 24)
        await world.contest(20)

        run = await world.run(dry_run=True)

        assert run.hint == (
            "would send 1: 1 due now (email reminder 1), 0 wait; 1 when quiet hours end"
        )


async def test_quiet_hours_that_begin_while_something_waits_hold_it_back(
    database: Database, clock: FakeClock
) -> None:
    async with notified(database, clock) as world:
        await world.person("ada", 24, quiet=(time(1), time(6)))
        await world.contest(20)
        await world.run(limit=0)
        await clock.advance(2 * 3_600)

        held = await world.run()
        await clock.advance(5 * 3_600)
        await world.run()

        assert held.report.seen == 0
        assert await world.rows("state, attempts") == [("sent", 1)]
