"""A process that renews one grant many times: `python -m fakes.refreshing CONFIG KEY TASKS`.

It is syncd as a config file builds it, without a schedule. It takes itself for the one that leads:
nothing but the grant's own row keeps two of them apart. It says "ready" in a line, begins when a
line comes in, and tells in JSON which access tokens its tasks got, as digests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from fakes.granted import ids, values
from fakes.spotify_world import SPOTIFY
from fakes.waiting import DEADLINE_SECONDS

from syncd.clock import SystemClock
from syncd.daemon.core import assemble
from syncd.daemon.settings import load_config
from syncd.jobs.doubts import Renewer
from syncd.model.grant import Grant
from syncd.store.database import Database
from syncd.telemetry.bus import Bus


async def renew(config: Path, key: str, tasks: int) -> list[str]:
    """Return the digest of the access token that each task got."""
    core = assemble(load_config(config, {}), SystemClock(), Bus(), is_firing=False)
    async with core:
        core.around.stores.runs.fence.open(await _epoch(core.database))
        store, grants = core.around.stores.grants, core.around.grants
        platform = cast("Renewer", core.around.platforms[SPOTIFY][0])
        account = (await ids(core.database))[key]
        grant = (await store.load([account]))[account]
        assert isinstance(grant, Grant)
        await _told_to_begin()
        renewed = await asyncio.gather(*(grants.renew(platform, grant) for _ in range(tasks)))
    return [digest(each.access_token) for each in renewed]


async def _epoch(database: Database) -> int:
    [epoch] = await values(database, "SELECT max(epoch) FROM leases")
    return int(epoch)


async def _told_to_begin() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


def digest(token: str) -> str:
    """Return what can be told of a token."""
    return sha256(token.encode()).hexdigest()


class Refreshing:
    """Such a process, seen by who started it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def is_ready(self) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await self._process.stdout.readline() == b"ready\n"

    async def begins(self) -> list[str]:
        """Let it begin; return what its tasks got."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            out, _ = await self._process.communicate(b"\n")
        told: Any = json.loads(out)
        return list(told)


@contextlib.asynccontextmanager
async def refreshing(config: Path, key: str, tasks: int) -> AsyncIterator[Refreshing]:
    """Start such a process."""
    # It finds what this process finds, wherever that was told.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "fakes.refreshing", str(config), key, str(tasks)),
        stdin=PIPE,
        stdout=PIPE,
        env=environment,
    )
    try:
        yield Refreshing(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    tokens = asyncio.run(renew(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
    sys.stdout.write(json.dumps(tokens) + "\n")
