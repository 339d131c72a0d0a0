"""What every channel promises, over its stand-in: who is told what, and what a failure means."""

from __future__ import annotations

import socket
import traceback
import unicodedata
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fakes.channel_worlds import WEB_WORLDS, WORLDS, ChannelWorld, WebWorld, whole
from fakes.clock import FakeClock
from fakes.notices import POISONED, message, notice
from pydantic import ValidationError

from syncd import plugins
from syncd.errors import DeliveryError, DeliveryUnknown, Reach
from syncd.model.contest import Occasion


@pytest.fixture(params=WORLDS, ids=lambda world: world.kind or world.name)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[ChannelWorld]:
    world: ChannelWorld = request.param(FakeClock())
    async with world.served():
        yield world


@pytest.fixture(params=WEB_WORLDS, ids=lambda world: world.kind or world.name)
async def web(request: pytest.FixtureRequest) -> AsyncIterator[WebWorld]:
    world: WebWorld = request.param(FakeClock())
    async with world.served():
        yield world


def test_every_channel_has_its_stand_in() -> None:
    assert {world.name for world in WORLDS} == {*plugins.find("syncd.channels")}


def assert_secret(world: ChannelWorld, error: DeliveryError) -> None:
    told = f"{error!r}{error.hint}" + "".join(traceback.format_exception(error))
    for secret in (*world.secrets, *whole(world.address)):
        assert secret not in told
    assert len(str(error)) < 500


async def refusal(world: ChannelWorld, **changes: object) -> DeliveryError:
    async with world.connected(**changes) as channel:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message(world.name, world.address))
    assert_secret(world, caught.value)
    return caught.value


@pytest.mark.parametrize("occasion", Occasion)
async def test_a_message_of_every_occasion_arrives(world: ChannelWorld, occasion: Occasion) -> None:
    async with world.connected() as channel:
        await channel.send(
            message(world.name, world.address, notice("Educational Round 99"), occasion=occasion)
        )

    assert len(world.got()) == 1
    assert "Educational Round 99" in world.got()[0]


async def test_the_address_is_written_alike_however_it_is_given(world: ChannelWorld) -> None:
    assert world.plugin.parse_private_address(world.address) == world.address


async def test_a_dead_address_is_said_to_be_dead(world: ChannelWorld) -> None:
    world.kill()

    error = await refusal(world)

    assert error.permanent
    assert error.reach is Reach.ADDRESS
    assert world.got() == []


async def test_what_passes_is_sent_again_and_arrives_once(world: ChannelWorld) -> None:
    world.be_busy()
    error = await refusal(world)

    async with world.connected() as channel:
        await channel.send(message(world.name, world.address))

    assert not error.permanent
    assert not isinstance(error, DeliveryUnknown)
    assert len(world.got()) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_what_passes_is_asked_again_when_the_service_says(web: WebWorld, status: int) -> None:
    web.standin.refuse(status, "later", Retry_After="90")

    error = await refusal(web)

    assert not error.permanent
    assert not isinstance(error, DeliveryUnknown)
    assert error.retry_after is not None
    assert error.retry_after >= timedelta(seconds=90)


async def test_after_a_cut_nobody_knows_unless_it_may_be_repeated(world: ChannelWorld) -> None:
    world.lose_the_answer()

    error = await refusal(world)

    assert isinstance(error, DeliveryUnknown) is not world.may_repeat
    assert not error.permanent
    assert len(world.got()) == 1


async def test_silence_ends_in_time_and_nobody_knows(world: ChannelWorld) -> None:
    world.fall_silent()

    error = await refusal(world, timeout="200ms")

    assert isinstance(error, DeliveryUnknown) is not world.may_repeat
    assert not error.permanent


async def test_what_never_left_is_known_not_to_have_arrived(world: ChannelWorld) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        world.move_away(probe.getsockname()[1])

        error = await refusal(world)

    assert not isinstance(error, DeliveryUnknown)
    assert not error.permanent


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 418, 500])
async def test_an_answer_that_repeats_everything_betrays_nothing(
    web: WebWorld, status: int
) -> None:
    everything = "\n".join([*whole(web.address), *web.secrets])
    web.standin.refuse(status, everything, Location=web.base_url)

    await refusal(web)

    assert web.standin.requests == 1


async def test_an_answer_that_is_huge_is_not_read(web: WebWorld) -> None:
    web.standin.refuse(400, "x" * 1_000_000)

    await refusal(web)


@pytest.mark.parametrize("name", POISONED.values(), ids=POISONED)
async def test_a_poisoned_title_arrives_clean(world: ChannelWorld, name: str) -> None:
    async with world.connected() as channel:
        await channel.send(message(world.name, world.address, notice(name)))

    shown = world.got()[0]
    assert not [
        letter for letter in shown if letter != "\n" and unicodedata.category(letter)[0] == "C"
    ]
    assert "\u2028" not in shown
    assert "\u2029" not in shown
    assert len(shown) < 2_000


async def test_a_long_digest_is_cut_to_what_the_service_takes(world: ChannelWorld) -> None:
    contests = [notice(f"競技プログラミング {number} " + "長" * 150) for number in range(100)]

    async with world.connected() as channel:
        await channel.send(message(world.name, world.address, *contests, occasion=Occasion.DIGEST))

    assert len(world.got()) == 1


async def test_nothing_in_our_own_network_is_asked_unless_it_is_allowed(
    web: WebWorld,
) -> None:
    with pytest.raises((DeliveryError, ValidationError)) as caught:
        async with web.connected(allow_private=False) as channel:
            await channel.send(message(web.name, web.address))

    assert web.standin.requests == 0
    assert not isinstance(caught.value, DeliveryError) or caught.value.permanent


async def test_a_channel_that_was_left_still_delivers(world: ChannelWorld) -> None:
    channel = world.built()
    async with channel:
        pass

    await channel.send(message(world.name, world.address))

    assert len(world.got()) == 1


@pytest.mark.parametrize("given", [None, 7, "", "   ", [], {}, b"x", "\n", "x" * 10_000, "\ud800"])
async def test_what_is_no_address_is_refused_in_a_sentence(
    world: ChannelWorld, given: object
) -> None:
    for parse in (world.plugin.parse_address, world.plugin.parse_private_address):
        with pytest.raises(ValueError, match=r"^.{10,120}$"):
            parse(given)
