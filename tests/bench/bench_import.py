"""How long an import of 60,000 users keeps everything else waiting, over the real control port.

Run it as `python tests/bench/bench_import.py`. Prints, for CSV, JSON lines and a JSON list: seconds
of the whole call, the longest time in which the daemon's loop did nothing else, and the same for
a page of 1,000 users. The caller is a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.control import TOKEN
from fakes.controlled import Desk, controlled, text_for

from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.model.address import PostgresAddress
from syncd.store.database import Database
from syncd.store.migrate import migrate
from syncd.store.pool import DatabaseSettings
from syncd.telemetry.bus import Bus
from syncd.web.server import ControlServer, ControlSettings

USERS = 60_000
CALLER = """
import sys
from syncd.web.client import ControlClient
port, token, path, layout = sys.argv[1:]
client = ControlClient("127.0.0.1", int(port), token)
if layout:
    content = open(path, encoding="utf-8").read()
    client.post("/api/users/import", {"format": layout, "content": content})
else:
    for _ in range(10):
        client.get("/api/users", {"limit": 1000})
"""


def rows(layout: str) -> str:
    """Return a file of users."""
    login = "2026-01-05T10:00:00Z"
    if layout == "csv":
        lines = (f"{layout}{n},login-{n},{login}" for n in range(USERS))
        return "\n".join(["key,github,last_login_at", *lines])
    users = [
        {"key": f"{layout}{n}", "accounts": {"github": f"l-{n}"}, "last_login_at": login}
        for n in range(USERS)
    ]
    return json.dumps(users) if layout == "list" else "\n".join(map(json.dumps, users))


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Collect the gaps between the turns of a task that wants one every millisecond."""
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - begun)

    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(tick())
        yield gaps
        ticker.cancel()


async def measure(port: int, file: Path, layout: str, name: str) -> None:
    """Let another process call, and print what that meant for the loop."""
    begun = time.perf_counter()
    async with watched() as gaps:
        caller = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CALLER, str(port), TOKEN, str(file), layout
        )
        code = await caller.wait()
    took = time.perf_counter() - begun
    late = sum(gap > 0.02 for gap in gaps)
    sys.stdout.write(
        f"{name:<12} {took:6.2f} s   longest gap {max(gaps) * 1000:6.1f} ms   "
        f"over 20 ms: {late} of {len(gaps)}   exit {code}\n"
    )


@contextlib.asynccontextmanager
async def desk_on(address: PostgresAddress, folder: Path) -> AsyncIterator[Desk]:
    """Run the daemon's control on a schema of its own."""
    settings = DatabaseSettings(address=address, schema="bench")
    async with Database(settings, SystemClock()) as database:
        await migrate(database)
    async with controlled(text_for(address, "bench", "http://127.0.0.1:9"), folder) as desk:
        await desk.core.health.ready.wait()
        yield desk


async def bench(folder: Path) -> None:
    """Import three files, each of other users, and read pages."""
    (folder / "state").mkdir()
    async with (
        EmbeddedPostgres(folder / "state", Bus(), SystemClock()) as server,
        desk_on(server.address, folder) as desk,
        ControlServer(
            desk.control, ControlSettings(port=0, token=TOKEN), bus=Bus(), clock=SystemClock()
        ) as control,
    ):
        for name, layout in cases():
            file = folder / name
            file.write_text(rows(name) if layout else "", "utf-8")
            await measure(control.port, file, layout, name)


def cases() -> Iterator[tuple[str, str]]:
    """Yield the name of each measurement with the layout it sends."""
    yield from (("csv", "csv"), ("lines", "json"), ("list", "json"), ("10 pages", ""))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as temporary:
        asyncio.run(bench(Path(temporary)))
