"""The contests of LeetCode: the next weekly one and the next biweekly one, nothing else.

The site also tells of all there ever were (`allContests`), a hundred kilobytes of history for the
same two that are to come. `description` is never asked for: ten kilobytes of rich text each.
"""

from __future__ import annotations

from typing import Any

from syncd.errors import BadPayload, PlatformDown
from syncd.model.contest import Contest, ContestList
from syncd.outbound.reader import excerpt
from syncd.platforms.announced import (
    collect,
    end_after,
    id_in,
    name_in,
    raw_of,
    rows_in,
    unix_time_in,
)
from syncd.platforms.shape import Shape

QUESTION = {
    "query": "{ topTwoContests { title titleSlug startTime originStartTime duration } }",
    "variables": {},
}

_SOURCE = "leetcode"
# By whichever name the site tells of them: the rows are the same.
_LISTS = ("topTwoContests", "upcomingContests", "allContests")
_MISASKED = "cannot query field"
_KINDS = ("weekly", "biweekly")


def to_contests(data: Any) -> ContestList:
    """Map an answer.

    Raises:
        PlatformDown: the site answered with an error of its own.
        BadPayload: it does not know the question, or the answer is no list of contests.
    """
    answer = Shape(data, _SOURCE)
    _check_errors(answer)
    inside = answer.needed_inner("data")
    key = next((key for key in _LISTS if key in inside.data), _LISTS[0])
    return collect(_SOURCE, rows_in(inside, key), _contest, is_whole=False)


def _check_errors(answer: Shape) -> None:
    errors = answer.rows("errors")
    if not errors:
        return
    words = excerpt((errors[0].text("message") or "an error without words").encode())
    if _MISASKED in words.lower():
        raise BadPayload(f"leetcode does not know the question for contests: {words}")
    raise PlatformDown(f"cannot read contests: leetcode answered with an error: {words}")


def _contest(row: Shape) -> Contest:
    slug, seconds = id_in(row, "titleSlug"), row.needed_count("duration")
    # Of a contest that is repeated for practice `startTime` is another.
    is_original = row.data.get("originStartTime") is not None
    starts_at = unix_time_in(row, "originStartTime" if is_original else "startTime")
    kind = slug.partition("-contest-")[0]
    return Contest(
        platform=_SOURCE,
        external_id=slug,
        name=name_in(row, "title"),
        url=f"https://leetcode.com/contest/{slug}",
        starts_at=starts_at,
        ends_at=end_after(row, "duration", starts_at, seconds),
        duration_seconds=seconds,
        kind=kind if kind in _KINDS else "",
        raw=raw_of(row, without={"description"}),
    )
