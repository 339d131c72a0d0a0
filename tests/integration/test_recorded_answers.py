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
from fakes.recorded import Line, Lines, companions, reading
from fakes.recorded_lines import LINES
from fakes.syncing import Syncing, syncing

from syncd.errors import PlatformError
from syncd.model.account import Account, AccountId
from syncd.sandbox.server import serve
from syncd.store.database import Database

RecordProperty = Callable[[str, object], None]

# GitHub's have a suite of their own, with what only GitHub has.
PLATFORMS = [name for name in FOUND if name != "github"]
KNOWN = [recorded for name in PLATFORMS for recorded in load_index(name)]
GOOD, ABOUT_ONE, ABOUT_ALL = "stored", "about one", "about all"


@asynccontextmanager
async def linked(
    recorded: Recorded, line: Line, database: Database, folder: Path
) -> AsyncIterator[Syncing]:
    platform = recorded.file.partition("/")[0]
    async with (
        serve(Lines(recorded, line)) as url,
        syncing(
            database,
            folder,
            url,
            clock=FakeClock(),
            platform=platform,
            token="",
            urls=companions(platform, url),
        ) as world,
    ):
        await world.link({handle: handle for handle in line.people()})
        yield world


def reach(line: Line) -> str:
    if not line.outcome:
        return GOOD
    return ABOUT_ALL if line.outcome in {"blocked", "rate_limited"} else ABOUT_ONE


def lines(reaches: str) -> list[tuple[Recorded, Line]]:
    found = [(recorded, LINES[recorded.file]) for recorded in KNOWN if recorded.file in LINES]
    return [(recorded, line) for recorded, line in found if reach(line) == reaches]


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


@pytest.mark.parametrize(("recorded", "line"), lines(GOOD), ids=name)
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


@pytest.mark.parametrize(("recorded", "line"), lines(ABOUT_ONE), ids=name)
async def test_recorded_answer_about_one_account_stores_nothing_and_says_why(
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

    assert (stored, row["raw"]) == (0, None)
    assert run.report.failures == {line.outcome: 1}
    assert (row["outcome"], row["fail_streak"], row["state"]) == (line.outcome, 1, "active")
    record_property("payload", recorded.file)


@pytest.mark.parametrize(("recorded", "line"), lines(ABOUT_ALL), ids=name)
async def test_recorded_answer_about_everybody_holds_the_platform_at_once(
    recorded: Recorded, line: Line, record_property: RecordProperty
) -> None:
    platform, clock = recorded.file.partition("/")[0], FakeClock()
    account = Account(id=AccountId(1), user_key="u", platform=platform, handle=line.handle)
    lines = Lines(recorded, line)

    async with serve(lines) as url, reading(platform, url, clock) as asking:
        for _ in range(2):
            with pytest.raises(PlatformError) as raised:
                await clock.run(asking.fetch(account))
        held_until = asking.paused_until()

    assert raised.value.outcome == line.outcome
    assert held_until is not None
    assert held_until > clock.now()
    assert lines.answered <= 2
    record_property("payload", recorded.file)
