"""Syncd's own ways: a whole run as a person triggers it, and the core of it alone.

The core reads, stages, compares and applies: no guard, no books, no verification.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from leaderboard_peers import Places, Work
from leaderboard_stage import SCHEMA

from syncd.clock import SystemClock
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.run import Outcome, RunOptions
from syncd.telemetry.bus import Bus

CONFIG = """
[daemon]
state_dir = "{folder}/state"
[database]
host = "{host}"
user = "syncd"
schema = "{schema}"
[redis]
url = "unix://{socket}"
[jobs.leaderboard]
kind = "leaderboard"
every = "1h"
guard = {{ runs = 1, wait = "0s" }}
"""


@contextlib.asynccontextmanager
async def assembled(places: Places) -> AsyncIterator[Core]:
    """Compose syncd as the daemon does, on servers that are there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(
            CONFIG.format(folder=folder, host=places.host, socket=places.socket, schema=SCHEMA)
        )
        path.chmod(0o600)
        core = assemble(load_config(path, {}), SystemClock(), Bus(), is_firing=False)
        async with core:
            await core.servers.start()
            yield core


@contextlib.asynccontextmanager
async def whole_run(places: Places) -> AsyncIterator[Work]:
    """Trigger the job and wait for its end."""
    async with assembled(places) as core:

        async def work() -> None:
            started = await core.scheduler.trigger("leaderboard", RunOptions())
            ended = await core.engine.end_of(started.id)
            assert ended is not None
            assert ended.outcome is Outcome.SUCCEEDED, ended

        # The daemon has used its database before the first run.
        await core.database.ping()
        yield work


OURS: Sequence[tuple[str, Callable[[Places], contextlib.AbstractAsyncContextManager[Work]]]] = (
    ("whole run", whole_run),
)
