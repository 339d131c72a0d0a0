"""Whatever becomes of a recorded list of contests on its way: an error, or what it said before.

Cut off anywhere, another thing altogether, a value of another type, a key that is gone. A row that
was spoilt is told and the others stay; no contest ever has another time than it was told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from aiohttp import web
from fakes.clock import FakeClock
from fakes.mangling import ELSE, mangled, same
from fakes.payloads import Recorded
from fakes.recorded import Lines, reading
from fakes.recorded_contests import LISTS, ContestLine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import BadPayload, PlatformError
from syncd.model.contest import Contest, ContestList
from syncd.sandbox.server import serve

Outcome = ContestList | BadPayload | PlatformError

LARGEST_TAKEN_APART = 200_000
often = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
# A value that says something else and is as good.
TAKEN = {timedelta(minutes=7)}


def name(value: object) -> str:
    return value.file if isinstance(value, Recorded) else ""


SMALL = [case for case in LISTS if len(case[0].body) <= LARGEST_TAKEN_APART]
EVERY = pytest.mark.parametrize(("recorded", "line"), LISTS, ids=name)
JSON_LISTS = pytest.mark.parametrize(
    ("recorded", "line"), [case for case in SMALL if case[0].file.endswith(".json")], ids=name
)


class Switch:
    """One server for all: whose turn it is answers."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.url = ""
        self.lines: Lines
        self._runner = runner
        self._before: dict[str, ContestList] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self.lines.handle(request)

    def fetch(
        self, recorded: Recorded, line: ContestLine, change: Callable[[bytes], bytes]
    ) -> Outcome:
        """Return what becomes of a list that is changed."""
        self.lines = Lines(recorded, line.served())
        self.lines.change = change
        return self._runner.run(self._fetch(recorded.platform))

    def before(self, recorded: Recorded, line: ContestLine) -> ContestList:
        """Return what comes of it as it was recorded."""
        if recorded.file not in self._before:
            found = self.fetch(recorded, line, same)
            assert isinstance(found, ContestList)
            self._before[recorded.file] = found
        return self._before[recorded.file]

    async def _fetch(self, platform: str) -> Outcome:
        clock = FakeClock()
        async with reading(platform, self.url, clock) as asking:
            try:
                return await clock.run(asking.fetch_contests())
            except (BadPayload, PlatformError) as error:
                return error


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with asyncio.Runner() as runner:
        switch, stack = Switch(runner), AsyncExitStack()
        switch.url = runner.run(stack.enter_async_context(serve(switch)))
        yield switch
        runner.run(stack.aclose())


def check(outcome: Outcome, before: ContestList) -> None:
    """An error; or each contest is what it was, but for what was put in its place."""
    if not isinstance(outcome, ContestList):
        return
    known = {contest.external_id: contest for contest in before.contests}
    for contest in outcome.contests:
        was = known[contest.external_id]
        assert times(contest)[:2] == times(was)[:2]
        assert (contest.name, contest.url) == (was.name, was.url)
        assert times(contest)[2] in {times(was)[2], *TAKEN}


def times(contest: Contest) -> tuple[object, ...]:
    return contest.starts_at, contest.ends_at, timedelta(seconds=contest.duration_seconds)


@EVERY
@often
@given(data=st.data())
def test_list_that_is_cut_off_anywhere_is_an_error_or_says_the_same(
    recorded: Recorded, line: ContestLine, switch: Switch, data: st.DataObject
) -> None:
    last = max(0, len(recorded.body) - 1)
    cut = data.draw(st.integers(0, last) | st.integers(max(0, last - 300), last))

    outcome = switch.fetch(recorded, line, lambda body: body[:cut])

    check(outcome, switch.before(recorded, line))


@EVERY
def test_another_thing_altogether_holds_no_contest(
    recorded: Recorded, line: ContestLine, switch: Switch
) -> None:
    for other in ELSE:
        outcome = switch.fetch(recorded, line, lambda _, other=other: other)

        assert not isinstance(outcome, ContestList) or outcome.contests == []


@JSON_LISTS
@often
@given(data=st.data())
def test_wrong_type_missing_key_and_huge_number_cost_one_contest_or_the_list(
    recorded: Recorded, line: ContestLine, switch: Switch, data: st.DataObject
) -> None:
    before = switch.before(recorded, line)

    outcome = switch.fetch(recorded, line, lambda body: mangled(body, data))

    check(outcome, before)
    if isinstance(outcome, ContestList):
        assert len(outcome.unread) <= len(before.unread) + 1


@JSON_LISTS
def test_row_that_is_no_object_is_told_by_its_place_and_costs_no_other(
    recorded: Recorded, line: ContestLine, switch: Switch
) -> None:
    before = switch.before(recorded, line)

    outcome = switch.fetch(recorded, line, spoilt)

    assert isinstance(outcome, ContestList)
    assert outcome.contests == before.contests
    assert len(outcome.unread) == len(before.unread) + 1
    assert any("is no object but 'spoilt'" in sentence for sentence in outcome.unread)


def spoilt(body: bytes) -> bytes:
    """Put a row that is none behind the rows of the longest list."""
    document = json.loads(body)
    lists, rest = [], [document]
    for inner in rest:
        if isinstance(inner, dict):
            rest.extend(inner.values())
        elif isinstance(inner, list):
            lists.append(inner)
    max(lists, key=len).append("spoilt")
    return json.dumps(document).encode()
