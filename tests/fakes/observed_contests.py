"""What became of contests from December 2025 to May 2026, as somebody saw it every two hours.

Each contest that changed its start, name or duration while it was listed, with the instant at which
each version was first seen. One was listed anew under another number of the observer's: it is one
contest all the same, by its platform's own id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from fakes.payloads import find_recorded

from syncd.model.contest import MOVED, Contest, ContestList
from syncd.platforms.clist import to_contests

FILE = "clist/observed_changes_2025-12_to_2026-04.json"
PLATFORMS = ("codeforces", "leetcode", "codechef", "atcoder")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A version of a contest, and when it was first seen."""

    seen_at: datetime
    contest: Contest


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What every platform tells at an instant: all that was seen until then, as it was last."""

    at: datetime
    lists: Mapping[str, ContestList]


def observed() -> list[Observed]:
    """Return every version of every contest in the order of time, or skip the test."""
    versions = [
        Observed(seen_at=datetime.fromisoformat(version["seen"]), contest=_contest(row, version))
        for row in find_recorded(FILE).json()
        for version in row["versions"]
    ]
    return sorted(versions, key=lambda version: version.seen_at)


def histories() -> dict[tuple[str, str], list[Observed]]:
    """Return the versions of each contest, by platform and id."""
    found: dict[tuple[str, str], list[Observed]] = {}
    for version in observed():
        contest = version.contest
        found.setdefault((contest.platform, contest.external_id), []).append(version)
    return found


def moves() -> list[tuple[Observed, Observed]]:
    """Return each move of a start by 60 s or more: the version before it and the one after."""
    return [
        (before, after)
        for versions in histories().values()
        for before, after in pairwise(versions)
        if abs(after.contest.starts_at - before.contest.starts_at) >= MOVED
    ]


def looks() -> Iterator[Look]:
    """Yield a look whenever something new was seen, and one at every midnight (UTC) between."""
    versions = observed()
    known: dict[tuple[str, str], Contest] = {}
    for at in _instants(versions):
        while versions and versions[0].seen_at <= at:
            contest = versions.pop(0).contest
            known[contest.platform, contest.external_id] = contest
        yield Look(at=at, lists=_lists(known.values()))


def by_day() -> Iterator[Sequence[Look]]:
    """Yield the looks of each day (UTC), none of which is empty."""
    day: list[Look] = []
    for look in looks():
        if day and look.at.date() != day[0].at.date():
            yield day
            day = []
        day.append(look)
    yield day


def _instants(versions: Sequence[Observed]) -> list[datetime]:
    first, last = versions[0].seen_at, versions[-1].contest.ends_at
    midnight = datetime.combine(first.date(), time(), UTC) + _DAY
    midnights = [midnight + place * _DAY for place in range((last - midnight).days + 2)]
    return sorted({*midnights, *(version.seen_at for version in versions)})


def _lists(contests: Any) -> dict[str, ContestList]:
    return {
        platform: ContestList(
            source=platform,
            contests=[contest for contest in contests if contest.platform == platform],
            # As of the platform itself: of Codeforces all, of the others a window.
            is_whole=platform == "codeforces",
        )
        for platform in PLATFORMS
    }


def _contest(row: Mapping[str, Any], version: Mapping[str, Any]) -> Contest:
    end = datetime.fromisoformat(version["start"]) + timedelta(seconds=version["duration"])
    told = {
        "resource": row["host"],
        "href": row["href"],
        "event": version["event"],
        "start": version["start"],
        "end": end.isoformat(),
        "duration": version["duration"],
    }
    [contest] = to_contests({"objects": [told]}).contests
    return contest
