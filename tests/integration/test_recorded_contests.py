"""Every recorded list of contests, over HTTP; and every other recorded answer, which is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from fakes.clock import FakeClock
from fakes.payloads import Recorded, payload_dir
from fakes.recorded import Line, Lines, reading
from fakes.recorded_contests import (
    ANNOUNCING,
    CONTEST_LINES,
    LISTS,
    OTHERS,
    ContestLine,
    counted,
)

from syncd.errors import BadPayload, PlatformError
from syncd.model.contest import ContestList
from syncd.sandbox.server import serve

RecordProperty = Callable[[str, object], None]


def name(value: object) -> str:
    return value.file if isinstance(value, Recorded) else ""


async def fetch(recorded: Recorded, line: Line) -> tuple[ContestList, int]:
    clock, lines = FakeClock(), Lines(recorded, line)
    async with serve(lines) as url, reading(recorded.platform, url, clock) as platform:
        return await clock.run(platform.fetch_contests()), lines.answered


@pytest.mark.parametrize(("recorded", "line"), LISTS, ids=name)
async def test_recorded_list_holds_the_contests_that_it_tells_of(
    recorded: Recorded, line: ContestLine, record_property: RecordProperty
) -> None:
    found, asked = await fetch(recorded, line.served())

    assert (asked, found.source, found.is_whole) == (1, recorded.platform, line.is_whole)
    assert counted(found.contests) == line.of
    assert len(found.unread) == line.unread
    by_id = {contest.external_id: contest for contest in found.contests}
    for external_id, expected in line.some.items():
        for field, value in expected.items():
            is_instant = field in {"starts_at", "ends_at"}
            wanted = datetime.fromisoformat(value) if is_instant else value
            assert getattr(by_id[external_id], field) == wanted
    record_property("payload", recorded.file)


@pytest.mark.parametrize("recorded", OTHERS, ids=name)
async def test_recorded_answer_to_another_question_holds_no_contest(
    recorded: Recorded, record_property: RecordProperty
) -> None:
    try:
        found, _ = await fetch(recorded, Line(handle=""))
    except (BadPayload, PlatformError):
        pass
    else:
        assert (found.contests, found.unread) == ([], [])
    record_property("payload", recorded.file)


def test_every_list_that_has_a_line_is_there() -> None:
    if not payload_dir().is_dir():
        pytest.skip(f"no recorded answers in {payload_dir()}")

    assert {recorded.file for recorded, _ in LISTS} == {*CONTEST_LINES}
    assert {recorded.platform for recorded, _ in LISTS} == {*ANNOUNCING}
