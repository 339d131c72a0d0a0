"""Syncd's own ways: a whole run as a person triggers it, and the core of it alone.

The core reads, stages, compares and applies: no guard, no books, no verification. Both are measured
in a process that has rehearsed, as a daemon has; `first_run` is one that has just started.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leaderboard_peers import Places, Ready, Way
from leaderboard_stage import BOARDS, COLUMNS, KEYS, SCHEMA, TABLE

from syncd.cache.boards import BoardReader
from syncd.clock import SystemClock
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.leaderboard import Board, Comparison, Guard, Target
from syncd.model.run import Outcome, RunOptions
from syncd.store.changes import Changes, Planned
from syncd.store.counts import Tally
from syncd.store.stage import Stage
from syncd.store.statements import Statements
from syncd.telemetry.bus import Bus

READING: dict[str, Any] = {
    "details": "user:details:",
    "details_field": "updated_at",
    "page": 1_000,
    "pause": 0.0,
    "id_length": 128,
}
_BATCH = 50_000
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
async def first_run(places: Places) -> AsyncIterator[Ready]:
    """Trigger the job of a daemon that has just started, and wait for its end."""
    async with assembled(places) as core:
        yield Ready(lambda: run_once(core, RunOptions()))


@contextlib.asynccontextmanager
async def whole_run(places: Places) -> AsyncIterator[Ready]:
    """Do the same after a dry run."""
    async with assembled(places) as core:
        yield Ready(
            lambda: run_once(core, RunOptions()), lambda: run_once(core, RunOptions(dry_run=True))
        )


async def run_once(core: Core, options: RunOptions) -> None:
    started = await core.scheduler.trigger("leaderboard", options)
    ended = await core.engine.end_of(started.id)
    assert ended is not None
    assert ended.outcome is Outcome.SUCCEEDED, ended


@contextlib.asynccontextmanager
async def core_alone(places: Places) -> AsyncIterator[Ready]:
    """Read, stage, compare and apply, with the parts that a run is made of."""
    async with assembled(places) as core:
        yield Ready(lambda: reconcile(core, applies=True), lambda: reconcile(core, applies=False))


async def reconcile(core: Core, *, applies: bool) -> None:
    """Make the table what the boards say, as one run and at one instant."""
    target = Target(table=TABLE, columns=dict(zip(BOARDS, COLUMNS, strict=True)))
    boards = [Board(name=name, key=key) for name, key in zip(BOARDS, KEYS, strict=True)]
    fence = core.around.stores.runs.fence
    async with (
        core.database.connection(at_leisure=True) as connection,
        BoardReader(core.cache.address, boards, clock=core.clock, **READING) as reader,
    ):
        do = Statements(connection, core.database, fence, target)
        stage, now = Stage("leaderboard", do), core.clock.now()
        await stage.check()
        await stage.stage(reader.pages())
        guard = Guard(runs=1, wait=timedelta())
        found = await stage.compare(partial=False, guard=guard, at=now)
        if applies:
            await apply(do, found, now)


async def apply(do: Statements, found: Comparison, now: datetime) -> None:
    planned = [
        Planned("update_rows", "lb_changes", ("update",), found.updated, (now,)),
        Planned("create_rows", "lb_changes", ("create",), found.created, (now,)),
        Planned(
            "delete_rows", "lb_changes", ("due",), found.due, (now, 1, "leaderboard", do.place)
        ),
    ]

    async def count(_tally: Tally) -> None:
        """Keep no books."""

    async def close(_before: Tally, _last: Tally) -> None:
        """Keep none at the end either."""

    await Changes(do, _BATCH).carry_out(planned, found.base, count, close)


OURS: Sequence[tuple[str, Way]] = (
    ("core", core_alone),
    ("whole run", whole_run),
    ("first run", first_run),
)
