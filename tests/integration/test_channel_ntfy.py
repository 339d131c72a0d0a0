"""ntfy, held against a server that refuses as the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fakes.channel_worlds import NtfyWorld, basic
from fakes.clock import FakeClock
from fakes.notices import message, notice

from syncd.errors import DeliveryError, Reach
from syncd.model.contest import Occasion


@pytest.fixture
async def world() -> AsyncIterator[NtfyWorld]:
    world = NtfyWorld(FakeClock())
    async with world.served():
        yield world


async def refusal(world: NtfyWorld, **settings: object) -> DeliveryError:
    async with world.connected(**settings) as channel:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message("ntfy", world.address))
    return caught.value


async def test_a_topic_shows_title_words_link_and_urgency(world: NtfyWorld) -> None:
    async with world.connected(priority=4) as channel:
        receipt = await channel.send(message("ntfy", world.address, notice("Round 7")))

    shown = world.ntfy.messages[world.address][0]
    assert shown.keys() == {"topic", "title", "message", "priority", "click"}
    assert shown["priority"] == 4
    assert shown["click"] == "https://codeforces.com/contests/2100"
    assert receipt.reference == "sandbox00001"


async def test_a_user_with_a_password_may_publish(world: NtfyWorld) -> None:
    world.ntfy.authorization = basic("ada", "s3cret")
    async with world.connected(token="", user="ada", password="s3cret") as channel:
        await channel.send(message("ntfy", world.address))

    assert len(world.got()) == 1


async def test_a_server_that_asks_for_nothing_is_told_nothing(world: NtfyWorld) -> None:
    world.ntfy.authorization = ""
    async with world.connected(token="") as channel:
        await channel.send(message("ntfy", world.address))

    assert len(world.got()) == 1


async def test_a_token_that_is_refused_is_ours_to_mend(world: NtfyWorld) -> None:
    error = await refusal(world, token="tk_another")

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert "token" in (error.hint or "")


async def test_a_topic_of_somebody_else_stops_nobody(world: NtfyWorld) -> None:
    world.ntfy.reserved.add(world.address)

    error = await refusal(world)

    assert (error.permanent, error.reach) == (True, Reach.DELIVERY)
    assert "topic" in (error.hint or "")


@pytest.mark.parametrize("code", [40009, 40010])
async def test_a_topic_that_the_server_does_not_take_is_dead(world: NtfyWorld, code: int) -> None:
    world.ntfy.refuse(400, {"code": code, "http": 400, "error": "topic"})

    error = await refusal(world)

    assert (error.permanent, error.reach) == (True, Reach.ADDRESS)


async def test_every_further_refusal_is_waited_out_longer(world: NtfyWorld) -> None:
    world.ntfy.refuse(429, {"code": 42901, "http": 429, "error": "limit reached"}, times=20)
    waits = []
    async with world.connected() as channel:
        for _ in range(20):
            with pytest.raises(DeliveryError) as caught:
                await channel.send(message("ntfy", world.address))
            assert caught.value.reach is Reach.CHANNEL
            waits.append(caught.value.retry_after)
        await channel.send(message("ntfy", world.address))
        world.ntfy.refuse(429, {"code": 42901, "http": 429, "error": "limit reached"})
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message("ntfy", world.address))

    assert waits[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=15)]
    assert waits[-1] == timedelta(minutes=1)
    assert caught.value.retry_after == timedelta(seconds=5)


async def test_a_day_whose_messages_are_used_up_is_waited_out(world: NtfyWorld) -> None:
    await world.clock.advance(20 * 3_600)
    world.ntfy.refuse(429, {"code": 42908, "http": 429, "error": "daily message quota reached"})

    error = await refusal(world)

    assert error.reach is Reach.CHANNEL
    assert error.retry_after == timedelta(hours=4, minutes=1)


async def test_a_phone_that_does_not_listen_yet_is_tried_later(world: NtfyWorld) -> None:
    world.ntfy.refuse(507, {"code": 50701, "http": 507, "error": "no subscriber"})

    error = await refusal(world)

    assert (error.permanent, error.reach) == (False, Reach.DELIVERY)
    assert error.retry_after == timedelta(hours=1)


@pytest.mark.parametrize("path", ["/other", "/ntfy"])
async def test_a_server_that_is_none_is_ours_to_mend(world: NtfyWorld, path: str) -> None:
    error = await refusal(world, base_url=world.base_url + path)

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert "base_url" in (error.hint or "")


async def test_a_web_page_is_no_delivery(world: NtfyWorld) -> None:
    world.ntfy.refuse(200, "<html>log in</html>")

    error = await refusal(world)

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert "no ntfy server" in str(error)


async def test_a_long_digest_stays_a_message(world: NtfyWorld) -> None:
    contests = [notice(f"{number} " + "é🎈" * 60) for number in range(80)]
    async with world.connected() as channel:
        await channel.send(message("ntfy", world.address, *contests, occasion=Occasion.DIGEST))

    assert len(world.got()) == 1
