"""What every recorded list of contests must come to; the lines of all other files are elsewhere.

A file of these platforms without a line here is no list: asked for contests and answered with it,
a platform must not find any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fakes.payloads import Recorded, find_all
from fakes.platform_worlds import PLATFORMS
from fakes.recorded import Line, Made, told

from syncd.sandbox.answer import Answer

ANNOUNCING = [name for name, platform in PLATFORMS.items() if platform.announces_contests]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestLine:
    """One recorded list: how many contests of which platforms, some of them, and what is unread."""

    of: Mapping[str, int]
    some: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unread: int = 0
    is_whole: bool = False
    made: Made | None = None
    asked: str = "*"

    def served(self) -> Line:
        """Return the line by which a server answers with it."""
        return Line(handle="", to=self.asked, made=self.made)


def enveloped(change: Callable[[Any], Any]) -> Made:
    """Put rows where the service puts them, of which the envelope was left out in the recording."""

    def make(recorded: Recorded, asked: str) -> Answer:
        return told(change(recorded.json()))

    return make


def times(start: str, end: str, seconds: int, **more: Any) -> dict[str, Any]:
    return {"starts_at": f"{start}:00+00:00", "ends_at": f"{end}:00+00:00",
            "duration_seconds": seconds, **more}  # fmt: skip


OBJECTS = enveloped(lambda whole: {"meta": {"next": None}, "objects": whole["contests"]})
CODEFORCES = "/api/contest.list?gym=false&lang=en"
CLIST = "/api/v4/contest/?upcoming=true&*"

CONTEST_LINES: Mapping[str, ContestLine] = MappingProxyType({
    "codeforces/contest_list_200_2024-02-17.json": ContestLine(
        of={"codeforces": 1_835}, is_whole=True, asked=CODEFORCES,
        some={
            "1933": times("2024-02-29T14:35", "2024-02-29T16:50", 8_100, kind="ICPC",
                          name="Codeforces Round (Div. 3)",
                          url="https://codeforces.com/contests/1933"),
            "1": times("2010-02-19T12:00", "2010-02-19T14:00", 7_200, kind="ICPC",
                       name="Codeforces Beta Round 1"),
        },
    ),
    "codeforces/contest_list_upcoming_rows_2024-10-10.json": ContestLine(
        of={"codeforces": 9}, is_whole=True, asked=CODEFORCES,
        made=enveloped(lambda rows: {"status": "OK", "result": rows}),
        some={
            "2023": times("2024-10-20T09:05", "2024-10-20T11:05", 7_200,
                          name="Codeforces Round (Div. 1)"),
            "2024": times("2024-10-20T09:05", "2024-10-20T11:05", 7_200,
                          name="Codeforces Round (Div. 2)"),
        },
    ),
    "leetcode/upcoming_contests_200_2025-12-05.json": ContestLine(
        of={"leetcode": 2}, asked="/graphql",
        some={
            "biweekly-contest-171": times(
                "2025-12-06T14:30", "2025-12-06T16:00", 5_400, kind="biweekly",
                name="Biweekly Contest 171",
                url="https://leetcode.com/contest/biweekly-contest-171"),
            "weekly-contest-479": times("2025-12-07T02:30", "2025-12-07T04:00", 5_400,
                                        kind="weekly"),
        },
    ),
    # Of 29 rows five are skill tests that run for years, and two are banners.
    "codechef/contests_all_200_2024-05-14.json": ContestLine(
        of={"codechef": 22}, asked="/api/list/contests/all?*",
        some={
            "START134B": times("2024-05-15T14:30", "2024-05-15T16:30", 7_200, joint_id="START134",
                               name="Starters 134", url="https://www.codechef.com/START134B"),
            "START116": times("2024-01-10T14:30", "2024-01-10T16:45", 8_100, joint_id="START116",
                              name="Starters 116  (Rated till 6-Stars)"),
        },
    ),
    # Of 61 four are permanent.
    "atcoder/contests_page_2021-04-23_ja.html": ContestLine(
        of={"atcoder": 57}, asked="/contests/?lang=en",
        some={
            "typical90": times("2021-04-20T10:20", "2021-07-12T11:00", 7_173_600, rated_range="-",
                               name="競プロ典型 90 問"),
            "abc199": times("2021-04-24T12:00", "2021-04-24T13:40", 6_000, rated_range="~ 1999",
                            name="AtCoder Beginner Contest 199\uff08Sponsored by Panasonic\uff09",
                            url="https://atcoder.jp/contests/abc199"),
            "arc118": times("2021-05-09T12:00", "2021-05-09T14:00", 7_200, rated_range="~ 2799"),
        },
    ),
    "clist/clist_contests_2025-12-25.json": ContestLine(
        of={"codeforces": 4, "leetcode": 3, "codechef": 3, "atcoder": 9}, asked=CLIST, made=OBJECTS,
        some={
            "2178": times("2025-12-27T14:35", "2025-12-27T17:35", 10_800, platform="codeforces",
                          name="Good Bye 2025", url="https://codeforces.com/contests/2178"),
            "START219": times("2025-12-31T14:30", "2025-12-31T16:30", 7_200, platform="codechef",
                              joint_id="START219"),
            "weekly-contest-482": times("2025-12-28T02:30", "2025-12-28T04:00", 5_400,
                                        platform="leetcode"),
        },
    ),
    # One more of Codeforces is announced in a blog alone.
    "clist/clist_contests_2026-02-15.json": ContestLine(
        of={"codeforces": 5, "leetcode": 2, "codechef": 5, "atcoder": 11}, unread=1, asked=CLIST,
        made=OBJECTS,
        some={
            "masters2026-qual": times("2026-03-01T04:00", "2026-03-01T10:00", 21_600,
                                      platform="atcoder"),
        },
    ),
})  # fmt: skip

RECORDED = [recorded for platform in ANNOUNCING for recorded in find_all(platform)]
LISTS = [(each, CONTEST_LINES[each.file]) for each in RECORDED if each.file in CONTEST_LINES]
OTHERS = [each for each in RECORDED if each.file not in CONTEST_LINES]


def counted(contests: Any) -> dict[str, int]:
    """Count contests by platform."""
    return dict(Counter(contest.platform for contest in contests))
