"""Syncd's own ways: a whole run as a person triggers it, and the core of it alone.

The core reads, stages, compares and applies: no guard, no books, no verification.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from leaderboard_peers import Places, Work
from leaderboard_stage import BOARDS, COLUMNS, KEYS, SCHEMA, TABLE

from syncd.cache.boards import BoardReader
from syncd.clock import SystemClock
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.leaderboard import Board, Guard, Target
from syncd.model.run import Outcome, RunOptions
from syncd.store.changes import Changes, Planned
from syncd.store.counts import Tally
from syncd.store.fence import Fence
from syncd.store.stage import Stage
from syncd.store.statements import Statements
from syncd.telemetry.bus import Bus

READING: dict[str, Any] = {
    "details": "user:details:",
    "details_field": "updated_at",
    "page": 5_000,
    "pause": 0.0,
    "id_length": 128,
}
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

        yield work


@contextlib.asynccontextmanager
async def core_alone(places: Places) -> AsyncIterator[Work]:
    """Read, stage, compare and apply, with the parts that a run is made of."""
    async with assembled(places) as core:
        target = Target(table=TABLE, columns=dict(zip(BOARDS, COLUMNS, strict=True)))
        boards = [Board(name=name, key=key) for name, key in zip(BOARDS, KEYS, strict=True)]

        async def work() -> None:
            async with (
                core.database.connection(at_leisure=True) as connection,
                BoardReader(core.cache.address, boards, clock=core.clock, **READING) as reader,
            ):
                await reconcile(Statements(connection, core.database, Fence(), target), reader)

        yield work


async def reconcile(do: Statements, reader: BoardReader) -> None:
    """Make the table what the boards say, as one run and at one instant."""
    stage, now = Stage("leaderboard", do), SystemClock().now()
    await stage.check()
    await stage.stage(reader.pages())
    found = await stage.compare(partial=False, guard=Guard(runs=1, wait=timedelta()), at=now)
    planned = [
        Planned("update_rows", "lb_changes", ("update",), found.updated, (now,)),
        Planned("create_rows", "lb_changes", ("create",), found.created, (now,)),
        Planned("delete_rows", "lb_changes", ("due",), found.due, (now, 1, "leaderboard")),
    ]

    async def count(_tally: Tally) -> None:
        """Keep no books."""

    async def close(_before: Tally, _last: Tally) -> None:
        """Keep none at the end either."""

    await Changes(do).carry_out(planned, found.base, count, close)


OURS: Sequence[tuple[str, Callable[[Places], contextlib.AbstractAsyncContextManager[Work]]]] = (
    ("core", core_alone),
    ("whole run", whole_run),
)
