"""The contests of CodeChef, as its own pages list them: running, to come, and the last twenty.

What never ends is left out: practice, and skill tests that run for years. A contest that is held
by division goes by the code of one of them before it starts (START134B) and by its own later
(START134): one contest, whichever of these is listed. Times of day stand there in India's zone
without saying so; only the `iso` fields name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.model.contest import Contest, ContestList
from syncd.platforms.announced import (
    collect,
    end_after,
    id_in,
    iso_time_in,
    joint_id,
    name_in,
    raw_of,
    rows_in,
)
from syncd.platforms.shape import Shape

SEGMENTS = ("api", "list", "contests", "all")
PARAMS: Mapping[str, str | int] = {
    "sort_by": "START",
    "sorting_order": "asc",
    "offset": 0,
    "mode": "all",
}

_SOURCE = "codechef"
_LISTS = ("present_contests", "future_contests", "past_contests")


def to_contests(data: Any) -> ContestList:
    """Map an answer.

    Raises:
        BadPayload: it is no list of contests.
    """
    answer = Shape(data, _SOURCE)
    if answer.data.get("status") != "success":
        raise answer.wrong("status", "success")
    rows = [row for key in _LISTS for row in rows_in(answer, key)]
    return collect(_SOURCE, rows, _contest, is_whole=False)


def _contest(row: Shape) -> Contest:
    code = id_in(row, "contest_code")
    starts_at = iso_time_in(row, "contest_start_date_iso")
    ends_at = iso_time_in(row, "contest_end_date_iso")
    if ends_at < starts_at:
        raise row.wrong("contest_end_date_iso", "end after the start")
    # In a window of days everybody has so many minutes from when they begin.
    seconds = 60 * row.needed_count("contest_duration", as_text=True)
    end_after(row, "contest_duration", starts_at, seconds)
    return Contest(
        platform=_SOURCE,
        external_id=code,
        joint_id=joint_id(_SOURCE, code),
        name=name_in(row, "contest_name"),
        url=f"https://www.codechef.com/{code}",
        starts_at=starts_at,
        ends_at=ends_at,
        duration_seconds=seconds,
        raw=raw_of(row, without={"distinct_users"}),
    )
