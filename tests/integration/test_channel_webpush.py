"""Web Push, held against a push service and browsers that read what arrives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fakes.channel_worlds import VAPID_KEY, WebPushWorld
from fakes.clock import START, FakeClock
from fakes.notices import message, notice

from syncd.channels.webpush import WebPush
from syncd.errors import DeliveryError, Reach
from syncd.model.contest import Occasion
from syncd.sandbox.server import serve
from syncd.sandbox.webpush import Browser
from syncd.sandbox.webpush import WebPush as Service


@pytest.fixture
async def world() -> AsyncIterator[WebPushWorld]:
    world = WebPushWorld(FakeClock())
    async with world.served():
        yield world


async def refusal(channel: WebPush, world: WebPushWorld, browser: Browser) -> DeliveryError:
    address = WebPush.parse_private_address(browser.subscription(world.base_url))
    with pytest.raises(DeliveryError) as caught:
        await channel.send(message("webpush", address))
    return caught.value


async def test_a_browser_reads_title_words_and_link_of_a_contest(world: WebPushWorld) -> None:
    async with world.connected(urgency="high") as channel:
        await channel.send(message("webpush", world.address, notice("Round 7")))

    push = world.browser.pushes[0]
    assert push.payload.keys() == {"title", "body", "url", "tag"}
    assert "Round 7" in push.payload["title"] + push.payload["body"]
    assert push.payload["url"] == "https://codeforces.com/contests/2100"
    assert push.payload["tag"] == push.topic
    assert push.urgency == "high"


@pytest.mark.parametrize(
    ("lead", "expected"),
    [(timedelta(hours=3), 3 * 3_600), (timedelta(days=5), 86_400), (-timedelta(hours=1), 0)],
)
async def test_a_message_waits_for_a_browser_until_the_contest_begins_at_most(
    world: WebPushWorld, lead: timedelta, expected: int
) -> None:
    async with world.connected() as channel:
        await channel.send(message("webpush", world.address, notice(starts_at=START + lead)))

    assert world.browser.pushes[0].ttl == expected


async def test_of_one_contest_only_the_last_message_waits(world: WebPushWorld) -> None:
    world.browser.is_away = True
    other = notice()
    async with world.connected() as channel:
        for occasion in (Occasion.REMINDER, Occasion.MOVED):
            await channel.send(message("webpush", world.address, occasion=occasion))
        await channel.send(
            message("webpush", world.address, other, other, occasion=Occasion.DIGEST)
        )

    assert len(world.browser.pushes) == 2
    assert len({push.topic for push in world.browser.pushes}) == 2


async def test_a_message_that_may_have_arrived_is_pushed_again_and_shown_once(
    world: WebPushWorld,
) -> None:
    world.lose_the_answer()
    async with world.connected() as channel:
        with pytest.raises(DeliveryError):
            await channel.send(message("webpush", world.address))
        await channel.send(message("webpush", world.address))

    assert len({push.payload["tag"] for push in world.browser.pushes}) == 1


async def test_what_proves_who_we_are_is_signed_anew_before_it_ends(world: WebPushWorld) -> None:
    async with world.connected() as channel:
        for _ in range(8):
            await channel.send(message("webpush", world.address))
            await world.clock.advance(4 * 3_600)

    assert len(world.browser.pushes) == 8


async def test_one_browser_that_subscribed_with_another_key_stops_nobody(
    world: WebPushWorld,
) -> None:
    async with world.connected() as channel:
        await channel.send(message("webpush", world.address))
        world.standin.refuse(403, "another key", times=4)
        errors = [await refusal(channel, world, world.service.subscribe()) for _ in range(4)]

    assert {(error.permanent, error.reach) for error in errors} == {(True, Reach.DELIVERY)}


async def test_a_key_that_no_browser_subscribed_with_is_ours_to_mend(world: WebPushWorld) -> None:
    world.service.key = "another"
    browsers = [world.service.subscribe() for _ in range(3)]
    async with world.connected() as channel:
        first = [await refusal(channel, world, browsers[0]) for _ in range(3)]
        others = [await refusal(channel, world, browser) for browser in browsers[1:]]

    assert {error.reach for error in first} == {Reach.DELIVERY}
    assert [error.reach for error in others] == [Reach.DELIVERY, Reach.CHANNEL]
    assert "private_key" in (others[-1].hint or "")
    assert not any(error.permanent for error in [*first, *others])


async def test_a_service_that_asks_for_a_pause_is_left_alone_and_the_others_are_not(
    world: WebPushWorld,
) -> None:
    other = Service(clock=world.clock)
    elsewhere = other.subscribe()
    world.standin.refuse(429, "", Retry_After="60")
    async with serve(other) as base_url, world.connected() as channel:
        await refusal(channel, world, world.browser)
        at_rest = await refusal(channel, world, world.browser)
        address = WebPush.parse_private_address(elsewhere.subscription(base_url))
        await channel.send(message("webpush", address))
        await world.clock.advance(60)
        await channel.send(message("webpush", world.address))

    assert at_rest.retry_after == timedelta(seconds=60)
    assert world.standin.requests == 2
    assert len(elsewhere.pushes) == len(world.browser.pushes) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_and_said(world: WebPushWorld, status: int) -> None:
    world.standin.refuse(status, "", Location=f"{world.base_url}/push/s3cretEndpoint0000")
    async with world.connected() as channel:
        error = await refusal(channel, world, world.browser)

    assert error.permanent
    assert error.reach is Reach.DELIVERY
    assert "redirects are not followed" in (error.hint or "")
    assert world.browser.pushes == []


async def test_what_is_too_large_concerns_this_message_alone(world: WebPushWorld) -> None:
    world.standin.refuse(413, "")
    async with world.connected() as channel:
        error = await refusal(channel, world, world.browser)

    assert (error.permanent, error.reach) == (True, Reach.DELIVERY)


async def test_an_address_stored_while_more_was_allowed_is_given_up(world: WebPushWorld) -> None:
    async with world.connected(allow_private=False) as channel:
        error = await refusal(channel, world, world.browser)

    assert (error.permanent, error.reach) == (True, Reach.ADDRESS)


@pytest.mark.parametrize(
    "address",
    ["", "{}", json.dumps({"endpoint": VAPID_KEY})],
    ids=["empty", "no keys", "no address"],
)
async def test_an_address_that_cannot_be_read_is_given_up(
    world: WebPushWorld, address: str
) -> None:
    async with world.connected() as channel:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message("webpush", address))

    assert (caught.value.permanent, caught.value.reach) == (True, Reach.ADDRESS)
    assert VAPID_KEY not in str(caught.value)


async def test_a_service_that_fails_without_a_word_of_when_is_asked_again(
    world: WebPushWorld,
) -> None:
    world.standin.refuse(503, "")
    async with world.connected() as channel:
        error = await refusal(channel, world, world.browser)
        await channel.send(message("webpush", world.address))

    assert error.retry_after is None, "how long to wait is for whoever counts the attempts"
    assert len(world.browser.pushes) == 1
