"""Every recorded answer of every coding platform: over HTTP, through the job, into PostgreSQL.

A file without a line in `fakes.recorded_lines` fails, unless it is of a platform that has none yet:
nothing may then be stored but what stands in it. How many ran is printed at the end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.payloads import Recorded, find_all, load_index, payload_dir
from fakes.platform_worlds import FOUND
from fakes.recorded import Line, Lines, companions, reading
from fakes.recorded_contests import CONTEST_LINES
from fakes.recorded_lines import LINED, LINES, line_of
from fakes.syncing import Syncing, syncing

from syncd.errors import PlatformError
from syncd.model.account import Account, AccountId
from syncd.sandbox.server import serve
from syncd.store.database import Database

RecordProperty = Callable[[str, object], None]

# GitHub's have a suite of their own, with what only GitHub has.
PLATFORMS = [name for name in FOUND if name != "github"]
KNOWN = [recorded for name in PLATFORMS for recorded in find_all(name)]
UNLINED = [recorded for recorded in KNOWN if recorded.platform not in LINED]
NUMBERS = ("rating", "solved", "followers", "following", "public_repos")
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
NONE_UNLINED = pytest.param(None, marks=pytest.mark.skip("every platform has its lines"))
GOOD, ABOUT_ONE, ABOUT_ALL = "stored", "about one", "about all"


@asynccontextmanager
async def linked(
    recorded: Recorded, line: Line, database: Database, folder: Path
) -> AsyncIterator[Syncing]:
    platform = recorded.platform
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
    folder = payload_dir() / platform
    if not payload_dir().is_dir() or not (platform in LINED or folder.exists()):
        pytest.skip(f"no recorded answers of {platform} in {payload_dir()}")

    known = {recorded.file for recorded in load_index(platform)}
    files = {f"{platform}/{path.name}" for path in folder.iterdir()}

    assert known == files - {f"{platform}/SOURCES.md"}
    if platform in LINED:
        lined = {*LINES, *CONTEST_LINES}
        assert known == {file for file in lined if file.startswith(f"{platform}/")}


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
    platform, clock = recorded.platform, FakeClock()
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


@pytest.mark.parametrize("recorded", UNLINED or [NONE_UNLINED], ids=name)
async def test_recorded_answer_without_a_line_tells_no_number_that_does_not_stand_in_it(
    recorded: Recorded, database: Database, tmp_path: Path, record_property: RecordProperty
) -> None:
    line = line_of(recorded)
    assert line is not None
    async with linked(recorded, line, database, tmp_path) as world:
        run = await world.run()
        row = await world.account(line.handle)

    assert "error" not in run.report.failures, "a failure that no platform may end with"
    written = {float(number) for number in NUMBER.findall(recorded.body)}
    for column in NUMBERS:
        assert row[column] is None or float(row[column]) in written, (
            f"stored {column} {row[column]:g}, which does not stand in {recorded.file}: "
            "a line in fakes/recorded_lines.py tells how it is made"
        )
    record_property("payload", recorded.file)
    record_property("lines", "no lines yet")
