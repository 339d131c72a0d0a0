"""WhatsApp, held against a Cloud API that tells its errors by their code."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fakes.channel_worlds import WhatsAppWorld
from fakes.clock import FakeClock
from fakes.notices import message, notice

from syncd.errors import DeliveryError, DeliveryUnknown, Reach
from syncd.model.contest import Occasion


@pytest.fixture
async def world() -> AsyncIterator[WhatsAppWorld]:
    world = WhatsAppWorld(FakeClock())
    async with world.served():
        yield world


async def refusal(world: WhatsAppWorld, **settings: object) -> DeliveryError:
    async with world.connected(**settings) as channel:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message("whatsapp", world.address))
    return caught.value


async def test_a_template_is_filled_with_title_words_and_link(world: WhatsAppWorld) -> None:
    async with world.connected() as channel:
        receipt = await channel.send(message("whatsapp", world.address, notice("Round 7")))

    sent = world.cloud.messages["4915112345678"][0]
    assert sent["template"]["name"] == "contest_reminder"
    assert sent["template"]["language"] == {"code": "en_US"}
    texts = [part["text"] for part in sent["template"]["components"][0]["parameters"]]
    assert "Round 7" in texts[0] + texts[1]
    assert texts[2] == "https://codeforces.com/contests/2100"
    assert receipt.reference == "wamid.4915112345678.1"


async def test_what_has_several_lines_is_told_in_one(world: WhatsAppWorld) -> None:
    contests = [notice(f"Round {number}") for number in range(20)]
    async with world.connected() as channel:
        await channel.send(message("whatsapp", world.address, *contests, occasion=Occasion.DIGEST))

    assert "Round 0" in world.got()[0]
    assert " · " in world.got()[0]


async def test_every_occasion_and_language_has_the_template_that_is_set(
    world: WhatsAppWorld,
) -> None:
    world.cloud.templates = {("ours", "pt_BR"): 1}
    async with world.connected(
        templates={"moved": "ours"}, languages={"pt": "pt_BR"}, parameters=["title"]
    ) as channel:
        await channel.send(
            message("whatsapp", world.address, occasion=Occasion.MOVED, language="pt")
        )

    assert len(world.cloud.messages) == 1


async def test_a_language_of_a_region_is_asked_for_as_meta_writes_it(world: WhatsAppWorld) -> None:
    world.cloud.templates = {("contest_reminder", "pt_BR"): 3}
    async with world.connected() as channel:
        await channel.send(message("whatsapp", world.address, language="pt-BR"))

    assert len(world.cloud.messages) == 1


async def test_a_language_without_a_template_keeps_nobody_else_from_being_told(
    world: WhatsAppWorld,
) -> None:
    async with world.connected() as channel:
        for _ in range(3):
            with pytest.raises(DeliveryError) as caught:
                await channel.send(message("whatsapp", world.address, language="de"))
            assert (caught.value.permanent, caught.value.reach) == (False, Reach.DELIVERY)
            assert "template contest_reminder in de" in (caught.value.hint or "")
        await channel.send(message("whatsapp", world.address))
        asked = world.cloud.requests
        world.cloud.templates["contest_reminder", "de"] = 3
        await world.clock.advance(30 * 60)
        await channel.send(message("whatsapp", world.address, language="de"))

    assert asked == 2, "what was refused a moment ago is not asked again"
    assert len(world.got()) == 2


async def test_a_token_that_was_withdrawn_stops_the_channel(world: WhatsAppWorld) -> None:
    error = await refusal(world, token="EAAanotherToken")

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert "token" in (error.hint or "")


async def test_a_number_id_that_is_not_there_stops_the_channel(world: WhatsAppWorld) -> None:
    error = await refusal(world, phone_number_id="1")

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert "phone_number_id" in (error.hint or "")


async def test_meta_says_when_access_comes_back(world: WhatsAppWorld) -> None:
    world.cloud.answers["4915112345678"] = 80007
    world.cloud.usage = json.dumps({"7": [{"estimated_time_to_regain_access": 42}]})

    error = await refusal(world)

    assert error.reach is Reach.CHANNEL
    assert error.retry_after == timedelta(minutes=42)


async def test_a_good_answer_without_a_message_leaves_it_open(world: WhatsAppWorld) -> None:
    world.cloud.refuse(200, {"messaging_product": "whatsapp"})

    assert isinstance(await refusal(world), DeliveryUnknown)


async def test_a_web_page_is_no_delivery(world: WhatsAppWorld) -> None:
    world.cloud.refuse(200, "<html>log in</html>")

    error = await refusal(world)

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert "base_url" in (error.hint or "")
