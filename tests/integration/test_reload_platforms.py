"""[platforms] is reloaded: limits, addresses and credentials change, what is known stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fakes.controlled import Desk
from fakes.running import JOB
from fakes.waiting import until

from syncd.model.run import RunOptions
from syncd.outbound.client import PlatformClient
from syncd.outbound.request import Request
from syncd.platforms.base import Oddity
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve


class Editor:
    """Changes config.toml and applies it."""

    def __init__(self, desk: Desk, path: Path) -> None:
        self._desk = desk
        self._path = path

    async def change(self, *, token: str = "", **keys: str) -> dict[str, Any]:
        """Let these keys of the platform be others."""
        text = self._path.read_text().replace("${TOKEN:-}", token or "${TOKEN:-}")
        lines = [line for line in text.splitlines() if line.partition(" =")[0] not in keys]
        place = lines.index("[platforms.github]") + 1
        lines[place:place] = [f"{key} = {value}" for key, value in keys.items()]
        self._path.write_text("\n".join(lines) + "\n")
        self._path.chmod(0o600)
        return await self._desk.control.reload(dry_run=False, actor="ops")


@pytest.fixture
def editor(desk: Desk, tmp_path: Path) -> Editor:
    return Editor(desk, tmp_path / "config.toml")


def client_of(desk: Desk) -> PlatformClient:
    return desk.core.around.platforms["github"][0].client


def about(population: Population, index: int) -> Request:
    return Request(segments=("users", population.login(index)))


async def test_limits_change_at_once_and_a_pause_and_the_count_of_calls_stay(
    desk: Desk, editor: Editor, population: Population
) -> None:
    await desk.clock.run(client_of(desk).request(about(population, 1)))
    gate = client_of(desk).gate
    gate.pauses.pause(7200, "asked for")
    odd = Oddity(error="no login", since=desk.clock.now())
    desk.core.around.platforms["github"][0].oddity = odd

    answer = await editor.change(rate='"3/s"', slots="2", timeout='"7s"')

    (platform,) = [each for each in await desk.control.platforms() if each["name"] == "github"]
    assert {each["needs_restart"] for each in answer["differences"]} == {False}
    assert (platform["rate"], platform["slots"], platform["calls"]) == (3.0, 2, 1)
    assert platform["pause_cause"] == "asked for"
    assert client_of(desk).gate.closed_until() == gate.closed_until()
    assert desk.core.around.platforms["github"][0].oddity == odd
    assert (await desk.control.status())["notes"] == []


async def test_requests_that_wait_for_a_slow_rate_leave_at_the_new_one_in_their_order(
    desk: Desk, editor: Editor, population: Population
) -> None:
    await editor.change(rate='"1/h"')
    client, done = client_of(desk), list[int]()

    async def ask(index: int) -> None:
        await client.request(about(population, index))
        done.append(index)

    async def ended(count: int) -> bool:
        await desk.clock.advance(0.1)
        return len(done) == count

    async with asyncio.TaskGroup() as group:
        for index in range(4):
            group.create_task(ask(index))
            await asyncio.sleep(0)
        await until(lambda: ended(1), what="the first")
        begun = desk.clock.monotonic()
        await editor.change(rate='"10/s"')
        await until(lambda: ended(4), what="the others")

    assert done == [0, 1, 2, 3]
    assert desk.clock.monotonic() - begun < 60


async def test_another_address_is_asked_from_now_on_and_what_is_under_way_ends_well(
    desk: Desk, editor: Editor, population: Population, standin: GitHubStandIn
) -> None:
    other = GitHubStandIn(population)
    old = client_of(desk)
    async with serve(other) as url:
        under_way = asyncio.create_task(old.request(about(population, 1)))
        await asyncio.sleep(0)
        await editor.change(base_url=f'"{url}"')
        first = await desk.clock.run(_result(under_way))
        second = await desk.clock.run(client_of(desk).request(about(population, 2)))
        again = await desk.clock.run(old.request(about(population, 3)))

    assert (first.status, second.status, again.status) == (200, 200, 200)
    assert client_of(desk).base_url == url
    assert (standin.counters.requests, other.counters.requests) == (2, 1)


async def _result(task: asyncio.Task[Any]) -> Any:
    return await task


async def test_a_run_under_way_loses_nothing_when_the_credential_and_the_limits_change(
    desk: Desk, editor: Editor, population: Population
) -> None:
    logins = {f"user{n}": population.login(n) for n in range(60)}
    await desk.link(**logins)
    run = await desk.control.trigger(JOB, RunOptions(), None)
    await editor.change(token="ghp_two", rate='"500/s"', slots="3")
    ended = await desk.end(run["id"])

    assert (ended["outcome"], ended["seen"], ended["failed"]) == ("succeeded", 60, 0)
    assert client_of(desk).credential.headers() == {"Authorization": "Bearer ghp_two"}


async def test_a_changed_credential_begins_with_a_gate_of_its_own(
    desk: Desk, editor: Editor
) -> None:
    client_of(desk).gate.pauses.pause(7200, "asked for")
    await editor.change(token="ghp_two")

    assert client_of(desk).gate.closed_until() is None
