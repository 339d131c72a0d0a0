"""A list of contests as columns that PostgreSQL takes."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncd.model.contest import Contest, ContestList

# An index holds no longer one.
_LONGEST_ID = 300
_LONGEST_SECONDS = 2**62
_BREATHE_EVERY = 500
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Rows:
    """What can be stored of a list, each contest once; `unread` says why the rest cannot."""

    contests: list[Contest] = field(default_factory=list)
    raws: list[Any] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many contests there are."""
        return len(self.contests)

    @property
    def ids(self) -> list[str]:
        """Return what each is known by, whichever of its ids it goes by today."""
        return [contest.joint_id for contest in self.contests]

    @property
    def newest(self) -> datetime:
        """Return when the last of them starts."""
        return max((contest.starts_at for contest in self.contests), default=_NEVER)

    def slices(self, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield columns of so many contests at most, in the order of the statement."""
        for start in range(0, len(self.contests), size):
            part = self.contests[start : start + size]
            yield [
                [contest.platform for contest in part],
                [contest.external_id for contest in part],
                [contest.joint_id for contest in part],
                [_text(contest.name) for contest in part],
                [_text(contest.url) for contest in part],
                [contest.starts_at for contest in part],
                [contest.ends_at for contest in part],
                [contest.duration_seconds for contest in part],
                [_text(contest.kind) for contest in part],
                [_text(contest.rated_range) for contest in part],
                self.raws[start : start + size],
            ]


async def rows_of(
    found: ContestList, platforms: Sequence[str] = (), since: datetime | None = None
) -> Rows:
    """Sort out what can and is to be stored; others have their turn on the way.

    Contests of other platforms, and those that ended before `since`, are left out. Of one that is
    listed twice the first one counts, unless it goes there by a part of its id.
    """
    unread, oldest = list(found.unread), since or _NEVER
    kept: dict[tuple[str, str], Contest] = {}
    for number, contest in enumerate(found.contests):
        if not number % _BREATHE_EVERY:
            await asyncio.sleep(0)
        key = contest.platform, contest.joint_id
        why = _fault(contest)
        if why:
            unread.append(f"{found.source}: contest {contest.external_id[:80]!a} {why}")
        elif contest.ends_at >= oldest and _is_of(contest, platforms):
            is_whole = contest.external_id == contest.joint_id
            if key not in kept or (is_whole and kept[key].external_id != contest.joint_id):
                kept[key] = contest
    contests = [*kept.values()]
    return Rows(contests, [_storable(contest.raw) for contest in contests], unread)


def _is_of(contest: Contest, platforms: Sequence[str]) -> bool:
    return not platforms or contest.platform in platforms


def _fault(contest: Contest) -> str:
    """Say what keeps a contest from being stored; empty where nothing does."""
    for name in (contest.external_id, contest.joint_id):
        if not 0 < len(name) <= _LONGEST_ID or _text(name) != name:
            return "has an id that cannot be one"
    if contest.ends_at < contest.starts_at:
        return "ends before it starts"
    if not 0 <= contest.duration_seconds < _LONGEST_SECONDS:
        return "has a duration that cannot be"
    return ""


def _text(text: str) -> str:
    """Return a text without what none in PostgreSQL can hold: NUL, half a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _storable(raw: Any) -> Any:
    """Return what was told without what no jsonb can hold; as it is where that is nothing."""
    written = json.dumps(raw)
    is_odd = any(word in written for word in ("\\u0000", "\\ud", "NaN", "Infinity"))
    return _cleaned(raw) if is_odd else raw


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_text(str(key)): _cleaned(inner) for key, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value
