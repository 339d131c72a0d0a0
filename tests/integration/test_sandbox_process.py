"""The stand-in as a process of its own, steered and read over HTTP."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from syncd.sandbox.population import Population

TOKEN = {"Authorization": "Bearer one"}


class Sandbox:
    def __init__(self, process: Process, session: aiohttp.ClientSession) -> None:
        self.process = process
        self.session = session

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(path, headers=TOKEN) as response:
            return response.status, await response.json()

    async def change(self, change: str, **arguments: Any) -> tuple[int, Any]:
        body = {"change": change, **arguments}
        async with self.session.post("/_sandbox/change", json=body) as response:
            return response.status, await response.json()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    options = ("--population", "50", "--seed", "7", "--scale", "100")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "syncd.sandbox", *options, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession(url) as session:
            yield Sandbox(process, session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_process_serves_the_population_of_its_seed(sandbox: Sandbox) -> None:
    expected = Population(7, 50).document(5)

    status, body = await sandbox.get(f"/users/{expected['login']}")

    assert (status, body) == (200, expected)


async def test_process_can_be_changed_and_tells_its_counters(sandbox: Sandbox) -> None:
    account_id = Population(7, 50).account_id(5)

    changed = await sandbox.change("rename", index=5, login="new-name")
    _, profile = await sandbox.get(f"/user/{account_id}")
    _, counters = await sandbox.get("/_sandbox/counters")
    _, fetches = await sandbox.get("/_sandbox/fetches")

    assert changed == (200, {"result": None})
    assert profile["login"] == "new-name"
    assert (counters["requests"], counters["by_status"]) == (1, {"200": 1})
    assert [index for index, times in enumerate(fetches) if times] == [5]


async def test_process_takes_faults_and_forgets_them(sandbox: Sandbox) -> None:
    await sandbox.change("fault", fault="instead", arguments={"body": "{}", "status": 500})
    struck, _ = await sandbox.get("/rate_limit")

    await sandbox.change("clear_faults")

    well, _ = await sandbox.get("/rate_limit")
    assert (struck, well) == (500, 200)


@pytest.mark.parametrize(
    ("change", "arguments", "reason"),
    [
        ("explode", {}, "no such change"),
        ("rename", {"index": 1}, "missing a required argument"),
        ("vanish", {"index": 50}, "nobody has index 50"),
        ("fault", {"fault": "explode"}, "no such fault"),
        ("fault", {"fault": "cut", "arguments": {"at": 1}}, "no such fault"),
    ],
)
async def test_impossible_change_says_why(
    sandbox: Sandbox, change: str, arguments: dict[str, Any], reason: str
) -> None:
    status, body = await sandbox.change(change, **arguments)

    assert status == 400
    assert reason in body["error"]


async def test_process_ends_on_sigterm_without_an_error(sandbox: Sandbox) -> None:
    await sandbox.get("/rate_limit")

    sandbox.process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(sandbox.process.wait(), 5) == 0
