"""What every platform promises, asked of each one that is found, against its stand-in.

A new platform is covered by being there: a file in syncd/platforms and one in syncd/sandbox. Its
folder of recorded answers, if it has one, is played by tests/integration/test_recorded_answers.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from fakes.platform_worlds import (
    FOUND,
    PLATFORMS,
    SOMEBODY,
    STANDINS,
    WITH_CREDENTIALS,
    World,
    known,
    profile_of,
)

from syncd.errors import (
    AccountNotFound,
    SweepRefused,
)
from syncd.model.account import Account
from syncd.model.profile import Fetched, Unchanged
from syncd.platforms.base import Platform
from syncd.sandbox.players import NOBODY
from syncd.store.profiles import hash_answer

TAKES_CREDENTIALS = pytest.mark.parametrize("name", WITH_CREDENTIALS, indirect=True)


def test_every_platform_has_its_standin() -> None:
    assert PLATFORMS.keys() <= STANDINS.keys()


def test_defaults_are_complete_and_ask_for_no_secret(name: str) -> None:
    defaults = FOUND[name].defaults

    assert defaults.base_url.startswith("https://")
    assert defaults.rate is not None
    assert defaults.timeout <= timedelta(minutes=1)
    assert not defaults.allow_private
    assert not defaults.credentials


def test_defaults_stay_within_the_documented_limits(name: str, world: World) -> None:
    defaults = FOUND[name].defaults

    documented = world.standin.documented
    assert defaults.rate is not None
    an_hour = math.inf if defaults.quota is None else defaults.quota.per_second * 3600
    assert defaults.rate.per_second * 60 + defaults.burst - 1 <= documented.requests_a_minute
    assert min(an_hour, defaults.rate.per_second * 3600) <= documented.requests_an_hour
    assert defaults.slots <= documented.requests_at_a_time


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
    handles = [world.standin.handle_of(index) for index in range(20)]

    assert [handle for handle in handles if not FOUND[name].accepts(handle)] == []


async def test_everybody_is_told_of_as_the_service_knows_them(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    for index in range(12):
        profile = profile_of(await clock.run(platform.fetch(world.account(index))))

        assert world.differences(index, profile) == {}
        assert profile.external_id
        assert profile.raw


async def test_what_is_asked_twice_is_the_same_until_the_user_does_something(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = profile_of(await clock.run(platform.fetch(account)))
    second = profile_of(await clock.run(platform.fetch(account)))
    world.standin.changes()["change"](SOMEBODY)
    third = profile_of(await clock.run(platform.fetch(account)))

    assert hash_answer(first) == hash_answer(second) != hash_answer(third)


async def test_handle_is_found_in_any_spelling_and_kept_in_the_one_of_the_service(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    spelled = replace(account, handle=account.handle.swapcase())

    profile = profile_of(await clock.run(platform.fetch(spelled)))

    assert profile.handle == (world.handle if world.standin.tells_handle else spelled.handle)
    assert profile.external_id == world.standin.expected(SOMEBODY)["external_id"]


async def test_unchanged_account_is_told_as_unchanged_and_costs_nothing(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))

    calls = platform.usage().calls
    second = await clock.run(platform.fetch(known(account, first)))

    has_etags = world.standin.has_etags
    assert isinstance(second, Unchanged) is has_etags
    assert (platform.usage().calls, platform.usage().saved) == (2 * calls, int(has_etags))


@TAKES_CREDENTIALS
async def test_etag_of_another_credential_is_not_sent(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))

    async with world.connected(clock, credentials=[{"name": "main", "token": "other"}]) as two:
        second = await clock.run(two.fetch(known(account, first)))

    assert isinstance(second, Fetched)


async def test_account_that_does_not_exist_is_not_found(
    platform: Platform, account: Account, clock: FakeClock
) -> None:
    with pytest.raises(AccountNotFound, match=NOBODY):
        await clock.run(platform.fetch(replace(account, handle=NOBODY)))


async def test_account_that_vanished_is_not_found_until_it_is_back(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))
    changes = world.standin.changes()

    changes["vanish"](SOMEBODY)
    with pytest.raises(AccountNotFound):
        await clock.run(platform.fetch(known(account, first)))
    changes["restore"](SOMEBODY)

    assert profile_of(await clock.run(platform.fetch(account))).handle == world.handle


async def test_who_takes_another_handle_is_followed_where_the_service_tells_it(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    first = await clock.run(platform.fetch(account))
    world.standin.changes()["rename"](SOMEBODY, "newname77")

    fetch = clock.run(platform.fetch(known(account, first)))

    if not world.standin.follows_renames:
        with pytest.raises(AccountNotFound):
            await fetch
        return
    profile = profile_of(await fetch)
    assert profile.handle == "newname77"
    assert world.differences(SOMEBODY, profile) == {}


async def test_one_of_many_that_fails_never_costs_the_others_their_answer(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    world.standin.changes()["vanish"](5)
    world.standin.changes()["rename"](6, "newname77")
    asked = [world.account(index) for index in range(10) if index not in {5, 6}]
    lost = [replace(world.account(5), handle=NOBODY), world.account(15, handle="nobodyeither")]

    found = await clock.run(platform.fetch_many([lost[0], *asked, lost[1]]))

    assert found.keys() == {account.id for account in (*asked, *lost)}
    assert [type(found[account.id]) for account in lost] == [AccountNotFound] * 2
    for account in asked:
        assert world.differences(int(account.id), profile_of(found[account.id])) == {}


async def test_service_refuses_nobody_who_asks_as_the_defaults_say(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    for _ in range(4):
        for index in range(12):
            await clock.run(platform.fetch(world.account(index)))

    assert world.standin.counters.refused == {}


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
