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
from typing import Any

import pytest
from aiohttp import web
from fakes.clock import FakeClock
from fakes.github_expected import EXPECTED, Stored
from fakes.payloads import Recorded, find_all, payload_dir
from fakes.platform_worlds import FOUND
from fakes.recorded import Line, Lines, reading
from fakes.recorded_lines import LINED, chef_page, line_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import ItemError, PlatformError
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched, Profile
from syncd.sandbox.faults import BLOCK_PAGE
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

PAGES = (
    BLOCK_PAGE.encode(),
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>0</body></html>",
    b"<html><head><title>Redirecting...</title><script>document.cookie='RCPC=0'</script></head>",
    b"<html>" + b"<div>" * 20_000,
)
ELSE = (
    b"", b" ", b"null", b"[]", b"{}", b"0", b'"0"', b"true", b"false", b"NaN", b"Infinity",
    b"0" * 5_000, b"[" * 100_000, b'{"data":' * 100_000, b"\x00", b"\xff\xfe{}", b"ok",
    b'{"message":"Internal error"}', b'{"status":"FAILED"}', b'{"status":"OK","result":[{}]}',
    b'{"data":{}}', b"[{}]", *PAGES,
)  # fmt: skip
DEEP: Any = 0
for _ in range(150):
    DEEP = [DEEP]
GONE = object()
# What no platform means by a rating or a count, except the seven: that is one where it is taken.
WRONG = (GONE, None, "x", "", "7", 7, 1.5, True, False, [], {}, [{}], {"x": 0}, 10**30, 1e300, DEEP)
TAKEN = {7, 1.5}


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


def same(body: bytes) -> bytes:
    return body


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


def places(data: Any) -> dict[str, list[tuple[Any, Any]]]:
    """Return where each key of a document stands; items of lists are no keys."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    rest = [data]
    for inner in rest:
        if isinstance(inner, dict):
            for key in inner:
                found.setdefault(key, []).append((inner, key))
            rest.extend(inner.values())
        elif isinstance(inner, list):
            rest.extend(inner)
    return found


def mangled(body: bytes, data: st.DataObject) -> bytes:
    """Put something wrong in one place of a JSON document."""
    document = json.loads(body)
    known = places(document)
    if not known:
        return body
    key = data.draw(st.sampled_from(sorted(known)))
    holder, key = data.draw(st.sampled_from(known[key]))
    value = data.draw(st.sampled_from([wrong for wrong in WRONG if is_wrong(holder[key], wrong)]))
    if value is GONE:
        del holder[key]
    else:
        holder[key] = value
    return json.dumps(document).encode()


def is_wrong(right: Any, wrong: Any) -> bool:
    """A number in the place of another is no mistake that anybody could see, unless it is huge."""
    if type(right) in {int, float}:
        return type(wrong) not in {int, float} or wrong > 2**63
    return type(right) is not type(wrong) or isinstance(right, list | dict)


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
