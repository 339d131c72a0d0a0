"""Webhooks, held against stand-ins of Slack, Discord and anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fakes.channel_worlds import DiscordWorld, PlainWorld, SlackWorld, WebhookWorld
from fakes.clock import START, FakeClock
from fakes.notices import POISONED, message, notice

from syncd.errors import DeliveryError, DeliveryUnknown, Reach
from syncd.model.contest import Occasion


@pytest.fixture
async def slack() -> AsyncIterator[SlackWorld]:
    world = SlackWorld(FakeClock())
    async with world.served():
        yield world


@pytest.fixture
async def discord() -> AsyncIterator[DiscordWorld]:
    world = DiscordWorld(FakeClock())
    async with world.served():
        yield world


@pytest.fixture
async def plain() -> AsyncIterator[PlainWorld]:
    world = PlainWorld(FakeClock())
    async with world.served():
        yield world


async def refusal(world: WebhookWorld, channel: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(message("webhook", world.address))
    return caught.value


async def test_slack_shows_a_title_a_link_and_mentions_nobody(slack: SlackWorld) -> None:
    async with slack.connected() as channel:
        await channel.send(message("webhook", slack.address, notice("*A* <!channel> & <b>")))

    text = slack.got()[0]
    assert text.startswith("*")
    assert text.splitlines()[0].count("*") == 2
    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in text
    assert text.endswith("\n<https://codeforces.com/contests/2100>")


async def test_discord_takes_letters_for_letters_and_mentions_nobody(
    discord: DiscordWorld,
) -> None:
    async with discord.connected() as channel:
        receipt = await channel.send(
            message(
                "webhook", discord.address, notice("@everyone [free](https://evil.example) _x_")
            )
        )

    post = discord.posts()[0]
    assert r"@everyone \[free\](https://evil.example) \_x\_" in post["content"]
    assert post["allowed_mentions"] == {"parse": []}
    assert receipt.reference.startswith("9")


async def test_discord_keeps_its_thread_and_is_asked_to_wait(discord: DiscordWorld) -> None:
    address = discord.plugin.parse_private_address(f"{discord.given()}?thread_id=7")
    async with discord.connected() as channel:
        receipt = await channel.send(message("webhook", address))

    assert receipt.reference


async def test_anybody_is_told_facts_and_a_key_that_stays_the_same(plain: PlainWorld) -> None:
    moved = notice("Round\n1")
    async with plain.connected() as channel:
        for _ in range(2):
            await channel.send(
                message("webhook", plain.address, moved, occasion=Occasion.MOVED, is_late=True)
            )

    post = plain.posts()[0]
    assert post["occasion"] == "moved"
    assert post["is_late"] is True
    assert post["contests"] == [
        {
            "platform": "codeforces",
            "name": "Round 1",
            "url": "https://codeforces.com/contests/2100",
            "starts_at": (START + timedelta(hours=3)).isoformat(),
            "ends_at": (START + timedelta(hours=5)).isoformat(),
            "previous_starts_at": None,
        }
    ]
    assert len(set(plain.hooks.idempotency_keys)) == 1
    assert plain.hooks.idempotency_keys[0]


async def test_a_kind_that_is_set_stands_over_the_path(plain: PlainWorld) -> None:
    async with plain.connected(kind="slack") as channel:
        await channel.send(message("webhook", plain.address))

    assert plain.posts()[0].keys() == {"text", "unfurl_links"}


@pytest.mark.parametrize(
    ("status", "says", "reach"),
    [
        (403, "invalid_token", Reach.ADDRESS),
        (403, "action_prohibited", Reach.DELIVERY),
        (400, "invalid_payload", Reach.DELIVERY),
        (404, "no_service", Reach.ADDRESS),
        (410, "channel_is_archived", Reach.ADDRESS),
    ],
)
async def test_slack_says_in_a_word_whether_a_hook_is_dead(
    slack: SlackWorld, status: int, says: str, reach: Reach
) -> None:
    slack.hooks.refuse(status, says)
    async with slack.connected() as channel:
        error = await refusal(slack, channel)

    assert (error.permanent, error.reach) == (True, reach)


@pytest.mark.parametrize(
    ("status", "code", "reach"),
    [
        (404, 10015, Reach.ADDRESS),
        (401, 50027, Reach.ADDRESS),
        (401, 0, Reach.DELIVERY),
        (403, 50013, Reach.DELIVERY),
        (400, 50035, Reach.DELIVERY),
    ],
)
async def test_discord_says_by_a_code_whether_a_hook_is_dead(
    discord: DiscordWorld, status: int, code: int, reach: Reach
) -> None:
    discord.hooks.refuse(status, {"message": "no", "code": code})
    async with discord.connected() as channel:
        error = await refusal(discord, channel)

    assert (error.permanent, error.reach) == (True, reach)


async def test_a_short_pause_is_waited_for_and_a_long_one_is_told(discord: DiscordWorld) -> None:
    discord.hooks.refuse(429, {"retry_after": 0.65, "global": False}, Retry_After="1")
    discord.hooks.refuse(429, {"retry_after": 64.5, "global": False}, Retry_After="65")
    async with discord.connected() as channel:
        first = await refusal(discord, channel)
        second = await discord.clock.run(refusal(discord, channel))
        third = await refusal(discord, channel)

    assert first.retry_after == timedelta(seconds=0.65)
    assert second.retry_after == timedelta(seconds=64.5)
    assert third.retry_after == timedelta(seconds=64.5)
    assert discord.clock.monotonic() == pytest.approx(0.65)
    assert discord.hooks.requests == 2


@pytest.mark.parametrize(("is_global", "requests"), [(True, 1), (False, 2)])
async def test_a_pause_is_of_one_hook_unless_it_is_said_to_be_of_all(
    discord: DiscordWorld, is_global: bool, requests: int
) -> None:
    discord.hooks.refuse(429, {"retry_after": 30.5, "global": is_global})
    other = discord.address.replace("1199887766554433221", "1199887766554433222")
    async with discord.connected() as channel:
        await refusal(discord, channel)
        try:
            await channel.send(message("webhook", other))
        except DeliveryError as error:
            assert error.retry_after == timedelta(seconds=30.5)  # noqa: PT017 - of one case only

    assert discord.hooks.requests == requests


@pytest.mark.parametrize("name", ["10 kB", "wide"])
async def test_what_discord_takes_is_counted_as_discord_counts(
    discord: DiscordWorld, name: str
) -> None:
    contests = [notice(f"🎈{number} {POISONED[name]}") for number in range(60)]
    async with discord.connected() as channel:
        await channel.send(message("webhook", discord.address, *contests, occasion=Occasion.DIGEST))

    assert len(discord.got()) == 1


async def test_an_address_stored_while_more_was_allowed_is_given_up(plain: PlainWorld) -> None:
    async with plain.connected(allow_private=False) as channel:
        error = await refusal(plain, channel)

    assert (error.permanent, error.reach) == (True, Reach.ADDRESS)
    assert plain.hooks.requests == 0


async def test_a_redirect_is_not_followed(plain: PlainWorld) -> None:
    plain.hooks.refuse(307, "", Location=plain.base_url + "/elsewhere")
    async with plain.connected() as channel:
        error = await refusal(plain, channel)

    assert error.permanent
    assert not isinstance(error, DeliveryUnknown)
    assert "redirects are not followed" in (error.hint or "")
    assert plain.hooks.requests == 1


async def test_a_pause_longer_than_a_delivery_may_take_is_not_waited_for(
    discord: DiscordWorld,
) -> None:
    discord.hooks.refuse(429, {"retry_after": 3.0, "global": False})
    async with discord.connected(timeout="2s") as channel:
        await refusal(discord, channel)
        error = await refusal(discord, channel)

    assert error.retry_after == timedelta(seconds=3)
    assert discord.hooks.requests == 1
