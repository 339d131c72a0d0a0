"""A whole syncd in virtual time: real config, jobs and PostgreSQL; only the world is ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from fakes.clock import FakeClock

from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.account import UserEntry
from syncd.model.run import Run, RunOptions
from syncd.store.database import Database
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

JOB = "sync"
CONFIG = """
[daemon]
state_dir = "state"

[database]
host = "{address.host}"
port = {address.port}
user = "{address.user}"
database = "{address.database}"
schema = "{schema}"

[platforms.{platform}]
base_url = "{base_url}"
allow_private = true
rate = "{rate}"
timeout = "{timeout}"
credentials = [{{ name = "main", token = "${{TOKEN:-}}" }}]
{urls}

[jobs.sync]
kind = "profiles"
platforms = ["{platform}"]
sweep = {sweep}
"""


class Syncing:
    """Links users and runs the job `sync` over them; `clock` is virtual and stands between runs."""

    def __init__(self, core: Core, clock: FakeClock, platform: str) -> None:
        self.clock = clock
        self.events: list[Event] = []
        self._core = core
        self._name = platform
        self._ended: asyncio.Queue[Run] = asyncio.Queue()
        core.engine.on_end(self._ended.put_nowait)

    @property
    def platform(self) -> Any:
        return self._core.around.platforms[self._name][0]

    async def link(self, handles: Mapping[str, str]) -> None:
        """Tell syncd about users, as an import does."""
        entries = [
            UserEntry(key=key, accounts={self._name: handle}) for key, handle in handles.items()
        ]
        await self._core.users.put(entries)

    async def run(self, *only: str, **options: Any) -> Run:
        """Run the job a second later, to its end."""
        await self.clock.advance(1)
        return await self.clock.run(self._run(RunOptions(only=only, **options)))

    async def _run(self, options: RunOptions) -> Run:
        await self._core.scheduler.trigger(JOB, options)
        return await self._ended.get()

    async def withdraw(self, user: str) -> None:
        """Stop asking for a user's account, as an opt-out does for runs that are under way."""
        self._core.around.admission.withdraw([(await self.account(user))["account_id"]])

    async def pass_time(self, **duration: float) -> None:
        await self.clock.advance(timedelta(**duration).total_seconds())

    async def account(self, user: str) -> dict[str, Any]:
        """Return everything stored about a user's account, its profile's columns included."""
        async with self._core.database.connection() as connection:
            row = await connection.fetchrow(
                """
                SELECT accounts.*, sync_state.*, profiles.*
                FROM users
                JOIN accounts ON accounts.user_id = users.id
                LEFT JOIN sync_state ON sync_state.account_id = accounts.id
                LEFT JOIN profiles ON profiles.account_id = accounts.id
                WHERE users.key = $1
                """,
                user,
            )
        return dict(row)

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Ask PostgreSQL behind syncd's back."""
        async with self._core.database.connection() as connection:
            return list(await connection.fetch(sql, *values))

    async def count(self, table: str) -> int:
        async with self._core.database.connection() as connection:
            return await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608


@asynccontextmanager
async def syncing(
    database: Database,
    folder: Path,
    base_url: str,
    *,
    clock: FakeClock,
    platform: str = "github",
    token: str = "ghp_one",
    rate: str = "10/s",
    timeout: str = "30s",  # noqa: ASYNC109 - what config.toml says
    sweep: bool = True,
    urls: Mapping[str, str] | None = None,
) -> AsyncIterator[Syncing]:
    """Bring up what `config.toml` builds, over `database`'s schema and a platform at `base_url`."""
    settings = database.settings
    text = CONFIG.format(
        address=settings.address,
        schema=settings.schema,
        platform=platform,
        base_url=base_url,
        rate=rate,
        timeout=timeout,
        sweep=str(sweep).lower(),
        urls=f"urls = {{ {named} }}" if (named := _named(urls or {})) else "",
    )
    (folder / "config.toml").write_text(text)
    config = load_config(folder / "config.toml", {"TOKEN": token})
    bus = Bus()
    async with assemble(config, clock, bus, is_firing=False) as core:
        world = Syncing(core, clock, platform)
        with bus.subscribed(world.events.append):
            yield world


def _named(urls: Mapping[str, str]) -> str:
    return ", ".join(f'{name} = "{url}"' for name, url in urls.items())
