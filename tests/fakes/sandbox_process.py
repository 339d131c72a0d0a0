"""The stand-in of `syncd.sandbox` as a process of its own, and the people in it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from fakes.waiting import until

from syncd.sandbox.person import AccountType
from syncd.sandbox.population import Population

SEED = 7


class SandboxProcess:
    """A stand-in that is steered and read over HTTP.

    `people` are the indexes of users a sync can follow: no organizations, no bots.
    """

    def __init__(self, base_url: str, session: aiohttp.ClientSession, people: list[int]) -> None:
        self.base_url = base_url
        self.people = people
        self._session = session
        self._population = Population(SEED, people[-1] + 1)

    def as_csv(self, start: int, end: int) -> str:
        """Return some of the people as an import file; user `u7` has the login of index 7."""
        rows = [f"u{index},{self.login(index)}" for index in self.people[start:end]]
        return "\n".join(["key,github", *rows, ""])

    def login(self, index: int) -> str:
        return self._population.login(index)

    def document(self, index: int) -> dict[str, Any]:
        """Return what the stand-in answers about somebody, as long as nobody changed."""
        return dict(self._population.document(index))

    async def counters(self) -> dict[str, Any]:
        return await self._get("counters")

    async def fetches(self) -> dict[int, int]:
        """Return how often each of the people was asked for."""
        times = await self._get("fetches")
        return {index: times[index] for index in self.people}

    async def busy(self, wanted: int) -> None:
        """Return once so many requests were under way at the same time."""

        async def ask() -> bool:
            return int((await self.counters())["most_in_flight"]) >= wanted

        await until(ask, what=f"{wanted} requests in flight")

    async def change(self, change: str, **arguments: Any) -> Any:
        body = {"change": change, **arguments}
        async with self._session.post("/_sandbox/change", json=body) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["result"]

    async def _get(self, name: str) -> Any:
        async with self._session.get(f"/_sandbox/{name}") as response:
            return await response.json()


@contextlib.asynccontextmanager
async def sandbox_process(
    people: int, *, scale: float = 1000, latency_ms: float = 0
) -> AsyncIterator[SandboxProcess]:
    """Start a stand-in with at least so many people; limits are `scale` times GitHub's."""
    # Two in a hundred are organizations or bots.
    population = Population(SEED, people * 105 // 100 + 20)
    indexes = range(len(population))
    users = [each for each in indexes if population.account_type(each) is AccountType.USER]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd.sandbox", "--seed", str(SEED)),
        *("--population", str(len(population)), "--scale", str(scale)),
        *("--latency-ms", str(latency_ms)),
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession(url) as session:
            yield SandboxProcess(url, session, users[:people])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
