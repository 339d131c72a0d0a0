"""A dead letter as people meet it: the stand-in, a real run, the control port, the commands."""

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
from fakes.control import TOKEN
from fakes.controlled import Desk, controlled, text_for
from fakes.daemon import write_config
from fakes.syncing import JOB
from fakes.waiting import until

from syncd.cli import main
from syncd.model.run import RunOptions
from syncd.sandbox.faults import instead, without_keys
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.store.database import Database
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ControlUsed, DeadLetterWritten, Event
from syncd.web.server import ControlServer, ControlSettings

TOKEN_OF_GITHUB = "ghp_one"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A control over stand-in and store, its control port, and the command line."""

    desk: Desk
    url: str
    config: Path
    events: list[Event]

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str = TOKEN
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, self.url + path, json=body) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def letters(self, query: str = "") -> list[Any]:
        status, answer = await self.ask("GET", f"/api/dead-letters{query}")
        assert status == 200, answer
        return list(answer["dead_letters"])

    async def syncd(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["--config", str(self.config), *arguments])

    async def run(self) -> dict[str, Any]:
        """Run the job to its end, so that the next one may begin."""
        run = await self.desk.control.trigger(JOB, RunOptions(), None)
        ended = await self.desk.end(run["id"])

        async def is_idle() -> bool:
            return self.desk.core.engine.find_active(JOB) is None

        await until(is_idle, what="the engine to let go of the run")
        return ended

    async def wear_out(self, population: Population) -> None:
        """Run every six hours until a day has passed, each time with news of the second profile."""
        for _ in range(5):
            population.change(2)
            await self.run()
            self.desk.clock.jump_wall(timedelta(hours=6))

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
async def world(database: Database, base_url: str, tmp_path: Path) -> AsyncIterator[World]:
    folder, events = tmp_path / "cli", list[Event]()
    folder.mkdir()
    text = text_for(database.settings.address, database.settings.schema, base_url)
    async with controlled(text, tmp_path, token=TOKEN_OF_GITHUB) as desk:
        await desk.core.health.ready.wait()
        bus: Bus = desk.core.bus
        with bus.subscribed(events.append):
            async with ControlServer(
                desk.control, ControlSettings(port=0, token=TOKEN), bus=bus, clock=desk.clock
            ) as server:
                yield World(
                    desk=desk,
                    url=f"http://127.0.0.1:{server.port}",
                    config=write_config(folder, server.port),
                    events=events,
                )


async def test_a_broken_answer_becomes_a_letter_and_a_requeue_brings_the_account_back(
    world: World,
    population: Population,
    standin: GitHubStandIn,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ada, bo = population.login(1), population.login(2)
    await world.desk.link(ada=ada, bo=bo)
    standin.faults.add(without_keys("id"), path=f"/users/{ada}")

    await world.wear_out(population)

    [letter] = await world.letters()
    assert (letter["user_key"], letter["handle"], letter["attempts"]) == ("ada", ada, 5)
    assert (letter["platform"], letter["job"]) == ("github", JOB)
    assert (letter["error_class"], letter["error"]) == ("schema_error", f"'{ada}': $.id is missing")
    assert letter["payload"].startswith('{"login"')
    assert len(letter["payload"]) <= 200
    number = letter["id"]
    assert [(told.letter, told.account) for told in world.told(DeadLetterWritten)] == [
        (number, ada)
    ]
    status = await world.desk.control.status()
    assert status["dead_letters"] == 1
    assert {
        "what": "1 dead letter for a person to look at: github schema_error 1",
        "hint": "syncd dead-letters list",
    } in status["problems"]

    standin.faults.clear()
    assert await world.syncd("dead-letters", "requeue", str(number)) == 0
    assert capsys.readouterr().out == "1 dead letter requeued\n"
    run = await world.run()

    assert (run["outcome"], run["created"]) == ("succeeded", 1)
    assert [(each["id"], each["state"]) for each in await world.letters("?state=all")] == [
        (number, "resolved")
    ]
    status = await world.desk.control.status()
    assert (status["dead_letters"], status["problems"]) == (0, [])
    [used] = world.told(ControlUsed)
    assert (used.path, used.status) == (f"/api/dead-letters/{number}/requeue", 200)


async def test_no_credential_stands_in_a_letter(
    world: World, population: Population, standin: GitHubStandIn
) -> None:
    ada = population.login(1)
    await world.desk.link(ada=ada, bo=population.login(2))
    echo = f'you sent "Bearer {TOKEN_OF_GITHUB}"\x1b[31m' + "x" * 5_000
    standin.faults.add(instead(echo), path=f"/users/{ada}")

    await world.wear_out(population)

    [letter] = await world.letters()
    assert TOKEN_OF_GITHUB not in json.dumps(letter)
    assert letter["payload"].startswith(r'you sent "Bearer ***"\x1b[31mxxx')
    assert len(letter["payload"]) <= 200


@pytest.fixture
async def organizations(world: World, population: Population) -> list[Any]:
    """Two organizations that are linked by mistake, and what syncd wrote about them."""
    for index in (1, 2):
        population.become_organization(index)
    await world.desk.link(one=population.login(1), two=population.login(2))
    await world.run()
    return await world.letters()


async def test_why_names_the_letter_and_what_can_be_done(
    world: World, organizations: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    number = organizations[1]["id"]

    await world.syncd("why", "one")
    waiting = capsys.readouterr().out
    await world.ask("POST", f"/api/dead-letters/{number}/discard", {})
    await world.syncd("why", "one")
    discarded = capsys.readouterr().out

    assert (
        f"{number} waits for a person: `syncd dead-letters requeue {number}` "
        f"or `syncd dead-letters discard {number}`"
    ) in waiting
    assert f"{number} was discarded by " in discarded
    assert f"`syncd dead-letters requeue {number}` takes that back" in discarded


async def test_deciding_is_safe_to_repeat_and_refused_where_it_cannot_be(
    world: World, organizations: list[Any]
) -> None:
    number = organizations[0]["id"]
    path = f"/api/dead-letters/{number}"

    answers = [await world.ask("POST", f"{path}/discard", {}) for _ in range(2)]
    shown = await world.ask("GET", path)
    unknown = await world.ask("POST", f"/api/dead-letters/{number + 1}/requeue", {})
    await world.desk.control.opt_out(organizations[1]["user_key"], opted_out=True)
    settled = await world.ask("POST", f"/api/dead-letters/{organizations[1]['id']}/requeue", {})

    assert [(status, letter["state"]) for status, letter in answers] == [(200, "discarded")] * 2
    assert answers[0] == answers[1] == shown
    assert (unknown[0], unknown[1]["error"]) == (404, f"there is no dead letter {number + 1}")
    assert settled[0] == 409
    assert settled[1]["error"].startswith(f"dead letter {organizations[1]['id']} is resolved")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"platform": "github", "all": True}, 422),
        ({"platform": ""}, 422),
        ({"everything": True}, 422),
        ({"job": "no-such-job"}, 404),
        ({"platform": "nowhere"}, 404),
    ],
)
async def test_a_choice_that_is_not_clear_changes_nothing(
    world: World, organizations: list[Any], body: dict[str, Any], status: int
) -> None:
    for action in ("requeue", "discard"):
        refused, answer = await world.ask("POST", f"/api/dead-letters/{action}", body)

        assert (refused, set(answer) >= {"error", "hint"}) == (status, True)
    assert await world.letters() == organizations


async def test_without_the_token_nothing_is_shown_or_decided(
    world: World, organizations: list[Any]
) -> None:
    shown, _ = await world.ask("GET", "/api/dead-letters", token="")
    decided, _ = await world.ask("POST", "/api/dead-letters/requeue", {"all": True}, token="")

    assert (shown, decided) == (401, 401)
    assert await world.letters() == organizations


async def test_letters_are_listed_page_by_page(
    world: World, organizations: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    newest, oldest = organizations

    assert await world.syncd("dead-letters", "list", "--limit", "1") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == [
        *("LETTER", "STATE", "USER", "PLATFORM", "HANDLE", "JOB", "LAST", "ATTEMPTS"),
        *("OUTCOME", "ERROR"),
    ]
    assert out.splitlines()[1].split()[:3] == [str(newest["id"]), "open", newest["user_key"]]
    assert err == f"there are more: --before {newest['id']}\n"

    await world.syncd("dead-letters", "list", "--before", str(newest["id"]), "--json")
    assert json.loads(capsys.readouterr().out) == [oldest]

    await world.syncd("dead-letters", "list", "--error-class", "schema_error")
    assert capsys.readouterr() == ("", "no open letters\n")


async def test_commands_decide_about_a_choice(
    world: World, organizations: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    usage = await world.syncd("dead-letters", "requeue")
    both = await world.syncd("dead-letters", "discard", "1", "--all")
    capsys.readouterr()

    await world.syncd("dead-letters", "requeue", "--job", JOB, "--platform", "github", "--json")
    requeued = json.loads(capsys.readouterr().out)
    await world.syncd("dead-letters", "discard", str(organizations[0]["id"]))
    await world.syncd("dead-letters", "discard", "--all")
    discarded = capsys.readouterr().out
    unknown = await world.syncd("dead-letters", "discard", "999999")

    assert (usage, both, unknown) == (2, 2, 2)
    assert requeued == {"requeued": 2}
    assert discarded == "1 dead letter discarded\n0 dead letters discarded\n"
    assert capsys.readouterr().err.startswith("syncd: there is no dead letter 999999")


@pytest.mark.parametrize("command", ["list", "requeue", "discard"])
@pytest.mark.parametrize("name", ["job", "platform"])
async def test_a_name_that_is_not_in_the_configuration_is_refused_as_usage(
    world: World, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await world.syncd("dead-letters", command, f"--{name}", "nowhere")

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith(f"syncd: there is no {name} 'nowhere'\n  hint: {name}s: ")


async def test_the_api_describes_itself_without_loose_ends(world: World) -> None:
    status, described = await world.ask("GET", "/api/openapi.json")

    paths = {path: set(each) for path, each in described["paths"].items() if "dead-l" in path}
    assert (status, paths) == (
        200,
        {
            "/api/dead-letters": {"get"},
            "/api/dead-letters/{id}": {"get"},
            "/api/dead-letters/requeue": {"post"},
            "/api/dead-letters/discard": {"post"},
            "/api/dead-letters/{id}/requeue": {"post"},
            "/api/dead-letters/{id}/discard": {"post"},
        },
    )
    assert "$defs" not in json.dumps(described["paths"]["/api/dead-letters"])


async def test_metrics_count_what_waits(world: World, population: Population) -> None:
    async def scraped(job: str = JOB) -> float | None:
        await world.desk.clock.advance(16)
        text = (await world.desk.control.metrics()).decode()
        start = f'syncd_dead_letters{{job="{job}",platform="github"}} '
        told = [line for line in text.splitlines() if line.startswith(start)]
        return float(told[0].rpartition(" ")[2]) if told else None

    async def is_told(letters: int, job: str = JOB) -> bool:
        return await scraped(job) == letters

    await until(lambda: is_told(0), what="the metrics to know of no letter")
    population.become_organization(1)
    await world.desk.link(one=population.login(1))
    await world.run()

    await until(lambda: is_told(1), what="the metrics to count the letter")

    async with world.desk.core.database.connection() as connection:
        await connection.execute("UPDATE dead_letters SET job = 'renamed'")
    await until(lambda: is_told(1, job=""), what="the metrics to count it without its job")
    assert await is_told(0)
