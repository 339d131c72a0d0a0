"""Whatever becomes of a recorded answer on its way: an error, or what it said before.

Cut off anywhere, another thing altogether (a web page, nothing, brackets without end), a value of
another type, a huge number, a key that is gone. Over real HTTP, every platform that is found; no
failure reaches further than the item or the platform, and no rating and no count becomes a zero.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from aiohttp import web
from fakes.clock import FakeClock
from fakes.github_expected import EXPECTED, Stored
from fakes.mangling import ELSE, TAKEN, mangled, same
from fakes.payloads import Recorded, find_all, payload_dir
from fakes.platform_worlds import FOUND
from fakes.recorded import Line, Lines, reading
from fakes.recorded_lines import LINED, chef_page, line_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import ItemError, PlatformError
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched, Profile
from syncd.sandbox.server import serve

Case = tuple[Recorded, Line]
Outcome = Profile | ItemError | PlatformError

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
often = settings(UNHURRIED, max_examples=80)
seldom = settings(UNHURRIED, max_examples=8)
GITHUB = {
    file: Line(handle=expected.handle, stored=expected.columns)
    for file, expected in EXPECTED.items()
    if isinstance(expected, Stored)
}
CASES = [
    (recorded, line)
    for platform in FOUND
    for recorded in find_all(platform)
    if (line := GITHUB.get(recorded.file) if platform == "github" else line_of(recorded))
]


def name(value: object) -> str:
    return value.file if isinstance(value, Recorded) else ""


def cases(*, good: bool) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if (not case[1].outcome) is good]
    return pytest.mark.parametrize(("recorded", "line"), chosen, ids=name)


GOOD, OTHER = cases(good=True), cases(good=False)
NUMBERS = ("rating", "solved", "followers", "following", "public_repos")
LARGEST_TAKEN_APART = 200_000


class Switch:
    """One server for all: whose turn it is answers."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.url = ""
        self.lines: Lines
        self._runner = runner
        self._before: dict[str, Outcome] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self.lines.handle(request)

    def fetch(self, recorded: Recorded, line: Line, change: Callable[[bytes], bytes]) -> Outcome:
        """Return what becomes of a fetch whose answer is changed."""
        self.lines = Lines(recorded, line)
        self.lines.change = change
        return self._runner.run(self._fetch(recorded.platform, line.handle))

    def before(self, recorded: Recorded, line: Line) -> Outcome:
        """Return what comes of the answer as it was recorded."""
        if recorded.file not in self._before:
            self._before[recorded.file] = self.fetch(recorded, line, same)
        return self._before[recorded.file]

    async def _fetch(self, platform: str, handle: str) -> Outcome:
        clock = FakeClock()
        account = Account(id=AccountId(1), user_key="u", platform=platform, handle=handle)
        async with reading(platform, self.url, clock) as asking:
            try:
                fetched = await clock.run(asking.fetch(account))
            except (ItemError, PlatformError) as error:
                return error
        assert isinstance(fetched, Fetched)
        return fetched.profile


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with asyncio.Runner() as runner:
        switch, stack = Switch(runner), AsyncExitStack()
        switch.url = runner.run(stack.enter_async_context(serve(switch)))
        yield switch
        runner.run(stack.aclose())


def check(outcome: Outcome, before: Outcome) -> None:
    """An error; or every number is what it was, or not told, or what was put in its place."""
    if not isinstance(outcome, Profile):
        return
    assert isinstance(before, Profile), f"{outcome} came of an answer that was an error"
    assert outcome.external_id == before.external_id
    for field in NUMBERS:
        assert getattr(outcome, field) in {getattr(before, field), None, *TAKEN}


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def check_cut(switch: Switch, recorded: Recorded, line: Line, data: st.DataObject) -> None:
    last = max(0, len(recorded.body) - 1)
    cut = data.draw(st.integers(0, last) | st.integers(max(0, last - 300), last))

    outcome = switch.fetch(recorded, line, lambda body: body[:cut])

    check(outcome, switch.before(recorded, line))


def check_mangled(switch: Switch, recorded: Recorded, line: Line, data: st.DataObject) -> None:
    if len(recorded.body) > LARGEST_TAKEN_APART or not is_json(recorded.body):
        return
    if line.made is chef_page:
        rewritten = replace(recorded, body=mangled(recorded.body, data))
        outcome = switch.fetch(rewritten, line, same)
    else:
        outcome = switch.fetch(recorded, line, lambda body: mangled(body, data))

    check(outcome, switch.before(recorded, line))


@GOOD
@often
@given(data=st.data())
def test_good_answer_cut_off_anywhere_is_an_error_or_says_the_same(
    recorded: Recorded, line: Line, switch: Switch, data: st.DataObject
) -> None:
    check_cut(switch, recorded, line, data)


@OTHER
@seldom
@given(data=st.data())
def test_any_other_answer_cut_off_anywhere_is_still_an_error(
    recorded: Recorded, line: Line, switch: Switch, data: st.DataObject
) -> None:
    check_cut(switch, recorded, line, data)


@pytest.mark.parametrize(("recorded", "line"), CASES, ids=name)
def test_another_thing_altogether_tells_no_number(
    recorded: Recorded, line: Line, switch: Switch
) -> None:
    for other in ELSE:
        outcome = switch.fetch(recorded, line, lambda _, other=other: other)

        check(outcome, switch.before(recorded, line))


@GOOD
@often
@given(data=st.data())
def test_wrong_type_missing_key_and_huge_number_are_errors_or_change_no_number(
    recorded: Recorded, line: Line, switch: Switch, data: st.DataObject
) -> None:
    check_mangled(switch, recorded, line, data)


@OTHER
@seldom
@given(data=st.data())
def test_any_other_answer_with_something_wrong_in_it_is_still_an_error(
    recorded: Recorded, line: Line, switch: Switch, data: st.DataObject
) -> None:
    check_mangled(switch, recorded, line, data)


@pytest.mark.parametrize("platform", list(FOUND))
def test_every_platform_with_recorded_answers_is_among_them(platform: str) -> None:
    must_be_there = payload_dir().is_dir() and platform in {*LINED, "github"}
    if not find_all(platform) and not must_be_there:
        pytest.skip(f"no recorded answers of {platform} in {payload_dir()}")

    assert platform in {recorded.platform for recorded, _ in CASES}
