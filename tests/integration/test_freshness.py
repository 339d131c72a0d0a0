"""`stale` and `why`: a real control, store and control port, asked by API and by command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fakes.clock import START
from fakes.control import TOKEN
from fakes.controlled import Desk, controlled, text_for
from fakes.daemon import write_config
from fakes.running import JOB
from fakes.waiting import until

from syncd.cli import main
from syncd.model.pause import PauseScope
from syncd.model.run import Outcome, RunOptions
from syncd.sandbox.faults import hang, without_keys
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.web.server import ControlServer, ControlSettings

HOUR = timedelta(hours=1)
# GitHub was asked once an hour; by the job's promise an answer may be 12 h + 1 h old.
SCHEDULE = 'schedule = "0 * * * *"\nattempts = 1\n'
BACKUP = '[jobs.backup]\nkind = "profiles"\nplatforms = ["github"]\n'
NEXT = "2026-01-01 01:00 UTC by sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A control over stand-in and store, its control port, and the command line."""

    desk: Desk
    url: str
    config: Path

    async def ask(self, path: str, *, token: str = TOKEN) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(self.url + path) as answer,
        ):
            return answer.status, await answer.json()

    async def why(self, key: str) -> Any:
        """Return what is told about a user's only account."""
        status, answer = await self.ask(f"/api/users/{key}/why")
        assert status == 200, answer
        [account] = answer["accounts"]
        return account

    async def syncd(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["--config", str(self.config), *arguments])

    async def run(self, job: str = JOB) -> int:
        """Run a job to its end; no time passes."""
        run = await self.desk.control.trigger(job, RunOptions(), None)

        async def has_ended() -> bool:
            return Outcome((await self.desk.control.run(run["id"]))["outcome"]).is_final

        await until(has_ended, what="the run to end")
        await self.desk.clock.settle()
        return int(run["id"])


@pytest.fixture
def population() -> Population:
    return Population(7, 100, organizations=0, bots=0)


@pytest.fixture
def standin(population: Population) -> GitHubStandIn:
    return GitHubStandIn(population)


