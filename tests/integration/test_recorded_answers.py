"""Every recorded answer of every coding platform: over HTTP, through the job, into PostgreSQL.

A file without a line in `fakes.recorded_lines` fails; how many ran is printed at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.payloads import Recorded, load_index, payload_dir
from fakes.platform_worlds import FOUND
from fakes.recorded import Line, Lines
from fakes.recorded_lines import LINES
from fakes.syncing import Syncing, syncing

from syncd.sandbox.server import serve
from syncd.store.database import Database

RecordProperty = Callable[[str, object], None]

# GitHub's have a suite of their own, with what only GitHub has.
PLATFORMS = [name for name in FOUND if name != "github"]
KNOWN = [recorded for name in PLATFORMS for recorded in load_index(name)]
OF_THE_PLATFORM = {"blocked", "transient", "rate_limited"}


@asynccontextmanager
async def linked(
    recorded: Recorded, line: Line, database: Database, folder: Path
) -> AsyncIterator[Syncing]:
    platform = recorded.file.partition("/")[0]
    companions = FOUND[platform].companions
    async with (
        serve(Lines(recorded, line)) as url,
        syncing(
            database,
            folder,
            url,
            clock=FakeClock(),
            platform=platform,
            token="",
            urls={name: f"{url}/{name}" for name in companions},
        ) as world,
    ):
        await world.link({handle: handle for handle in line.people()})
        yield world


def lines(*, stored: bool) -> list[tuple[Recorded, Line]]:
    found = [(recorded, LINES[recorded.file]) for recorded in KNOWN if recorded.file in LINES]
    return [(recorded, line) for recorded, line in found if (line.outcome == "") is stored]


def name(value: object) -> str:
    return value.file if isinstance(value, Recorded) else ""


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_recorded_file_has_its_line(platform: str) -> None:
    known = {recorded.file for recorded in load_index(platform)}
    if not known:
        pytest.skip(f"no recorded answers in {payload_dir()}")

    files = {f"{platform}/{path.name}" for path in (payload_dir() / platform).iterdir()}

    assert known == files - {f"{platform}/SOURCES.md"}
    assert known == {file for file in LINES if file.startswith(f"{platform}/")}


@pytest.mark.parametrize(("recorded", "line"), lines(stored=True), ids=name)
async def test_good_recorded_answer_becomes_its_row(
    recorded: Recorded,
    line: Line,
    database: Database,
    tmp_path: Path,
    record_property: RecordProperty,
) -> None:
    async with linked(recorded, line, database, tmp_path) as world:
        run = await world.run()
        rows = {handle: await world.account(handle) for handle in line.people()}

    assert (run.report.created, run.report.failures) == (len(rows), {})
    for handle, stored in line.people().items():
        assert {column: rows[handle][column] for column in stored} == stored
        assert (rows[handle]["raw"] is None, rows[handle]["state"]) == (False, "active")
    record_property("payload", recorded.file)


@pytest.mark.parametrize(("recorded", "line"), lines(stored=False), ids=name)
async def test_every_other_recorded_answer_stores_nothing_and_says_why(
    recorded: Recorded,
    line: Line,
    database: Database,
    tmp_path: Path,
    record_property: RecordProperty,
) -> None:
    async with linked(recorded, line, database, tmp_path) as world:
        run = await world.run()
        row = await world.account(line.handle)
        stored = await world.count("profiles")

    is_about_all = line.outcome in OF_THE_PLATFORM
    assert (stored, row["raw"], row["rating"], row["solved"]) == (0, None, None, None)
    assert run.report.failures == ({} if is_about_all else {line.outcome: 1})
    # What is the platform's is nobody's failure: the account stays as it was.
    assert row["outcome"] == ("" if is_about_all else line.outcome)
    assert row["fail_streak"] == (0 if is_about_all else 1)
    assert row["state"] == "active"
    record_property("payload", recorded.file)
