"""Pauses and open breakers over a restart: a whole syncd, its database, and two stand-ins."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.controlled import Desk, controlled, text_for
from fakes.running import JOB
from fakes.tcp_proxy import tcp_proxy
from fakes.waiting import until

import syncd.platforms
from syncd.errors import NotKnown, RateLimited
from syncd.model.account import UserEntry
from syncd.model.gate import GateState
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.outbound.urgency import Urgency, current_urgency
from syncd.sandbox.faults import html, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.store.gates import GateStore

USERS = 30
FORGE = '''
from syncd.platforms.github import GitHub


class Forge(GitHub):
    """Another service of the same kind."""
'''


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def population() -> Population:
    return Population(7, 100, organizations=0, bots=0)


@pytest.fixture
def github(population: Population, clock: FakeClock) -> GitHubStandIn:
    return GitHubStandIn(population, clock=clock)


@pytest.fixture
def forge(population: Population, clock: FakeClock) -> GitHubStandIn:
    return GitHubStandIn(population, clock=clock)


@pytest.fixture
def forge_file(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "platforms"
    folder.mkdir()
    (folder / "forge.py").write_text(FORGE)
    syncd.platforms.__path__.append(str(folder))
    yield
    syncd.platforms.__path__.remove(str(folder))
    sys.modules.pop("syncd.platforms.forge")


class House:
    """Starts syncd again and again on the same database, at the same two platforms."""

    def __init__(self, database: Database, folder: Path, clock: FakeClock, urls: list[str]) -> None:
        settings = database.settings
        text = text_for(settings.address, settings.schema, urls[0])
        forge = text_for(settings.address, settings.schema, urls[1])
        table = forge[forge.index("[platforms.") : forge.index("[jobs.")]
        text = text.replace('platforms = ["github"]', 'platforms = ["github", "forge"]')
        self.text = text + table.replace("github", "forge")
        self.folder = folder
        self.clock = clock

    @contextlib.asynccontextmanager
    async def syncd(self, token: str = "ghp_one") -> AsyncIterator[Desk]:
        async with controlled(self.text, self.folder, self.clock, token) as desk:
            await desk.core.health.ready.wait()
            yield desk


@pytest.fixture
async def house(
    forge_file: None,
    database: Database,
    tmp_path: Path,
    clock: FakeClock,
    github: GitHubStandIn,
    forge: GitHubStandIn,
) -> AsyncIterator[House]:
    async with serve(github) as one, serve(forge) as other:
        yield House(database, tmp_path, clock, [one, other])


async def link(desk: Desk, population: Population) -> None:
    for number in range(USERS):
        login = population.login(number)
        accounts = {"github": login, "forge": login}
        await desk.control.put_user(UserEntry(key=f"u{number}", accounts=accounts))


async def run(desk: Desk) -> dict[str, Any]:
    """Run the job to its end within a few virtual seconds."""
    started = await desk.control.trigger(JOB, RunOptions(), None)

    async def ended() -> dict[str, Any] | None:
        await desk.clock.advance(0.05)
        run = await desk.control.run(started["id"])
        return run if run["finished_at"] is not None else None

    found = await until(ended, what="the run to end")
    assert found is not None
    return found


async def platform(desk: Desk, name: str = "github") -> dict[str, Any]:
    return next(each for each in await desk.control.platforms() if each["name"] == name)


async def problems(desk: Desk) -> list[str]:
    return [problem["what"] for problem in (await desk.control.status())["problems"]]


async def test_a_restart_in_the_middle_of_a_pause_keeps_it_and_others_go_on(
    house: House, github: GitHubStandIn, forge: GitHubStandIn, population: Population
) -> None:
    github.faults.add(too_many(3600), times=10)
    async with house.syncd() as desk:
        await link(desk, population)
        await desk.control.trigger(JOB, RunOptions(platform="github"), None)

        async def is_paused() -> bool:
            await house.clock.advance(0.05)
            return (await platform(desk))["paused_until"] is not None

        await until(is_paused, what="github to ask for a pause")
    asked = github.counters.requests
    await house.clock.advance(1800)

    async with house.syncd() as desk:
        kept = (await platform(desk))["paused_until"]
        started = await desk.control.trigger(JOB, RunOptions(), None)

        async def is_forge_done() -> bool:
            await house.clock.advance(0.05)
            return len(forge.counters.fetched()) == USERS

        await until(is_forge_done, what="the other platform to be finished")
        await house.clock.advance((kept - house.clock.now()).total_seconds() - 1)
        asked_until_the_end = github.counters.requests
        ended = await desk.end(started["id"])

    assert 1 <= asked <= 10
    assert asked_until_the_end == asked
    assert ended["finished_at"] >= kept
    assert (ended["outcome"], ended["created"]) == ("succeeded", 2 * USERS)


async def test_a_pause_of_a_day_holds_neither_a_run_nor_a_connection(
    house: House, github: GitHubStandIn, population: Population
) -> None:
    github.faults.add(too_many(86_400))
    async with house.syncd() as desk:
        await link(desk, population)
        begun = house.clock.now()
        ended = await run(desk)
        gate = desk.core.around.platforms["github"][0].client.gate
        work = desk.core.scheduler.job(JOB).work
        retry = await work.next_retry(desk.core.around, begun)
        told = await problems(desk)

        assert (ended["outcome"], ended["created"], ended["failed"]) == ("partial", USERS, 0)
        assert house.clock.now() - begun < timedelta(minutes=1)
        assert (desk.core.engine.active(), gate.in_flight, gate.waiting) == ([], 0, 0)
        assert retry == gate.closed_until()
        assert gate.pauses.left_seconds() > 86_000
        assert any(text.startswith("github pause until 2026-01-02 00:00") for text in told)


async def test_web_pages_open_the_breaker_over_a_restart_and_one_trial_closes_it(
    house: House, github: GitHubStandIn, population: Population
) -> None:
    github.faults.add(html(200))
    async with house.syncd() as desk:
        await link(desk, population)
        blocked = await run(desk)
        told = await problems(desk)
    asked = github.counters.requests

    async with house.syncd() as desk:
        await house.clock.advance(300)
        closed_off = await run(desk)
        asked_meanwhile = github.counters.requests - asked
        await house.clock.advance(300)
        await run(desk)
        trials = github.counters.requests - asked
        still = (await platform(desk))["breaker"]
        github.faults.clear()
        await house.clock.advance(1200)
        healed = await run(desk)
        state = (await platform(desk))["breaker"]["state"]

    words = "github answers something that is not its API since 00:00"
    assert any(text.startswith(words) for text in told)
    assert (blocked["failed"], closed_off["failed"]) == (0, 0)
    assert words in closed_off["error"]
    assert "tried again at 00:10" in closed_off["error"]
    assert (asked_meanwhile, trials) == (0, 1)
    assert (still["state"], still["cause"]) == ("open", "blocked")
    assert (healed["outcome"], state) == ("succeeded", "closed")


async def test_another_credential_of_the_same_name_does_not_inherit_the_pause(
    house: House,
) -> None:
    async with house.syncd() as desk:
        desk.core.around.platforms["github"][0].client.gate.pauses.pause(3600, "secondary limit")

    async with house.syncd(token="ghp_two") as desk:
        other = (await platform(desk))["paused_until"]
    async with house.syncd() as desk:
        same = (await platform(desk))["paused_until"]

    assert (other, same is None) == (None, False)


async def test_another_address_does_not_inherit_what_the_wrong_one_asked_for(
    house: House, github: GitHubStandIn
) -> None:
    async with house.syncd() as desk:
        desk.core.around.platforms["github"][0].client.gate.pauses.pause(3600, "secondary limit")

    async with serve(github) as elsewhere:
        text = house.text
        house.text = text.replace(text.split('base_url = "')[1].split('"')[0], elsewhere, 1)
        async with house.syncd() as desk:
            mended = (await platform(desk))["paused_until"]

    assert mended is None


async def test_a_used_up_quota_and_the_reserve_are_kept_over_a_restart(
    house: House, population: Population
) -> None:
    house.text = house.text.replace('rate = "1000/s"', 'rate = "1000/s"\nquota = "10/h"', 1)
    async with house.syncd() as desk:
        await link(desk, population)
        gate = desk.core.around.platforms["github"][0].client.gate
        for _ in range(8):
            async with gate.passage():
                pass
        with pytest.raises(RateLimited, match="reserve"):
            await gate.passage().__aenter__()
    async with house.syncd() as desk:
        gate = desk.core.around.platforms["github"][0].client.gate
        with pytest.raises(RateLimited, match="reserve"):
            await gate.passage().__aenter__()
        words = (await platform(desk))["waits_for"]
        current_urgency.set(Urgency.MANUAL)
        async with gate.passage():
            pass

    assert words == "github pause until 01:00:03 UTC (reserve for manual triggers)"


async def test_a_person_lifts_a_wrong_pause_and_the_run_that_waits_goes_on(
    house: House, github: GitHubStandIn, population: Population
) -> None:
    github.faults.add(too_many(3600), times=10)
    async with house.syncd() as desk:
        await link(desk, population)
        started = await desk.control.trigger(JOB, RunOptions(platform="github"), None)

        async def is_paused() -> bool:
            await house.clock.advance(0.05)
            return (await platform(desk))["paused_until"] is not None

        await until(is_paused, what="github to ask for a pause")
        github.faults.clear()
        answer = await desk.control.resume(PauseScope.PLATFORM, "github", actor="ops")
        again = await desk.control.resume(PauseScope.PLATFORM, "github", actor="ops")
        ended = await desk.end(started["id"])
        after = await platform(desk)

    assert (answer["was_paused"], again["was_paused"], again["lifted"]) == (True, False, [])
    assert answer["lifted"][0].endswith("(secondary limit)")
    assert (ended["outcome"], ended["created"]) == ("succeeded", USERS)
    # The virtual clock runs on while requests are answered; the pause would have been an hour.
    assert ended["finished_at"] - ended["started_at"] < timedelta(minutes=59)
    assert after["paused_until"] is None


async def test_a_person_closes_a_breaker_of_one_credential_and_that_is_kept(
    house: House, github: GitHubStandIn, population: Population
) -> None:
    github.faults.add(html(200))
    async with house.syncd() as desk:
        await link(desk, population)
        await run(desk)
        opened = (await platform(desk))["breaker"]["state"]
        with pytest.raises(NotKnown, match="no credential 'other'") as unknown:
            await desk.control.resume(
                PauseScope.PLATFORM, "github", actor="ops", credential="other"
            )
        lifted = await desk.control.resume(
            PauseScope.PLATFORM, "github", actor="ops", credential="main"
        )
        kept = GateStore(desk.core.database)

        async def is_kept() -> bool:
            return {state.openings for state in await kept.read()} == {0}

        await until(is_kept, what="the closed breaker to be kept")
    async with house.syncd() as desk:
        state = (await platform(desk))["breaker"]["state"]

    assert unknown.value.hint == "credentials: main"
    assert "answers something that is not its API" in lifted["lifted"][0]
    assert (opened, state) == ("open", "closed")


async def test_what_a_gate_tells_is_written_at_once_and_after_an_outage(
    house: House, database: Database
) -> None:
    store = GateStore(database)
    address = database.settings.address
    socket = Path(address.host) / f".s.PGSQL.{address.port}"
    async with tcp_proxy(socket) as proxy:
        over_tcp = replace(address, host="127.0.0.1", port=proxy.port)
        house.text = text_for(over_tcp, database.settings.schema, "http://127.0.0.1:9")
        async with house.syncd() as desk:
            pauses = desk.core.around.platforms["github"][0].client.gate.pauses

            async def written() -> list[GateState]:
                await desk.clock.advance(60)
                return [state for state in await store.read() if state.paused_until is not None]

            pauses.pause(36_000, "first")
            first = (await until(written, what="the pause to be kept"))[0]
            await proxy.cut()
            pauses.pause(72_000, "second")
            await desk.clock.advance(5)
            lost = (await store.read())[0]
            await proxy.mend()

            async def is_newer() -> bool:
                return (await written())[0].pause_cause == "second"

            await until(is_newer, what="the longer pause to be kept")

    assert (first.pause_cause, lost.pause_cause) == ("first", "first")