@pytest.fixture
async def world(
    database: Database,
    standin: GitHubStandIn,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[World]:
    """Yield a world; a parameter goes into the job's table."""
    folder = tmp_path / "cli"
    folder.mkdir()
    async with serve(standin) as base_url:
        text = text_for(database.settings.address, database.settings.schema, base_url)
        text += SCHEDULE + getattr(request, "param", "")
        async with controlled(text, tmp_path, is_firing=True) as desk, asyncio.TaskGroup() as group:
            await desk.core.health.ready.wait()
            firing = group.create_task(desk.core.scheduler.run())
            await until(lambda: _is_prepared(desk), what="the scheduler")
            async with ControlServer(
                desk.control,
                ControlSettings(port=0, token=TOKEN),
                bus=desk.core.bus,
                clock=desk.clock,
            ) as server:
                yield World(
                    desk=desk,
                    url=f"http://127.0.0.1:{server.port}",
                    config=write_config(folder, server.port),
                )
            firing.cancel()


async def _is_prepared(desk: Desk) -> bool:
    return desk.core.scheduler.next_fire(JOB) is not None


async def test_a_good_answer_is_told_with_its_run_and_the_next_one(
    world: World, population: Population
) -> None:
    await world.desk.link(ada=population.login(1))
    first = await world.run()

    account = await world.why("ada")

    assert (account["state_in_words"], account["holds"]) == ("followed", [])
    assert (account["fresh_run"], account["age_seconds"], account["is_stale"]) == (first, 0, False)
    assert account["bound_seconds"] == 13 * 3600
    assert account["external_id"] == str(population.account_id(1))
    assert account["next"] == {
        "text": f"asked again with the run at {NEXT}",
        "at": "2026-01-01T01:00:00Z",
        "job": JOB,
    }
    [attempt] = account["attempts"]
    assert (attempt["run_id"], attempt["job"], attempt["outcome"]) == (first, JOB, "created")


async def test_an_unchanged_answer_is_an_attempt_too(world: World, population: Population) -> None:
    await world.desk.link(ada=population.login(1))
    await world.run()
    await world.desk.clock.advance(60)
    second = await world.run()

    account = await world.why("ada")

    assert account["fresh_run"] == second
    assert [(each["run_id"], each["job"], each["outcome"]) for each in account["attempts"]] == [
        (second, JOB, "unchanged"),
        (second - 1, JOB, "created"),
    ]


async def test_a_failure_is_told_with_its_rest_and_its_retry(
    world: World, population: Population, standin: GitHubStandIn
) -> None:
    standin.faults.add(without_keys("id"))
    await world.desk.link(ada=population.login(1))
    await world.run()

    account = await world.why("ada")

    rest = "(1st failure in a row rests 15 min)"
    assert account["holds"] == [
        f"retries wait until 2026-01-01 00:15 UTC {rest}; other runs do not"
    ]
    assert (
        account["next"]["text"] == f"retried at 2026-01-01 00:15 UTC at the earliest by sync {rest}"
    )
    assert (account["fresh_at"], account["fail_streak"]) == (None, 1)
    assert account["attempts"][0]["outcome"] == "schema_error"


async def test_an_account_that_was_not_found_waits_for_the_next_run(world: World) -> None:
    await world.desk.link(bo="nobody-has-this-name")
    await world.run()

    account = await world.why("bo")

    assert account["next"]["text"] == f"tried again with the run at {NEXT}"
    [held] = account["holds"]
    assert held.startswith("retries wait until 2026-01-01 12:00 UTC")
    assert held.endswith("; other runs do not")


async def test_an_organization_is_quarantined_and_looked_at_in_a_week(
    world: World, population: Population
) -> None:
    population.become_organization(1)
    await world.desk.link(org=population.login(1))
    await world.run()

    account = await world.why("org")

    assert account["state_in_words"].startswith("quarantined since 2026-01-01 00:00 UTC: ")
    assert account["next"]["text"] == (
        "looked at again with the run at 2026-01-08 01:00 UTC by sync"
    )


async def test_who_opted_out_is_told_how_to_come_back(world: World, population: Population) -> None:
    await world.desk.link(ada=population.login(1))
    await world.desk.control.opt_out("ada", opted_out=True)

    account = await world.why("ada")

    assert account["next"]["text"] == "nothing: opted out; `syncd users opt-out ada --undo`"


async def test_a_pause_is_named_with_who_and_why_and_moves_the_next_run(
    world: World, population: Population
) -> None:
    await world.desk.link(ada=population.login(1))
    until = START + 1.5 * HOUR
    control = world.desk.control
    await control.pause(PauseScope.JOB, JOB, why="moving", until=until, actor="ada")

    account = await world.why("ada")

    assert account["holds"] == ["sync is paused until 2026-01-01 01:30 UTC by ada: moving"]
    assert account["next"]["at"] == "2026-01-01T02:00:00Z"


@pytest.mark.parametrize("world", ['mode = "catch_up"\n'], indirect=True)
async def test_a_catch_up_job_asks_first_when_the_answer_is_no_longer_fresh(
    world: World, population: Population
) -> None:
    await world.desk.link(ada=population.login(1))
    await world.run()

    account = await world.why("ada")

    # fresh_for is 12 h: the run at 12:00 still leaves it out.
    assert account["next"]["at"] == "2026-01-01T13:00:00Z"


async def test_a_run_that_waits_for_a_pause_is_told(world: World, population: Population) -> None:
    await world.desk.link(ada=population.login(1))
    control, end = world.desk.control, START + 0.5 * HOUR
    await control.pause(PauseScope.PLATFORM, "github", why="", until=end, actor="bo")
    run = await world.desk.core.scheduler.trigger(JOB, RunOptions())

    account = await world.why("ada")

    assert account["holds"] == ["github is paused until 2026-01-01 00:30 UTC by bo"]
    assert account["next"]["text"] == (
        f"asked by run {run.id} of sync, which has not come to it yet, "
        "but not before 2026-01-01 00:30 UTC: github is paused"
    )


async def test_a_request_under_way_is_told(
    world: World, population: Population, standin: GitHubStandIn
) -> None:
    standin.faults.add(hang())
    await world.desk.link(ada=population.login(1))
    run = await world.desk.control.trigger(JOB, RunOptions(), None)

    async def is_asked() -> bool:
        return any(world.desk.core.around.in_flight.values())

    await until(is_asked, what="the request")
    account = await world.why("ada")
    await world.desk.control.cancel(run["id"])

    assert account["holds"] == ["a run asks for it right now"]


async def test_the_stale_list_tells_who_is_overdue_and_when_each_is_tried_again(
    world: World, population: Population
) -> None:
    await world.desk.link(ada=population.login(1), bo="nobody-has-this-name")
    await world.run()

    status, answer = await world.ask("/api/stale?platform=github&limit=5")

    first, second = answer["accounts"]
    assert (status, answer["stale"]) == (200, 0)
    assert (first["user_key"], first["outcome"], first["fail_streak"]) == ("bo", "not_found", 1)
    assert (first["fresh_at"], first["error"] != "") == (None, True)
    assert (second["user_key"], second["fresh_at"]) == ("ada", "2026-01-01T00:00:00Z")
    assert second["next"]["at"] == "2026-01-01T01:00:00Z"


async def test_an_account_older_than_promised_is_overdue(
    world: World, population: Population
) -> None:
    await world.desk.link(ada=population.login(1))
    await world.run()
    await world.desk.control.pause(PauseScope.ALL, "", why="", until=None, actor="ada")
    await world.desk.clock.advance(14 * 3600)

    _, answer = await world.ask("/api/stale")

    assert (answer["stale"], answer["accounts"][0]["is_stale"]) == (1, True)
    assert answer["accounts"][0]["age_seconds"] == 14 * 3600
    assert answer["accounts"][0]["next"]["text"] == "nothing until `syncd resume --all`"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/stale?platform=gitlab", 404),
        ("/api/stale?limit=0", 422),
        ("/api/users/nobody/why", 404),
        ("/api/users/nobody/why?attempts=0", 422),
    ],
)
async def test_what_is_not_there_is_said_with_a_hint(world: World, path: str, status: int) -> None:
    answered, body = await world.ask(path)

    assert answered == status
    assert body["hint"]


