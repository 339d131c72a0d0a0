"""What every platform makes of trouble: refusals, odd answers, answers without their end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import START, FakeClock
from fakes.platform_worlds import (
    FOUND,
    ODDS,
    TOKEN,
    WITH_CREDENTIALS,
    CutShort,
    World,
    keep_bodies,
    known,
    profile_of,
)

from syncd.errors import (
    BadPayload,
    CredentialsRejected,
    ItemError,
    PlatformBlocked,
    PlatformDown,
    PlatformError,
    RateLimited,
)
from syncd.model.account import Account
from syncd.model.profile import Fetched
from syncd.outbound.gate import WAIT_THROUGH_SECONDS
from syncd.platforms.base import Platform
from syncd.sandbox import faults
from syncd.sandbox.faults import Fault
from syncd.store.profiles import hash_answer

TAKES_CREDENTIALS = pytest.mark.parametrize("name", WITH_CREDENTIALS, indirect=True)


@pytest.mark.parametrize(("name", "odd"), ODDS, indirect=["name"])
async def test_odd_answer_of_the_service_is_told_for_what_it_is(
    platform: Platform, account: Account, clock: FakeClock, world: World, odd: str
) -> None:
    given = world.odd(odd)
    world.standin.faults.add(given.fault, path=given.path)

    with pytest.raises((ItemError, PlatformError)) as raised:
        await clock.run(platform.fetch(account))

    assert raised.value.outcome == given.outcome


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
