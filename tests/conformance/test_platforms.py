"""What every platform promises, asked of each one that is found, against its stand-in.

A new platform is covered by being there: a file in syncd/platforms and one in syncd/sandbox.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import START, FakeClock
from fakes.platform_worlds import (
    FOUND,
    ODDS,
    SOMEBODY,
    STANDINS,
    TOKEN,
    WITH_CREDENTIALS,
    CutShort,
    World,
    keep_bodies,
)

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
from syncd.model.account import Account
from syncd.model.profile import Fetched, Profile, Unchanged
from syncd.outbound.gate import WAIT_THROUGH_SECONDS
from syncd.platforms.base import Platform
from syncd.sandbox import faults
from syncd.sandbox.faults import Fault
from syncd.sandbox.players import NOBODY
from syncd.store.profiles import hash_answer

TAKES_CREDENTIALS = pytest.mark.parametrize("name", WITH_CREDENTIALS, indirect=True)


@pytest.fixture(params=list(FOUND))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(name: str, clock: FakeClock) -> World:
    return World(name, clock)


@pytest.fixture
async def platform(world: World, clock: FakeClock) -> AsyncIterator[Platform]:
    async with world.connected(clock) as platform:
        yield platform


@pytest.fixture
def account(world: World) -> Account:
    return world.account()


def profile_of(fetched: Fetched | Unchanged | ItemError) -> Profile:
    assert isinstance(fetched, Fetched)
    return fetched.profile


def known(account: Account, fetched: Fetched | Unchanged) -> Account:
    assert isinstance(fetched, Fetched)
    return replace(
        account,
        external_id=fetched.profile.external_id,
        etag=fetched.etag,
        etag_credential=fetched.etag_credential,
    )


def test_every_platform_has_its_standin() -> None:
    assert FOUND.keys() == STANDINS.keys()


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


@pytest.mark.parametrize(("name", "odd"), ODDS, indirect=["name"])
async def test_odd_answer_of_the_service_is_told_for_what_it_is(
    platform: Platform, account: Account, clock: FakeClock, world: World, odd: str
) -> None:
    given = world.odd(odd)
    world.standin.faults.add(given.fault, path=given.path)

    with pytest.raises((ItemError, PlatformError)) as raised:
        await clock.run(platform.fetch(account))

    assert raised.value.outcome == given.outcome


async def test_service_refuses_nobody_who_asks_as_the_defaults_say(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    for _ in range(4):
        for index in range(12):
            await clock.run(platform.fetch(world.account(index)))

    assert world.standin.counters.refused == {}


@pytest.mark.parametrize(
    "name", [name for name in FOUND if name not in WITH_CREDENTIALS], indirect=True
)
async def test_limit_that_is_exceeded_holds_the_platform_and_not_the_account(
    account: Account, clock: FakeClock, world: World
) -> None:
    most = int(world.standin.documented.requests_a_minute)
    outcomes = set()

    async with world.connected(clock, rate="1000/s") as platform:
        for _ in range(most + 1):
            try:
                await clock.run(platform.fetch(account))
            except (ItemError, PlatformError) as error:
                outcomes.add(error.outcome)

    assert world.standin.counters.refused
    assert outcomes <= {"rate_limited", "blocked"}
    assert outcomes or clock.now() - START >= timedelta(seconds=WAIT_THROUGH_SECONDS)


@TAKES_CREDENTIALS
async def test_refused_credential_is_told_once_and_not_tried_again(
    platform: Platform, account: Account, clock: FakeClock, world: World
) -> None:
    world.standin.changes()["revoke"](TOKEN)

    with pytest.raises(CredentialsRejected):
        await clock.run(platform.fetch(account))

    assert world.standin.counters.requests == 1


@TAKES_CREDENTIALS
async def test_credential_is_checked_without_cost_where_that_can_be(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    can_be = await clock.run(platform.check_credential())
    world.standin.changes()["revoke"](TOKEN)

    assert world.standin.counters.primary_used == 0
    if can_be:
        with pytest.raises(CredentialsRejected, match="refuses the credential main"):
            await clock.run(platform.check_credential())


@pytest.mark.parametrize(
    ("retry_after", "as_date", "pause_seconds"),
    [(90, False, 90), (3600, False, 3600), (3600, True, 3600), (None, False, 60), (0, False, 60)],
)
async def test_limit_is_told_with_its_end_and_nothing_is_asked_until_then(
    platform: Platform,
    account: Account,
    clock: FakeClock,
    world: World,
    retry_after: float | None,
    as_date: bool,
    pause_seconds: float,
) -> None:
    world.standin.faults.add(faults.too_many(retry_after, as_date=as_date))

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

    # Who is asked for by a former handle is told of by name: only an id can tell then.
    unknown = [] if world.standin.leads_on else [account]
    for asked in (*unknown, replace(known(account, first), etag="")):
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


async def test_answer_cut_short_anywhere_is_an_error_and_never_another_profile(
    account: Account, clock: FakeClock, world: World
) -> None:
    standin = world.standin
    bodies: list[bytes] = []
    standin.faults.add(keep_bodies(bodies))
    async with world.connected(clock, rate="30/min") as platform:
        whole = hash_answer(profile_of(await clock.run(platform.fetch(account))))
        cuts = [
            CutShort(body, length)
            for body in list(bodies)
            for length in range(0, len(body), max(25, len(body) // 40))
        ]
        for cut in cuts:
            standin.faults.clear()
            standin.faults.add(cut)
            platform.client.gate.breaker.lift()
            try:
                profile = profile_of(await clock.run(platform.fetch(account)))
                assert hash_answer(profile) == whole
            except (ItemError, PlatformError):
                continue


@TAKES_CREDENTIALS
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
