"""A GitHub App against the stand-in, which checks its signature, limits and lifetimes itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.keys import private_pem, public_pem, rsa_key

from syncd.config.models import PlatformSettings
from syncd.errors import CredentialsRejected, PlatformDown, RateLimited
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched
from syncd.outbound.urgency import Urgency, current_urgency
from syncd.platforms.base import Platform
from syncd.platforms.github import GitHub
from syncd.sandbox.faults import instead, latency, server_error, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import CredentialRefused, Event, PlatformRecovered

APP = {"name": "app", "app_id": "12", "installation_id": 34, "private_key": private_pem()}
HOUR = 3600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def population() -> Population:
    return Population(7, 60, organizations=0, bots=0)


@pytest.fixture
def standin(population: Population, clock: FakeClock) -> GitHubStandIn:
    standin = GitHubStandIn(population, clock=clock)
    standin.credentials.install("12", 34, public_pem())
    return standin


@pytest.fixture
async def base_url(standin: GitHubStandIn) -> AsyncIterator[str]:
    async with serve(standin) as url:
        yield url


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def told(bus: Bus) -> Iterator[list[Event]]:
    events: list[Event] = []
    with bus.subscribed(events.append):
        yield events


def connect(base_url: str, clock: FakeClock, bus: Bus, **given: Any) -> Platform:
    settings = {"base_url": base_url, "allow_private": True, "credentials": [APP], **given}
    whole = PlatformSettings.model_validate({**dict(GitHub.defaults), **settings})
    [platform] = GitHub.connect("github", whole, clock=clock, bus=bus, random=Random(1))
    return platform


@pytest.fixture
async def platform(base_url: str, clock: FakeClock, bus: Bus) -> AsyncIterator[Platform]:
    platform = connect(base_url, clock, bus)
    async with platform.client:
        yield platform


class Caller:
    """Reads the people of the stand-in one after the other."""

    def __init__(self, platform: Platform, population: Population, clock: FakeClock) -> None:
        self.platform = platform
        self._population = population
        self._clock = clock

    def fetch(self, index: int = 1) -> Any:
        handle = self._population.login(index)
        account = Account(
            id=AccountId(index), user_key="u", platform="github", handle=handle, etag='W/"old"'
        )
        return self.platform.fetch(account)

    async def read(self, index: int = 1) -> Fetched:
        answer: Fetched = await self._clock.run(self.fetch(index))
        return answer


@pytest.fixture
def caller(platform: Platform, population: Population, clock: FakeClock) -> Caller:
    return Caller(platform, population, clock)


async def test_an_app_reads_profiles_with_a_token_it_made_and_keeps_no_etag(
    caller: Caller, standin: GitHubStandIn
) -> None:
    answers = [await caller.read(index) for index in range(1, 6)]

    assert [bool(answer.profile.raw) for answer in answers] == [True] * 5
    assert {answer.etag for answer in answers} == {""}
    assert standin.credentials.tokens_made(34) == 1
    assert standin.credentials.asked["installation 34"] == 5
    assert caller.platform.usage().calls == 6


async def test_a_token_is_renewed_before_it_ends_and_nobody_is_refused(
    caller: Caller, standin: GitHubStandIn, clock: FakeClock
) -> None:
    standin.credentials.token_seconds = 120
    for index in range(1, 31):
        await caller.read(index)
        await clock.advance(20)

    assert standin.counters.unauthorised == 0
    assert 5 <= standin.credentials.tokens_made(34) <= 6


@pytest.mark.parametrize("hours", [-30, 5])
async def test_a_server_clock_that_is_wrong_changes_nothing_but_the_first_proof(
    caller: Caller, standin: GitHubStandIn, clock: FakeClock, hours: int
) -> None:
    standin.credentials.clock_error = timedelta(hours=hours)
    for index in range(1, 31):
        await caller.read(index)
        await clock.advance(200)

    assert standin.credentials.tokens_made(34) == 2
    assert standin.counters.unauthorised == 1


async def test_a_token_that_is_refused_is_renewed_once_and_the_request_repeated(
    caller: Caller, standin: GitHubStandIn, told: list[Event]
) -> None:
    await caller.read(1)
    standin.credentials.revoke_tokens(34)

    answer = await caller.read(2)

    assert answer.profile.handle
    assert (standin.counters.unauthorised, standin.credentials.tokens_made(34)) == (1, 2)
    assert told == []


async def test_token_is_made_although_nothing_is_left_of_what_profiles_draw_on(
    base_url: str, clock: FakeClock, bus: Bus, population: Population, standin: GitHubStandIn
) -> None:
    platform = connect(base_url, clock, bus, quota="2/h")
    account = Account(id=AccountId(1), user_key="u", platform="github", handle=population.login(1))
    async with platform.client:
        caller = Caller(platform, population, clock)
        for index in (1, 2):
            await caller.read(index)
        standin.credentials.revoke_tokens(34)

        swept = await clock.run(platform.sweep([account]))

        assert swept.digests == {}
        assert platform.client.gate.quota.left() == 0
    assert standin.credentials.tokens_made(34) == 2


async def test_schedule_that_makes_a_token_is_not_told_to_leave_the_reserve_alone(
    base_url: str, clock: FakeClock, bus: Bus, population: Population, standin: GitHubStandIn
) -> None:
    platform = connect(base_url, clock, bus, quota="10/h", reserve=0.8)
    async with platform.client:
        caller = Caller(platform, population, clock)
        for index in (1, 2):
            await caller.read(index)
        standin.credentials.revoke_tokens(34)
        scheduled = asyncio.ensure_future(caller.fetch(3))
        current_urgency.set(Urgency.MANUAL)
        answer = await clock.run(caller.fetch(4))
        with pytest.raises(RateLimited, match="reserve for manual triggers"):
            await scheduled

    assert answer.profile.handle


async def test_refusal_tells_of_the_quota_of_our_address_and_not_of_ours(
    caller: Caller, standin: GitHubStandIn, clock: FakeClock
) -> None:
    await caller.read(1)
    await clock.advance(600)  # the window of the address begins later, and ends later
    standin.credentials.revoke_tokens(34)

    await caller.read(2)

    quota = caller.platform.client.gate.quota
    assert standin.counters.unauthorised == 1
    assert (quota.size(), quota.left() > 4_900) == (5_000, True)


async def test_twenty_requests_refused_at_once_make_one_new_token(
    caller: Caller, standin: GitHubStandIn, population: Population, clock: FakeClock
) -> None:
    await caller.read(1)
    standin.credentials.revoke_tokens(34)

    await clock.run(all_of(caller, range(2, 22)))

    assert standin.credentials.tokens_made(34) == 2
    assert len(standin.counters.fetched()) == 21


async def all_of(caller: Caller, indexes: range) -> None:
    async with asyncio.TaskGroup() as group:
        for index in indexes:
            group.create_task(caller.fetch(index))


async def test_one_slot_is_enough_for_a_request_and_its_token(
    base_url: str, clock: FakeClock, bus: Bus, population: Population, standin: GitHubStandIn
) -> None:
    platform = connect(base_url, clock, bus, slots=1, rate="1800/h")
    standin.credentials.token_seconds = 90
    standin.faults.add(latency(1))
    async with platform.client:
        caller = Caller(platform, population, clock)
        await clock.run(all_of(caller, range(1, 51)))

    assert len(standin.counters.fetched()) == 50
    assert standin.counters.most_in_flight == 1
    assert standin.credentials.tokens_made(34) >= 2
    assert standin.counters.unauthorised == 0


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("suspended", "HTTP 403: app 12 is suspended or has no rights"),
        (
            "removed",
            "HTTP 404: app 12 has no installation 34; it was removed or never installed",
        ),
    ],
)
async def test_an_app_without_rights_is_named_once_until_it_is_accepted_again(
    caller: Caller,
    standin: GitHubStandIn,
    told: list[Event],
    clock: FakeClock,
    state: str,
    says: str,
) -> None:
    standin.credentials.change_installation(34, state)
    for _ in range(2):
        with pytest.raises(CredentialsRejected) as refusal:
            await caller.read()
    refused = caller.platform.client.refusal
    standin.credentials.change_installation(34, "active")
    await caller.read()

    text = f"github refuses the credential app: {says}"
    assert (str(refusal.value), str(refused)) == (text, text)
    assert "private_key of the credential app" in (refusal.value.hint or "")
    assert [type(event) for event in told] == [CredentialRefused, PlatformRecovered]
    assert caller.platform.client.refusal is None


async def test_a_token_that_is_suspended_while_it_is_good_is_a_refusal(
    caller: Caller, standin: GitHubStandIn
) -> None:
    await caller.read()
    standin.credentials.change_installation(34, "suspended")

    with pytest.raises(CredentialsRejected, match="the app's installation is suspended"):
        await caller.read(2)


async def test_the_key_of_another_app_is_a_refusal(
    base_url: str, clock: FakeClock, bus: Bus, population: Population, standin: GitHubStandIn
) -> None:
    other = {**APP, "private_key": private_pem(rsa_key(3072))}
    platform = connect(base_url, clock, bus, credentials=[other])
    async with platform.client:
        with pytest.raises(CredentialsRejected, match="the private key is not one of app 12"):
            await Caller(platform, population, clock).read()

    assert standin.counters.requests == 1


async def test_a_failing_platform_is_asked_for_a_token_as_often_as_for_anything(
    caller: Caller, standin: GitHubStandIn
) -> None:
    standin.faults.add(server_error(502))

    with pytest.raises(PlatformDown, match="POST /app/installations/34/access_tokens"):
        await caller.read()

    assert standin.counters.requests == 4


@pytest.mark.parametrize("body", ["", "nonsense", '["token"]', "{}"])
async def test_no_account_is_blamed_for_what_came_instead_of_a_token(
    caller: Caller, standin: GitHubStandIn, body: str
) -> None:
    standin.faults.add(instead(body, status=201), path="/app/*")

    with pytest.raises(PlatformDown):
        await caller.read()


async def test_in_a_pause_not_even_a_token_is_asked_for(
    caller: Caller, standin: GitHubStandIn, clock: FakeClock
) -> None:
    standin.faults.add(too_many(86_400), times=1)
    for _ in range(3):
        with pytest.raises(RateLimited):
            await caller.read()
        await clock.advance(7 * HOUR)

    assert standin.counters.requests == 1
