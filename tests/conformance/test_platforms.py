"""What every platform promises, asked of each one that is found, against its stand-in.

A new platform brings its line in `fakes.platform_worlds.WORLDS`; without one the suite fails.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import START, FakeClock
from fakes.platform_worlds import FOUND, TOKEN, WORLDS, World, connected

from syncd.errors import (
    AccountNotFound,
    BadPayload,
    CredentialsRejected,
    ItemError,
    PlatformBlocked,
    PlatformDown,
    PlatformError,
    RateLimited,
    SweepRefused,
)
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched, Unchanged
from syncd.outbound.gate import WAIT_THROUGH_SECONDS
from syncd.platforms.base import Platform
from syncd.sandbox import faults
from syncd.sandbox.faults import Fault
from syncd.sandbox.server import serve


@pytest.fixture(params=list(FOUND))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(name: str, clock: FakeClock) -> World:
    return WORLDS[name](clock)


@pytest.fixture
async def platform(name: str, world: World, clock: FakeClock) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serve(world.standin))
        yield await stack.enter_async_context(connected(name, base_url, clock))


@pytest.fixture
def account(name: str, world: World) -> Account:
    return Account(id=AccountId(1), user_key="u", platform=name, handle=world.handle)


def known(account: Account, fetched: Fetched | Unchanged) -> Account:
    assert isinstance(fetched, Fetched)
    return replace(
        account,
        external_id=fetched.profile.external_id,
        etag=fetched.etag,
        etag_credential=fetched.etag_credential,
    )


def test_every_platform_has_its_world() -> None:
    assert FOUND.keys() == WORLDS.keys()


def test_defaults_are_complete_and_ask_for_no_secret(name: str) -> None:
    defaults = FOUND[name].defaults

    assert defaults.base_url.startswith("https://")
    assert defaults.rate is not None
    assert defaults.timeout <= timedelta(minutes=1)
    assert not defaults.allow_private
    assert not defaults.credentials


def test_defaults_stay_within_the_documented_limits(name: str, world: World) -> None:
    defaults = FOUND[name].defaults

    assert defaults.rate is not None
    an_hour = math.inf if defaults.quota is None else defaults.quota.per_second * 3600
    assert defaults.rate.per_second * 60 + defaults.burst <= world.requests_a_minute
    assert min(an_hour, defaults.rate.per_second * 3600) <= world.requests_an_hour
    assert defaults.slots <= world.requests_at_a_time


@pytest.mark.parametrize(
    "handle",
    [
        "", " ", "ada lovelace", " ada", "ada ", "ada\n", "\tada", "a/b", "/", "a\\b", "..", ".",
        "../ada", "a\x00b", "a\x1bb", "a\x7fb", "a\u2028b", "a" * 300, "a?b", "a#b", "a%2fb", "a&b",
        "\u0430da", "ad\u0430", "ada\u200b", "\uff41da", "\u202eada", "e\u0301lodie", "\u01c6ada",
    ],
)  # fmt: skip
def test_what_cannot_be_a_handle_is_refused(name: str, handle: str) -> None:
    assert not FOUND[name].accepts(handle)


def test_handle_of_somebody_who_exists_is_accepted(name: str, world: World) -> None:
    assert FOUND[name].accepts(world.handle)


async def test_account_is_fetched_with_its_lasting_id_and_the_whole_answer(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    fetched = await clock.run(platform.fetch(account))

    assert isinstance(fetched, Fetched)
    assert fetched.profile.external_id
    assert fetched.profile.handle == world.handle
    assert fetched.profile.raw == json.loads(world.body)


async def test_unchanged_account_is_told_as_unchanged_and_costs_nothing(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))

    second = await clock.run(platform.fetch(known(account, first)))

    assert isinstance(second, Unchanged) is world.has_etags
    assert (platform.usage().calls, platform.usage().saved) == (2, int(world.has_etags))


async def test_etag_of_another_credential_is_not_sent(
    name: str, platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))
    other = {"credentials": [{"name": "main", "token": "another"}]}

    async with serve(world.standin) as base_url, connected(name, base_url, clock, **other) as two:
        second = await clock.run(two.fetch(known(account, first)))

    assert isinstance(second, Fetched)


async def test_account_that_does_not_exist_is_not_found(
    platform: Platform, account: Account, clock: FakeClock
) -> None:
    with pytest.raises(AccountNotFound):
        await clock.run(platform.fetch(replace(account, handle="nobody-of-this-name")))


async def test_refused_credential_is_told_once_and_not_tried_again(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    world.standin.revoke(TOKEN)

    with pytest.raises(CredentialsRejected):
        await clock.run(platform.fetch(account))

    assert world.standin.counters.requests == 1


async def test_credential_is_checked_without_cost_where_that_can_be(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    can_be = await clock.run(platform.check_credential())
    world.standin.revoke(TOKEN)

    assert world.standin.counters.primary_used == 0
    if can_be:
        with pytest.raises(CredentialsRejected, match="refuses the credential main"):
            await clock.run(platform.check_credential())


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("retry_after", "as_date", "pause_seconds"),
    [(90, False, 90), (3600, False, 3600), (3600, True, 3600), (None, False, 60), (0, False, 60)],
)
async def test_limit_is_told_with_its_end_and_nothing_is_asked_until_then(
    platform: Platform,
    account: Account,
    clock: FakeClock,
    world: World,
    status: int,
    retry_after: float | None,
    as_date: bool,
    pause_seconds: float,
) -> None:
    told = faults.too_many(retry_after, as_date=as_date, status=status)
    world.standin.faults.add(told)

    with pytest.raises(RateLimited) as raised:
        await clock.run(platform.fetch(account))

    asked = world.standin.counters.requests
    assert (raised.value.until - START).total_seconds() >= pause_seconds - 2
    assert platform.paused_until() == raised.value.until
    with pytest.raises(RateLimited):
        await clock.run(platform.fetch(account))
    assert world.standin.counters.requests == asked


async def test_short_pause_is_waited_through(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    world.standin.faults.add(faults.too_many(7), times=1)

    fetched = await clock.run(platform.fetch(account))

    assert isinstance(fetched, Fetched)
    assert 7 <= (clock.now() - START).total_seconds() < WAIT_THROUGH_SECONDS


@pytest.mark.parametrize("status", [200, 403, 404])
async def test_web_page_is_a_block_and_not_tried_again(
    platform: Platform, account: Account, clock: FakeClock, world: World, status: int
) -> None:
    world.standin.faults.add(faults.html(status))

    with pytest.raises(PlatformBlocked):
        await clock.run(platform.fetch(account))

    assert world.standin.counters.requests == 1


@pytest.mark.parametrize(
    "fault",
    [
        *map(faults.server_error, (500, 502, 503, 504)),
        faults.instead("{}", status=500),
        faults.cut(10),
    ],
)
async def test_failing_platform_is_tried_again_and_then_down(
    platform: Platform, account: Account, clock: FakeClock, world: World, fault: Fault
) -> None:
    world.standin.faults.add(fault)

    with pytest.raises(PlatformDown):
        await clock.run(platform.fetch(account))

    assert 2 <= world.standin.counters.requests <= 5


async def test_failure_that_passes_is_not_noticed(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    world.standin.faults.add(faults.server_error(), times=2)

    fetched = await clock.run(platform.fetch(account))

    assert isinstance(fetched, Fetched)


async def test_answer_about_somebody_else_is_refused_at_first_and_later(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))
    world.standin.faults.add(world.somebody_else)

    for asked in (account, replace(known(account, first), etag="")):
        with pytest.raises(BadPayload):
            await clock.run(platform.fetch(asked))


@pytest.mark.parametrize(
    "body",
    ["", " ", "null", "[]", "{}", "0", '"ada"', "true", "NaN", "{'id': 1}", "[" * 100_000, "\x00",
     '{"id":' + "9" * 5000 + "}", '{"id":null,"login":null}', '{"message":"Not Found"}'],
)  # fmt: skip
async def test_good_status_with_a_body_that_is_no_profile_is_that_accounts_error(
    platform: Platform, account: Account, clock: FakeClock, world: World, body: str
) -> None:
    world.standin.faults.add(faults.instead(body))

    with pytest.raises((ItemError, PlatformDown)):
        await clock.run(platform.fetch(account))


async def test_answer_cut_short_anywhere_is_an_error_and_never_a_profile(
    name: str, account: Account, clock: FakeClock, world: World
) -> None:
    bodies = [world.body[:length].decode() for length in range(0, len(world.body), 25)]

    async with serve(world.standin) as url, connected(name, url, clock, rate="1000/s") as platform:
        for body in bodies:
            world.standin.faults.clear()
            world.standin.faults.add(faults.instead(body))
            with pytest.raises((ItemError, PlatformError)):
                await clock.run(platform.fetch(account))

    assert world.standin.counters.requests >= len(bodies)


async def test_error_never_tells_the_credential_even_if_the_platform_does(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    told = []
    for status in (200, 400, 401, 403, 404, 500):
        world.standin.faults.clear()
        world.standin.faults.add(faults.instead(f"your token is {TOKEN}", status=status))
        with pytest.raises((ItemError, PlatformError)) as raised:
            await clock.run(platform.fetch(account))
        told.append(f"{raised.value} {raised.value.hint}")

    assert TOKEN not in " ".join(told)


async def test_sweep_tells_what_the_fetch_foretold_or_says_that_there_is_none(
    platform: Platform, account: Account, clock: FakeClock
) -> None:
    if not platform.can_sweep:
        with pytest.raises(SweepRefused):
            await platform.sweep([account])
        return
    fetched = await clock.run(platform.fetch(account))
    assert isinstance(fetched, Fetched)
    assert fetched.mark is not None

    swept = await clock.run(platform.sweep([replace(known(account, fetched), mark=fetched.mark)]))

    assert swept.digests == {account.id: fetched.mark.digest}
    assert (swept.errored, swept.is_strained) == (frozenset(), False)
