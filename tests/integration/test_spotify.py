"""Spotify as it is read and renewed, against its stand-in; its pauses over a restart."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fakes.clock import START, FakeClock
from fakes.controlled import controlled, text_for
from fakes.spotify_world import SpotifyWorld
from fakes.waiting import until

from syncd.config.models import PlatformSettings
from syncd.errors import (
    AccessExpired,
    AccountUnsuitable,
    CredentialsRejected,
    GrantRefused,
    ItemError,
    PlatformDown,
    PlatformError,
    RateLimited,
)
from syncd.model.account import Account, AccountId, UserEntry
from syncd.model.grant import Access
from syncd.platforms.spotify import ACCOUNTS, Spotify
from syncd.sandbox import faults
from syncd.sandbox.spotify import TOKEN_PATH
from syncd.sandbox.spotify_faults import ODD, PLAYED, rate_limited
from syncd.store.database import Database
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

ADA = 3
SETTINGS = """
[platforms.spotify]
base_url = "{base_url}"
urls = {{ accounts = "{accounts}" }}
allow_private = true
rate = "1000/s"
credentials = [{{ name = "main", client_id = "{id}", client_secret = "${{TOKEN}}" }}]
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[SpotifyWorld]:
    async with SpotifyWorld(8, clock=clock, rotates=True).served() as world:
        yield world


@pytest.fixture
def told() -> list[Event]:
    return []


@contextlib.asynccontextmanager
async def connected(
    world: SpotifyWorld, clock: FakeClock, told: list[Event], **over: Any
) -> AsyncIterator[Spotify]:
    settings = PlatformSettings.model_validate({**dict(Spotify.defaults), **world.settings(**over)})
    bus = Bus()
    [spotify] = Spotify.connect("spotify", settings, clock=clock, bus=bus, random=Random(1))
    assert isinstance(spotify, Spotify)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(bus.subscribed(told.append))
        for client in spotify.clients:
            await stack.enter_async_context(client)
        yield spotify


@pytest.fixture
async def spotify(
    world: SpotifyWorld, clock: FakeClock, told: list[Event]
) -> AsyncIterator[Spotify]:
    async with connected(world, clock, told) as spotify:
        yield spotify


def somebody(world: SpotifyWorld, index: int = ADA, token: str = "") -> Account:
    token = token or world.standin.grants.make_access(index)
    return Account(
        id=AccountId(index),
        user_key=world.key(index),
        platform="spotify",
        handle=world.standin.handle_of(index),
        access=Access(token=token),
    )


async def test_everybody_is_told_of_as_they_listened(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock
) -> None:
    for index in world.people:
        world.standin.listeners.listen(index, times=5)
        renewed = await clock.run(spotify.refresh(world.entry(index).refresh_token))

        heard = await clock.run(spotify.fetch(somebody(world, index, renewed.access_token)))

        found = {(play.artist_id, play.track_id, play.played_at) for play in heard.plays}
        assert found == {play[1:] for play in world.plays([index])}
        assert 1000 < renewed.expires_in_seconds <= 3600


@pytest.mark.parametrize("rotates", [True, False])
async def test_new_refresh_token_is_told_where_there_is_one(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock, rotates: bool
) -> None:
    world.standin.accounts.set_rotation(rotates)
    old = world.entry(ADA).refresh_token

    renewed = await clock.run(spotify.refresh(old))

    assert bool(renewed.refresh_token) is rotates
    await clock.run(spotify.refresh(renewed.refresh_token or old))
    if rotates:
        with pytest.raises(GrantRefused):
            await clock.run(spotify.refresh(old))


async def test_refresh_whose_answer_is_lost_is_sent_once_and_told_as_lost(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock
) -> None:
    world.standin.faults.add(faults.cut(10), path=TOKEN_PATH)

    with pytest.raises(PlatformDown) as raised:
        await clock.run(spotify.refresh(world.entry(ADA).refresh_token))

    assert raised.value.is_answer_lost
    assert world.standin.counters.requests == 1


async def test_access_that_ended_is_told_and_says_nothing_of_our_credential(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock, told: list[Event]
) -> None:
    account = somebody(world)
    world.standin.grants.expire_access(ADA)

    with pytest.raises(AccessExpired):
        await clock.run(spotify.fetch(account))

    assert spotify.refusal is None
    assert (told, world.standin.counters.requests) == ([], 1)


async def test_app_that_is_refused_is_told_once_by_its_name_and_holds_no_secret(
    world: SpotifyWorld, clock: FakeClock, told: list[Event]
) -> None:
    wrong = {"name": "main", "client_id": "other", "client_secret": "canary-wrong-secret"}

    async with connected(world, clock, told, credentials=[wrong]) as spotify:
        for _ in range(2):
            with pytest.raises(CredentialsRejected) as raised:
                await clock.run(spotify.refresh(world.entry(ADA).refresh_token))

        assert str(spotify.refusal).startswith(
            "spotify refuses the credential main: invalid_client"
        )
    assert raised.value.hint == "check client_id and client_secret of the credential main"
    assert len(told) == 1
    assert "canary" not in f"{told}{traceback.format_exception(raised.value)}"


