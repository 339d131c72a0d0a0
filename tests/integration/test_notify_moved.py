"""Contests that move, are taken back and come again: what is said of it, and to whom, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest
from fakes.clock import FakeClock
from fakes.notified import HOUR, Notified, notified

from syncd.errors import DeliveryError
from syncd.model.notification import Message, Receipt
from syncd.store.database import Database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Notified]:
    async with notified(database, clock) as world:
        yield world


async def refuse(message: Message) -> Receipt:
    raise DeliveryError("cannot deliver: greylisted", permanent=False)


async def test_a_moved_contest_is_told_once_and_reminded_of_again_at_its_new_time(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    contest = await world.contest(20)
    await world.run()

    await world.move(contest, 40)
    await world.run()
    await world.run()
    assert [why for _, why, _ in world.email.told] == ["moved", "reminder"]
    await world.clock.advance(17 * 3_600)
    await world.run()

    assert [why for _, why, _ in world.email.told] == ["moved", "reminder", "reminder"]
    moved = next(each for each in world.email.taken if each.occasion == "moved")
    assert moved.contests[0].previous_starts_at is not None
    assert moved.contests[0].starts_at - moved.contests[0].previous_starts_at > 19 * HOUR


async def test_a_rename_is_told_to_nobody(world: Notified) -> None:
    await world.person("ada", 24)
    contest = await world.contest(20)
    await world.run()

    await world.world.rows("UPDATE contests SET name = 'other' WHERE id = $1", contest)

    assert (await world.run()).report.seen == 0


async def test_a_start_nearer_than_the_lead_is_told_at_once_and_marked_late(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    contest = await world.contest(100)
    await world.run()

    await world.move(contest, 3)
    await world.run()

    assert {(each.occasion, each.is_late) for each in world.email.taken} == {
        ("moved", False),
        ("reminder", True),
    }


async def test_a_start_that_moved_into_the_past_is_told_to_who_waits_for_the_later_one(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    contest = await world.contest(10, hours=6)
    other = await world.contest(10, "short", hours=1)

    await world.move(contest, -2)
    await world.move(other, -2)
    await world.run()

    assert [(each.occasion, each.contests[0].name) for each in world.email.taken] == [
        ("moved", "Round 1")
    ]


async def test_what_waits_for_an_older_start_is_not_sent_any_more(world: Notified) -> None:
    await world.person("ada", 24)
    contest = await world.contest(20)
    world.email.sending = refuse
    await world.run()
    world.email.sending = world.email.agree

    await world.move(contest, 30)
    run = await world.run()

    assert [why for _, why, _ in world.email.told] == ["moved", "reminder"]
    assert await world.rows("occasion, state, error") == [
        ("reminder", "expired", "the contest moved"),
        ("moved", "sent", ""),
    ]
    assert run.report.skipped == 1


async def test_a_cancelled_contest_is_told_once_and_nobody_is_reminded_of_it(
    world: Notified,
) -> None:
    await world.person("ada", 24, 1)
    contest = await world.contest(20)
    await world.run()

    await world.cancel(contest)
    await world.run()
    await world.clock.advance(19.5 * 3_600)
    await world.run()

    assert [why for _, why, _ in world.email.told] == ["cancelled", "reminder"]


async def test_who_is_reached_only_since_a_contest_moved_is_not_told_that_it_did(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    await world.move(await world.contest(20), 10)
    cancelled = await world.contest(20, "off")
    await world.cancel(cancelled)
    await world.clock.advance(3_600)
    number = await world.person("eve", 24)
    await world.world.rows(
        "UPDATE notify_addresses SET state_since = $2 WHERE user_id = $1",
        *(number, world.clock.now()),
    )

    await world.run()

    assert world.email.told == [
        ("ada@email", "cancelled", 0),
        ("ada@email", "moved", 0),
        ("ada@email", "reminder", 24),
        ("eve@email", "reminder", 24),
    ]


async def test_a_contest_that_takes_place_after_all_is_told_and_reminded_of_anew(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    contest = await world.contest(20)
    await world.run()
    await world.cancel(contest)
    await world.run()

    await world.restore(contest)
    await world.run()

    assert Counter(why for _, why, _ in world.email.told) == {
        "reminder": 2,
        "cancelled": 1,
        "restored": 1,
    }


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in (2, 3))]
)
async def test_whatever_moves_everybody_gets_each_reminder_of_a_version_once_and_in_time(
    world: Notified, seed: int
) -> None:
    random = Random(seed)
    leads = {"ada": (24, 1), "bob": (6,), "eve": (48, 12)}
    for key, hours in leads.items():
        await world.person(key, *hours)
    begun = world.clock.now()
    starts = {n: [random.randrange(6, 60)] for n in range(6)}
    numbers = {n: await world.contest(at[0], f"c{n}") for n, at in starts.items()}

    for hour in range(72):
        for n, versions in starts.items():
            if random.random() < 0.03 and versions[-1] > hour + 3:
                versions.append(hour + random.randrange(3, 40))
                passed = (world.clock.now() - begun) / HOUR
                await world.move(numbers[n], versions[-1] - passed)
        await world.run()
        await world.clock.advance(3_599)

    told = Counter(
        (each.address, each.contests[0].name, each.lead_hours, each.contests[0].starts_at)
        for each in world.email.taken
        if each.occasion == "reminder"
    )
    moved = Counter(
        (each.address, each.contests[0].name)
        for each in world.email.taken
        if each.occasion == "moved"
    )
    assert set(told.values()) == {1}
    # The last start of each contest was reminded of by everybody's every lead.
    last = {(to, name, lead) for to, name, lead, at in told if at <= begun + 73 * HOUR}
    assert {
        (f"{key}@email", f"c{n}", lead)
        for key, hours in leads.items()
        for lead in hours
        for n, versions in starts.items()
        if versions[-1] < 70
    } <= last
    assert moved == {
        (f"{key}@email", f"c{n}"): len(versions) - 1
        for key in leads
        for n, versions in starts.items()
        if len(versions) > 1
    }