@pytest.mark.parametrize("world", [f'fresh_for = "6h"\n{BACKUP}'], indirect=True)
async def test_a_run_that_spares_what_another_job_got_is_not_announced(
    world: World, population: Population
) -> None:
    await world.desk.link(ada=population.login(1))
    await world.run("backup")

    spared = await world.why("ada")
    await world.run()
    own = await world.why("ada")
    await world.desk.clock.advance(HOUR.total_seconds() * 7)

    async def is_asked_again() -> Any:
        account = await world.why("ada")
        return account if account["fresh_at"] == "2026-01-01T07:00:00Z" else None

    later = await until(is_asked_again, what="the run of seven o'clock")

    assert spared["next"]["at"] == "2026-01-01T07:00:00Z"
    assert (own["fresh_at"], own["next"]["at"]) == (spared["fresh_at"], spared["next"]["at"])
    # Its own answers keep no full run from asking again.
    assert later["next"]["at"] == "2026-01-01T08:00:00Z"


@pytest.mark.parametrize("path", ["/api/stale", "/api/users/ada/why"])
async def test_personal_data_stays_behind_the_token(world: World, path: str) -> None:
    answered, body = await world.ask(path, token="")

    assert answered == 401
    assert set(body) == {"error", "hint"}


async def test_the_commands_show_it_readably(
    world: World, population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    login = population.login(1)
    await world.desk.link(ada=login, bo="nobody-has-this-name")
    run = await world.run()

    codes = [await world.syncd("stale"), await world.syncd("why", "ada")]

    stale, why = capsys.readouterr().out.split("user ada\n")
    lines = why.splitlines()
    assert codes == [0, 0]
    assert [line.split()[:4] for line in stale.splitlines()[1:]] == [
        ["ok", "bo", "github", "nobody-has-this-name"],
        ["ok", "ada", "github", login],
    ]
    assert lines[2] == "state   followed"
    assert lines[3:5] == [
        f"fresh   2026-01-01 00:00 by run {run}, 0.0 s old, younger than the 13 h 0 m",
        "          promised",
    ]
    assert lines[6] == f"next    asked again with the run at {NEXT} (in 1 h 0 m)"
    assert lines[8].split() == ["2026-01-01", "00:00", str(run), "sync", "manual", "created", "-"]


async def test_stale_ends_with_4_when_something_is_older_than_promised(
    world: World, population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.desk.link(ada=population.login(1))
    await world.run()
    await world.desk.control.pause(PauseScope.ALL, "", why="", until=None, actor="ada")
    await world.desk.clock.advance(14 * 3600)

    code = await world.syncd("stale")

    out, err = capsys.readouterr()
    assert (code, out.splitlines()[1].split()[0]) == (4, "stale")
    assert err == "1 account is older than promised; `syncd why USER` tells why\n"


async def test_the_commands_answer_programs(
    world: World, population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.desk.link(ada=population.login(1))

    codes = [await world.syncd("--json", "stale"), await world.syncd("--json", "why", "ada")]

    answers = capsys.readouterr().out
    decoder = json.JSONDecoder()
    stale, end = decoder.raw_decode(answers)
    why, _ = decoder.raw_decode(answers[end:].lstrip())
    assert codes == [0, 0]
    assert stale["accounts"][0]["user_key"] == why["key"] == "ada"


async def test_why_nobody_says_how_to_find_somebody(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await world.syncd("why", "nobody")

    assert code == 2
    assert capsys.readouterr().err.splitlines() == [
        "syncd: there is no user 'nobody'",
        "  hint: `syncd users list` shows whom syncd knows; mind capitals",
    ]
