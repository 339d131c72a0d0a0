"""What channels answer, and what becomes of deliveries, addresses and the other channels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from fakes.notified import HOUR, Notified, ScriptedChannel, Sending, notified, resending

from syncd.channels.email import Email
from syncd.errors import DeliveryError, DeliveryUnknown, DeliveryWaits
from syncd.errors.delivery import Reach
from syncd.jobs.notify import Notify, NotifyOptions
from syncd.model.notification import Message, Receipt
from syncd.store.database import Database
from syncd.telemetry.events import (
    AddressDied,
    ChannelRecovered,
    ChannelRested,
    DeliveryDoubted,
    DeliveryFailed,
    DeliveryPutOff,
)


def failing(error: Exception) -> Sending:
    async def fail(message: Message) -> Receipt:
        raise error

    return fail


def temporary(retry_after: timedelta | None = None) -> DeliveryError:
    return DeliveryError("cannot deliver: 451", permanent=False, retry_after=retry_after)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Notified]:
    async with notified(database, clock, "email", "ntfy") as world:
        yield world


async def passing(world: Notified, seconds: float) -> None:
    await world.clock.advance(seconds)
    await world.run()


async def test_a_passing_failure_is_tried_again_after_a_minute_then_four_until_it_is_given_up(
    world: Notified,
) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.contest(20)
    world.email.sending = failing(temporary())

    await world.run()
    waits = []
    for _ in range(4):
        due = await world.world.value("SELECT next_attempt_at FROM notifications")
        waits.append((due - world.clock.now()).total_seconds())
        await passing(world, waits[-1])

    steps = (60, 240, 960, 3_840)
    assert all(0.7 * step <= wait <= 1.3 * step for wait, step in zip(waits, steps, strict=True))
    assert len(world.email.taken) == 5
    assert await world.rows("state, attempts") == [("failed", 5)]
    assert len(world.told(DeliveryPutOff)) == 4
    assert "given up after 5 attempts" in world.told(DeliveryFailed)[0].error


async def test_when_the_receiver_wants_to_be_asked_again_wins_and_never_is_it_after_the_start(
    world: Notified,
) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.contest(20, "far")
    await world.contest(2, "near")
    world.email.sending = failing(temporary(timedelta(hours=5)))
    await world.run()
    world.email.sending = world.email.agree

    await passing(world, 4 * 3_600)
    await passing(world, 3_600)

    assert sorted(await world.rows("contest_name, state")) == [("far", "sent"), ("near", "expired")]
    assert [each.contests[0].name for each in world.email.taken].count("near") == 1


async def test_a_run_whose_delivery_failed_for_good_is_partial_and_the_others_are_served(
    world: Notified,
) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.person("bob", 24, channels=["email"])
    await world.contest(20)

    async def picky(message: Message) -> Receipt:
        if message.address == "ada@email":
            raise DeliveryError("cannot deliver: 552", permanent=True)
        return await world.email.agree(message)

    world.email.sending = picky
    run = await world.run()

    assert (run.outcome, run.report.created, run.report.failed) == ("partial", 1, 1)
    assert run.report.failures == {"failed": 1}


async def test_an_address_that_refuses_for_good_on_three_different_days_is_dead(
    world: Notified,
) -> None:
    await world.person("ada", 24, channels=["email"])
    world.email.sending = failing(DeliveryError("cannot deliver: 550", permanent=True))
    for day in range(3):
        await world.contest(20, f"c{day}")
        await world.contest(20, f"d{day}")
        await world.run()
        await world.clock.advance(86_400)
    await world.contest(20, "later")
    await world.run()

    assert await world.states() == {"failed": 6}
    assert len(world.told(AddressDied)) == 1
    assert await world.world.rows("SELECT state, state_reason FROM notify_addresses") == [
        {"state": "dead", "state_reason": "cannot deliver: 550"}
    ]


async def test_a_delivery_that_arrives_refutes_earlier_refusals(world: Notified) -> None:
    await world.person("ada", 24, channels=["email"])
    for day in range(4):
        refuses = day != 2
        error = failing(DeliveryError("cannot deliver: 550", permanent=True))
        world.email.sending = error if refuses else world.email.agree
        await world.contest(20, f"c{day}")
        await world.run()
        await world.clock.advance(86_400)

    assert await world.world.rows("SELECT state FROM notify_addresses") == [{"state": "active"}]


async def test_an_address_where_nobody_is_any_more_is_dead_at_once_and_other_channels_go_on(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    gone = DeliveryError("cannot deliver: 410", permanent=True, reach=Reach.ADDRESS)
    world.channels["ntfy"].sending = failing(gone)
    await world.contest(20, "first")
    await world.run()
    await world.contest(20, "second")
    await world.run()

    assert [event.channel for event in world.told(AddressDied)] == ["ntfy"]
    assert len(world.channels["ntfy"].taken) == 1
    assert len(world.email.taken) == 2


async def test_one_day_on_which_a_mail_server_refuses_everybody_ends_no_address(
    world: Notified,
) -> None:
    class Doubted(ScriptedChannel):
        dead_at_once = Email.dead_at_once

    world.channels["email"] = Doubted("email", world.clock, world.world.bus)
    blocked = DeliveryError("cannot deliver: 554", permanent=True, reach=Reach.ADDRESS)
    world.email.sending = failing(blocked)
    for key in ("ada", "bob"):
        await world.person(key, 24, channels=["email"])
    await world.contest(20)
    await world.run()

    assert await world.states() == {"failed": 2}
    assert world.told(AddressDied) == []
    assert {
        row["state"] for row in await world.world.rows("SELECT state FROM notify_addresses")
    } == {"active"}


async def test_who_asked_for_a_pause_is_waited_for_however_often_and_no_attempt_is_used_up(
    world: Notified,
) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.contest(20)
    world.email.sending = failing(
        DeliveryWaits("cannot deliver: it asked for a pause", wait=timedelta(minutes=1))
    )
    for _ in range(10):
        await passing(world, 60)
    world.email.sending = world.email.agree
    await passing(world, 60)

    assert len(world.email.taken) == 11
    assert await world.rows("state, attempts") == [("sent", 1)]


async def test_a_channel_that_cannot_deliver_rests_uses_no_attempt_and_the_others_go_on(
    world: Notified,
) -> None:
    for number in range(12):
        await world.person(f"u{number}", 24)
    await world.contest(20)
    down = DeliveryError(
        "cannot deliver: the credentials were refused",
        permanent=False,
        retry_after=timedelta(hours=2),
        reach=Reach.CHANNEL,
    )
    world.email.sending = failing(down)

    run = await world.run()

    assert (run.outcome, run.report.created, run.report.failed) == ("partial", 12, 0)
    assert "email rests until" in run.error
    assert len(world.email.taken) <= world.email.settings.slots
    assert [event.channel for event in world.told(ChannelRested)] == ["email"]
    pending = await world.world.rows(
        "SELECT DISTINCT attempts, state FROM notifications WHERE channel = 'email'"
    )
    assert pending == [{"attempts": 0, "state": "pending"}]

    world.email.sending = world.email.agree
    assert (await world.run()).report.created == 0
    await world.clock.advance(2 * 3_600)
    assert (await world.run()).report.created == 12
    assert [event.channel for event in world.told(ChannelRecovered)] == ["email"]


async def test_what_is_not_known_to_have_arrived_is_held_or_sent_once_more_under_the_same_key(
    world: Notified,
) -> None:
    await world.person("ada", 24)
    await world.contest(20)
    resending(world.email)
    for channel in world.channels.values():
        channel.sending = failing(DeliveryUnknown("the line was cut before the answer"))

    first = await world.run()
    await passing(world, 120)
    await passing(world, 3_600)

    assert list(world.email.keys.values()) == [2]
    assert list(world.channels["ntfy"].keys.values()) == [1]
    assert sorted(await world.rows("channel, state, unknowns")) == [
        ("email", "unknown", 2),
        ("ntfy", "unknown", 1),
    ]
    assert first.report.failures == {"unknown": 1}
    assert [event.is_resent for event in world.told(DeliveryDoubted)].count(True) == 1


async def test_what_nobody_foresaw_is_held_for_a_person_and_stops_nobody_else(
    world: Notified,
) -> None:
    resending(world.email)
    await world.person("ada", 24, channels=["email"])
    await world.person("bob", 24, channels=["email"])
    await world.contest(20)

    async def broken(message: Message) -> Receipt:
        if message.address == "ada@email":
            raise ZeroDivisionError
        return await world.email.agree(message)

    world.email.sending = broken
    await world.run()

    assert await world.states() == {"unknown": 1, "sent": 1}
    assert "ZeroDivisionError" in world.told(DeliveryDoubted)[0].stack


async def test_a_dispatcher_that_was_down_sends_what_is_to_come_once_and_shows_what_was_missed(
    world: Notified,
) -> None:
    await world.person("ada", 24, 1, channels=["email"])
    await world.run()
    await world.contest(2, "begun", seen=-1)
    await world.contest(6, "to come", seen=-1)

    await passing(world, 3 * 3_600)
    await world.run()

    assert sorted(each.contests[0].name for each in world.email.taken) == ["to come"]
    assert sorted(await world.rows("contest_name, lead_hours, state")) == [
        ("begun", 1, "expired"),
        ("begun", 24, "expired"),
        ("to come", 24, "sent"),
    ] or await world.states() == {"expired": 1, "sent": 1}
    begun = await world.world.rows(
        "SELECT DISTINCT state, error FROM notifications WHERE contest_name = 'begun'"
    )
    assert begun == [{"state": "expired", "error": "the contest began while nothing was sent"}]


async def test_a_delivery_that_waited_until_its_contest_began_expires(world: Notified) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.contest(2)
    world.email.sending = failing(temporary(timedelta(hours=1)))
    await world.run()
    world.email.sending = world.email.agree

    await world.clock.advance(3 * 3_600)
    run = await world.run()

    assert (run.outcome, run.report.skipped) == ("succeeded", 1)
    [(state, error)] = await world.rows("state, error")
    assert state == "expired"
    assert error.startswith("the contest began before it could be sent; last: ")


async def test_an_address_that_is_switched_off_meanwhile_gets_nothing(world: Notified) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.contest(20)
    world.email.sending = failing(temporary())
    await world.run()
    world.email.sending = world.email.agree

    await world.world.rows("UPDATE notify_addresses SET state = 'off'")
    await passing(world, 300)

    assert await world.rows("state, error") == [("dropped", "the user has no address there")]


async def test_what_waits_for_another_attempt_says_when_to_run_again(world: Notified) -> None:
    await world.person("ada", 24, channels=["email"])
    await world.contest(20)
    world.email.sending = failing(temporary(timedelta(minutes=7)))
    await world.run()
    around = world.world.around
    at = await Notify("n", NotifyOptions()).next_retry(around, world.clock.now())

    assert at is not None
    assert at - world.clock.now() == 7 * HOUR / 60