@pytest.mark.parametrize("odd", ODD)
async def test_odd_answer_is_told_for_what_it_is_and_holds_no_token(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock, odd: str
) -> None:
    # What is over soon is waited through, so all attempts must fail.
    world.standin.faults.add(ODD[odd].fault, path=PLAYED)

    with pytest.raises((ItemError, PlatformError)) as raised:
        await clock.run(spotify.fetch(somebody(world)))

    assert raised.value.outcome == ODD[odd].outcome
    shown = f"{raised.value}{raised.value.hint}{getattr(raised.value, 'sample', '')}"
    assert "canary" not in shown


async def test_user_whom_the_app_does_not_list_costs_the_others_nothing(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock
) -> None:
    world.standin.faults.add(ODD["not registered"].fault, path=PLAYED, times=60)
    for index in [*world.people] * 7:
        with pytest.raises(AccountUnsuitable):
            await clock.run(spotify.fetch(somebody(world, index)))

    assert spotify.paused_until() is None


@pytest.mark.parametrize(
    ("seconds", "waited"), [(0, 1), (7, 7), (None, 30)], ids=["0", "7", "missing"]
)
async def test_short_pause_of_the_app_is_waited_through(
    spotify: Spotify,
    world: SpotifyWorld,
    clock: FakeClock,
    seconds: int | None,
    waited: float,
) -> None:
    world.standin.faults.add(rate_limited(seconds), path=PLAYED, times=1)

    await clock.run(spotify.fetch(somebody(world)))

    assert waited <= (clock.now() - START).total_seconds() < waited + 2


async def test_renewing_goes_on_while_reading_is_paused(
    spotify: Spotify, world: SpotifyWorld, clock: FakeClock
) -> None:
    world.standin.faults.add(rate_limited(80_000), path=PLAYED)
    with pytest.raises(RateLimited) as raised:
        await clock.run(spotify.fetch(somebody(world)))

    await clock.run(spotify.refresh(world.entry(ADA).refresh_token))

    assert raised.value.until == START + timedelta(seconds=80_000)
    assert spotify.companion[ACCOUNTS].gate.closed_until() is None


@pytest.mark.parametrize(
    ("reason", "cause", "label"),
    [("", "rate limit", "rate_limit"), ("QUOTA_EXCEEDED", "quota used up", "quota")],
)
async def test_long_pause_is_kept_over_a_restart_with_its_cause(
    database: Database,
    tmp_path: Path,
    world: SpotifyWorld,
    clock: FakeClock,
    reason: str,
    cause: str,
    label: str,
) -> None:
    given = world.settings()
    [app] = given["credentials"]
    text = text_for(database.settings.address, database.settings.schema, "http://127.0.0.1:9")
    text += SETTINGS.format(
        base_url=given["base_url"],
        accounts=given["urls"]["accounts"],
        id=app["client_id"],
    )
    world.standin.faults.add(rate_limited(80_000, reason), path=PLAYED)
    ends_at = START + timedelta(seconds=80_000)

    async with controlled(text, tmp_path, clock, app["client_secret"]) as desk:
        await desk.core.health.ready.wait()
        ada = UserEntry(key="u3", accounts={"spotify": world.standin.handle_of(ADA)})
        await desk.control.put_user(ada)
        [spotify] = desk.core.around.platforms["spotify"]
        with pytest.raises(RateLimited):
            await clock.run(spotify.fetch(somebody(world)))

        async def is_stored() -> bool:
            await clock.advance(0.05)
            async with database.connection() as connection:
                return await connection.fetchval("SELECT count(*) FROM gates") == 1

        await until(is_stored, what="the pause to be stored")
    async with controlled(text, tmp_path, clock, app["client_secret"]) as desk:
        await desk.core.health.ready.wait()
        [answer] = [each for each in await desk.control.platforms() if each["name"] == "spotify"]
        metrics = (await desk.control.scraper.scrape()).decode()
        problems = [each["what"] for each in answer["problems"]]

    assert abs(answer["paused_until"] - ends_at) < timedelta(seconds=5)
    assert answer["pause_cause"] == cause
    assert len(problems) == 1
    assert f"({cause})" in problems[0]
    named = f'syncd_platform_pause_cause{{cause="{label}",credential="main",platform="spotify"}}'
    assert f"{named} 1" in metrics
    assert [one["credential"] for one in answer["credentials"]] == ["main", "accounts"]
    assert "canary" not in f"{answer}{metrics}"
