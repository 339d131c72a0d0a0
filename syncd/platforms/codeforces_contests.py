"""The contests of Codeforces, as `contest.list` tells them: the whole history and all to come.

Of two contests in 2020 the system test is pending to this day: what is over only the clock says,
never the phase. https://codeforces.com/apiHelp/methods#contest.list
"""

from __future__ import annotations

from typing import Any

from syncd.model.contest import Contest, ContestList
from syncd.platforms.announced import (
    collect,
    end_after,
    name_in,
    raw_of,
    rows_in,
    unix_time_in,
)
from syncd.platforms.shape import Shape

_SOURCE = "codeforces"
# These change while the contest stays as it is.
_VOLATILE = frozenset({"phase", "frozen", "relativeTimeSeconds"})


def to_contests(data: Any) -> ContestList:
    """Map an answer of `contest.list`.

    Raises:
        BadPayload: it is none.
    """
    answer = Shape(data, _SOURCE)
    if answer.data.get("status") != "OK":
        raise answer.wrong("status", "OK")
    return collect(_SOURCE, rows_in(answer, "result"), _contest, is_whole=True)


def _contest(row: Shape) -> Contest | None:
    """Return the contest of a row; None of what is announced without a start."""
    number = row.needed_count("id")
    name, seconds = name_in(row, "name"), row.needed_count("durationSeconds")
    if row.data.get("startTimeSeconds") is None:
        return None
    starts_at = unix_time_in(row, "startTimeSeconds")
    return Contest(
        platform=_SOURCE,
        external_id=str(number),
        name=name,
        url=f"https://codeforces.com/contests/{number}",
        starts_at=starts_at,
        ends_at=end_after(row, "durationSeconds", starts_at, seconds),
        duration_seconds=seconds,
        kind=row.text("type") or "",
        raw=raw_of(row, without=_VOLATILE),
    )
