"""Several credentials of one platform: each its own accounts, budget and pauses; none for another.

A whole syncd in virtual time, its database, and a stand-in that keeps one account per credential.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.controlled import Desk, controlled, text_for
from fakes.keys import private_pem, public_pem
from fakes.running import JOB
from fakes.waiting import until

from syncd.errors import ConfigError
from syncd.model.run import RunOptions
from syncd.sandbox.faults import latency, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.telemetry.events import RunProgressed

USERS = 60
DAY = 86_400
TOKEN = '{ name = "personal", token = "ghp_one" }'
OTHER = '{ name = "second", token = "ghp_two" }'
OAUTH = '{ name = "oauth", client_id = "Iv1.ab", client_secret = "of-the-app" }'
APP = '{ name = "app", app_id = 12, installation_id = 34, private_key_file = "app.pem" }'
ASKED_AS = {
    "personal": "token ghp_one",
    "second": "token ghp_two",
    "oauth": "app Iv1.ab",
    "app": "installation 34",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def population() -> Population:
    return Population(7, USERS, organizations=0, bots=0)


@pytest.fixture
def standin(population: Population, clock: FakeClock) -> GitHubStandIn:
    standin = GitHubStandIn(population, clock=clock)
    standin.credentials.install("12", 34, public_pem())
    standin.credentials.add_oauth_app("Iv1.ab", "of-the-app")
    return standin


class House:
    """Starts syncd again and again on the same database, with the credentials a test wants."""

    def __init__(self, database: Database, folder: Path, clock: FakeClock, url: str) -> None:
        text = text_for(database.settings.address, database.settings.schema, url)
        # What a sweep tells of needs no ETag.
        self._text = text.replace("sweep = true", "sweep = false")
        self._folder = folder
        self.clock = clock
        (folder / "app.pem").write_text(private_pem())

    @contextlib.asynccontextmanager
    async def syncd(self, *credentials: str) -> AsyncIterator[Desk]:
        lines = self._text.splitlines()
        place = next(n for n, line in enumerate(lines) if line.startswith("credentials"))
        lines[place] = f"credentials = [{', '.join(credentials)}]"
        (self._folder / "config.toml").unlink(missing_ok=True)
        (self._folder / "config.toml").touch(mode=0o600)
        async with controlled("\n".join(lines), self._folder, self.clock) as desk:
            await desk.core.health.ready.wait()
            yield desk


@pytest.fixture
async def house(
    database: Database, tmp_path: Path, clock: FakeClock, standin: GitHubStandIn
) -> AsyncIterator[House]:
    async with serve(standin) as url:
        yield House(database, tmp_path, clock, url)


async def link(desk: Desk, population: Population) -> None:
    await desk.link(**{f"u{number}": population.login(number) for number in range(USERS)})


async def run(desk: Desk, **options: Any) -> dict[str, Any]:
    """Run the job to its end within a few virtual seconds."""
    await desk.clock.advance(1)
    started = await desk.control.trigger(JOB, RunOptions(**options), None)

    async def ended() -> dict[str, Any] | None:
        await desk.clock.advance(0.05)
        run = await desk.control.run(started["id"])
        return run if run["finished_at"] is not None else None

    found = await until(ended, what="the run to end")
    assert found is not None
    return found


async def shares(desk: Desk) -> Counter[str]:
    return Counter((await bound(desk)).values())


async def bound(desk: Desk) -> dict[int, str]:
    async with desk.core.database.connection() as connection:
        rows = await connection.fetch("SELECT account_id, credential FROM sync_state")
    return {row["account_id"]: row["credential"] for row in rows}


async def ways(desk: Desk) -> dict[str, dict[str, Any]]:
    """Return what is told of each credential."""
    return {each["credential"]: each for each in (await github_of(desk))["credentials"]}


async def github_of(desk: Desk) -> dict[str, Any]:
    """Return what is told of the platform."""
    [github] = [each for each in await desk.control.platforms() if each["name"] == "github"]
    return github


async def someone_of(desk: Desk, credential: str) -> str:
    """Return the path of a user who is asked for with a credential."""
    async with desk.core.database.connection() as connection:
        number = await connection.fetchval(
            "SELECT external_id FROM sync_state JOIN accounts ON accounts.id = account_id "
            "WHERE credential = $1 LIMIT 1",
            credential,
        )
    return f"/user/{number}"


async def test_three_kinds_share_the_accounts_and_each_has_a_budget_of_its_own(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    async with house.syncd(TOKEN, OAUTH, APP) as desk:
        await link(desk, population)
        first = await run(desk)
        share = await shares(desk)
        github = await github_of(desk)
        known = await ways(desk)

    assert (first["outcome"], first["created"]) == ("succeeded", USERS)
    assert {name: standin.credentials.asked[ASKED_AS[name]] for name in known} == share
    assert {name: way["scheme"] for name, way in known.items()} == {
        "personal": "bearer",
        "oauth": "basic",
        "app": "installation",
    }
    used = {name: 5000 - way["quota"]["left"] for name, way in known.items()}
    assert used == share  # a token is asked for, but draws on none of it
    assert github["calls"] == first["calls"] == USERS + 1
    assert (github["quota"]["limit"], github["quota"]["left"]) == (15_000, 15_000 - USERS)


async def test_a_token_that_ends_in_the_middle_of_a_run_is_renewed_and_nobody_notices(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    standin.credentials.token_seconds = 90
    standin.faults.add(latency(30))
    async with house.syncd(APP) as desk:
        await link(desk, population)
        started = await desk.control.trigger(JOB, RunOptions(), None)
        ended = await desk.end(started["id"])

    made = standin.credentials.tokens_made(34)
    assert (ended["outcome"], ended["created"], ended["calls"]) == (
        "succeeded",
        USERS,
        USERS + made,
    )
    assert made >= 2
    assert standin.counters.unauthorised == 0


async def test_progress_is_told_of_the_platform_as_one(
    house: House, population: Population
) -> None:
    told: list[RunProgressed] = []

    def note(event: object) -> None:
        if isinstance(event, RunProgressed):
            told.append(event)

    async with house.syncd(TOKEN, OAUTH, APP) as desk:
        await link(desk, population)
        with desk.core.bus.subscribed(note):
            await run(desk)

    assert {event.total for event in told} == {USERS}
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert told[-1].done == USERS


async def test_after_a_restart_everybody_is_bound_as_before_and_every_etag_holds(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    async with house.syncd(TOKEN, OTHER, OAUTH) as desk:
        await link(desk, population)
        await run(desk)
        before = await bound(desk)
    standin.counters.clear()

    async with house.syncd(OAUTH, TOKEN, OTHER) as desk:
        second = await run(desk)
        after = await bound(desk)

    assert after == before
    assert (second["unchanged"], second["saved"]) == (USERS, USERS)
    assert standin.counters.by_status == {304: USERS}


async def test_installations_send_no_etags_so_that_nothing_stale_can_match(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    async with house.syncd(TOKEN, APP) as desk:
        await link(desk, population)
        await run(desk)
        share = await shares(desk)
        standin.counters.clear()
        second = await run(desk)

    assert (second["unchanged"], second["saved"]) == (USERS, share["personal"])
    assert standin.counters.by_status == {304: share["personal"], 200: share["app"]}


async def test_removing_a_credential_asks_only_for_its_accounts_without_their_etags(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    async with house.syncd(TOKEN, OTHER, OAUTH) as desk:
        await link(desk, population)
        await run(desk)
        before = await bound(desk)
    standin.counters.clear()

    async with house.syncd(TOKEN, OTHER) as desk:
        await run(desk)
        after = await bound(desk)

    moved = {number for number in before if before[number] != after[number]}
    assert moved == {number for number, name in before.items() if name == "oauth"}
    assert standin.counters.by_status == {304: USERS - len(moved), 200: len(moved)}


async def test_a_pause_of_a_day_stops_one_credential_and_survives_a_restart_for_it_alone(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    async with house.syncd(TOKEN, OAUTH, APP) as desk:
        await link(desk, population)
        await run(desk)
        share = await shares(desk)
        standin.faults.add(too_many(DAY), path=await someone_of(desk, "oauth"), times=1)
        begun = house.clock.now()
        paused = await run(desk)
        took = house.clock.now() - begun
        known = await ways(desk)
        github = await github_of(desk)
        told = [problem["what"] for problem in (await desk.control.status())["problems"]]
        retry = await desk.core.scheduler.job(JOB).work.next_retry(desk.core.around, begun)
        clients = [platform.client for platform in desk.core.around.platforms["github"]]
        assert desk.core.engine.active() == []
        assert [(client.gate.in_flight, client.gate.waiting) for client in clients] == [(0, 0)] * 3
    standin.credentials.asked.clear()
    await house.clock.advance(DAY / 2)

    async with house.syncd(TOKEN, OAUTH, APP) as desk:
        again = await run(desk)
        kept = await ways(desk)
        asked_meanwhile = standin.credentials.asked["app Iv1.ab"]
        await house.clock.advance(DAY / 2)
        healed = await run(desk)

    done = USERS - share["oauth"]
    assert (paused["outcome"], paused["failed"]) == ("partial", 0)
    assert done <= paused["seen"] < USERS
    assert took < timedelta(minutes=1)
    assert paused["error"].startswith("oauth: ")
    assert [name for name, way in known.items() if way["paused_until"]] == ["oauth"]
    assert github["paused_until"] is None
    assert any(text.startswith("oauth: github pause until 2026-01-02") for text in told)
    assert retry == known["oauth"]["paused_until"]
    assert (again["outcome"], again["seen"], asked_meanwhile) == ("partial", done, 0)
    assert abs(kept["oauth"]["paused_until"] - known["oauth"]["paused_until"]) < timedelta(
        seconds=1
    )
    assert [name for name, way in kept.items() if way["paused_until"]] == ["oauth"]
    assert (healed["outcome"], healed["seen"]) == ("succeeded", USERS)


def revoke(standin: GitHubStandIn) -> None:
    standin.revoke("ghp_one")


def suspend(standin: GitHubStandIn) -> None:
    standin.credentials.change_installation(34, "suspended")


def uninstall(standin: GitHubStandIn) -> None:
    standin.credentials.change_installation(34, "removed")


@pytest.mark.parametrize(
    ("take_away", "name", "says"),
    [
        (revoke, "personal", "HTTP 401"),
        (suspend, "app", "HTTP 403: app 12 is suspended or has no rights"),
        (uninstall, "app", "HTTP 404: app 12 has no installation 34; it was removed"),
    ],
)
async def test_a_refused_credential_is_named_and_the_others_go_on(
    house: House,
    population: Population,
    standin: GitHubStandIn,
    take_away: Callable[[GitHubStandIn], None],
    name: str,
    says: str,
) -> None:
    take_away(standin)
    async with house.syncd(TOKEN, OAUTH, APP) as desk:
        await link(desk, population)
        ended = await run(desk)
        share = await shares(desk)
        status = await desk.control.status()
        count = await missing(desk)
        held = await whose_why_says(desk, f"refuses the credential {name}")

    assert (ended["outcome"], ended["created"]) == ("partial", USERS - share[name])
    assert (ended["failed"], count) == (0, 0)
    assert ended["error"].startswith(f"github refuses the credential {name}: {says}")
    assert name in ended["hint"]
    assert {"what": ended["error"], "hint": ended["hint"]} in status["problems"]
    assert held == {name}


async def test_limit_that_a_refused_credential_cannot_use_is_used_by_the_other(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    revoke(standin)
    async with house.syncd(TOKEN, OTHER) as desk:
        await link(desk, population)
        limited = await run(desk, limit=10)

    assert (limited["outcome"], limited["created"], limited["seen"]) == ("partial", 10, 10)


async def missing(desk: Desk) -> int:
    async with desk.core.database.connection() as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM accounts WHERE state <> 'active'"
        )
    return found


async def test_why_tells_the_pause_of_the_users_own_credential_only(
    house: House, population: Population, standin: GitHubStandIn
) -> None:
    async with house.syncd(TOKEN, OAUTH) as desk:
        await link(desk, population)
        await run(desk)
        oauth = desk.core.around.platforms["github"][1]
        oauth.client.gate.pauses.pause(DAY, "secondary limit")
        held = await whose_why_says(desk, "oauth: github pause until")

    assert held == {"oauth"}


async def whose_why_says(desk: Desk, words: str) -> set[str]:
    """Return the credentials of all users of whom `syncd why` says something."""
    async with desk.core.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT users.key, credential FROM users JOIN accounts ON user_id = users.id "
            "JOIN sync_state ON account_id = accounts.id"
        )
    return {
        row["credential"]
        for row in rows
        if words in str((await desk.control.why(row["key"], 5))["accounts"])
    }


async def test_a_key_that_is_no_key_keeps_syncd_from_starting(house: House, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text("not a key")

    with pytest.raises(ConfigError, match="holds no RSA private key in PEM form") as refusal:
        async with house.syncd(TOKEN, APP):
            pass

    assert "private_key_file" in str(refusal.value)
