"""The daemon's control over a real store and the stand-in; its clock is virtual."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.syncing import CONFIG
from fakes.waiting import until

from syncd.daemon.control import Control
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.account import UserEntry
from syncd.model.address import PostgresAddress
from syncd.model.run import Outcome
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.telemetry.bus import Bus


class Desk:
    """A control and what it controls; the clock is virtual."""

    def __init__(self, core: Core, control: Control, clock: FakeClock) -> None:
        self.core = core
        self.control = control
        self.clock = clock

    async def link(self, **handles: str) -> None:
        for key, handle in handles.items():
            await self.control.put_user(UserEntry(key=key, accounts={"github": handle}))

    async def end(self, run_id: int) -> dict[str, Any]:
        async def ask() -> dict[str, Any] | None:
            run = await self.control.run(run_id)
            return run if Outcome(run["outcome"]).is_final else None

        found = await self.clock.run(until(ask, what=f"run {run_id} to end"))
        assert found is not None
        return found


def text_for(address: PostgresAddress, schema: str, base_url: str) -> str:
    return CONFIG.format(
        address=address,
        schema=schema,
        platform="github",
        base_url=base_url,
        rate="1000/s",
        timeout="30s",
        sweep="true",
        urls="",
    )


@contextlib.asynccontextmanager
async def controlled(
    text: str,
    folder: Path,
    clock: Any = None,
    token: str = "ghp_one",
    *,
    is_firing: bool = False,
) -> AsyncIterator[Desk]:
    """Bring up what a config file builds, in virtual time unless given another clock."""
    (folder / "config.toml").write_text(text)
    clock, bus, environ = clock or FakeClock(), Bus(), {"TOKEN": token}
    core = assemble(load_config(folder / "config.toml", environ), clock, bus, is_firing=is_firing)
    control = Control(core, environ)
    with bus.subscribed(control.note):
        async with core, asyncio.TaskGroup() as group:
            roots = [
                group.create_task(core.health.watch()),
                group.create_task(core.gates.keep()),
                group.create_task(control.scraper.keep()),
            ]
            yield Desk(core, control, clock)
            for root in roots:
                root.cancel()


@pytest.fixture
def population() -> Population:
    return Population(7, 100, organizations=0, bots=0)


@pytest.fixture
def standin(population: Population) -> GitHubStandIn:
    return GitHubStandIn(population)


@pytest.fixture
async def base_url(standin: GitHubStandIn) -> AsyncIterator[str]:
    async with serve(standin) as url:
        yield url


@pytest.fixture
async def desk(database: Database, base_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    settings = database.settings
    text = text_for(settings.address, settings.schema, base_url)
    async with controlled(text, tmp_path) as desk:
        await desk.core.health.ready.wait()
        yield desk
