"""What becomes of the fire times that are due: a pure function of what is known.

Every one of them gets exactly one verdict: it runs, or it is skipped with a reason. What a pause
covers is `paused`; what the misfire policy leaves behind `too_late` or `coalesced`; what the
overlap policy refuses `overlap`. The newest thousand are decided one by one. Older ones do not run,
and share one verdict for each reason, so that a jump of ten years costs no more than an hour.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from syncd.model.pause import Pause
from syncd.model.run import Cause, SkipReason
from syncd.model.schedule import Misfire, Overlap
from syncd.schedule.jitter import due_at
from syncd.schedule.roster import Schedule
from syncd.schedule.timetable import Timetable, latest_between, newest_between

MOST_VERDICTS = 1_000
"""How many fire times of a job have a verdict of their own in one look."""

_MOST_CAUGHT_UP = 100
_LATE = timedelta(seconds=60)
_TICK = timedelta(microseconds=1)


class Way(StrEnum):
    """How a run begins: when its turn comes, beside those that are active, instead of them."""

    IN_LINE = "in_line"
    BESIDE = "beside"
    REPLACING = "replacing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is known of a job at the instant `now`.

    Fire times up to `since` have their verdict. `pauses` are those of the job and of everything,
    also some that have ended. `ahead` counts the runs that are active or wait in line. `most`
    verdicts are given one by one.
    """

    schedule: Schedule
    timetable: Timetable
    since: datetime
    now: datetime
    pauses: Sequence[Pause] = ()
    ahead: int = 0
    most: int = MOST_VERDICTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a fire time, or of all from `fires_since` to it that share the reason.

    Without a reason it runs, in the given way.
    """

    fire_time: datetime
    due_at: datetime
    cause: Cause
    skip_reason: SkipReason | None = None
    fires_since: datetime | None = None
    way: Way = Way.IN_LINE


def decide(asked: Question) -> Generator[None, None, Sequence[Verdict]]:
    """Give every fire time that is due its verdict, the oldest first.

    It pauses on the way when there are many, so that others get their turn.
    """
    fires = yield from newest_between(asked.timetable, asked.since, asked.now, asked.most + 1)
    due = _with_following(asked, fires)
    if due and due[-1].due_at > asked.now:
        due.pop()
    own = due[-asked.most :]
    if not own:
        return []
    shared = _shared(asked, own[0].fire_time) if len(fires) > asked.most else ()
    return [*shared, *_own(asked, own)]


@dataclass(frozen=True, slots=True)
class _Fire:
    """A fire time with what its verdict depends on."""

    fire_time: datetime
    due_at: datetime
    is_late: bool


def _with_following(asked: Question, fires: Sequence[datetime]) -> list[_Fire]:
    if not fires:
        return []
    last = asked.timetable.next_after(fires[-1])
    return [_fire(asked, *pair) for pair in zip(fires, [*fires[1:], last], strict=True)]


def _fire(asked: Question, fire_time: datetime, following: datetime | None) -> _Fire:
    """Tell when a fire is due, and whether it is later than its grace: the following fire time."""
    due = due_at(asked.schedule.job.name, fire_time, following, asked.schedule.jitter)
    grace = asked.schedule.misfire_grace
    if grace is not None:
        return _Fire(fire_time, due, asked.now - due > grace)
    return _Fire(fire_time, due, following is not None and asked.now > following)


def _own(asked: Question, due: Sequence[_Fire]) -> Iterator[Verdict]:
    """Decide fire times one by one."""
    covered = {fire.fire_time for fire in due if _is_paused(asked, fire.fire_time)}
    rest = [fire for fire in due if fire.fire_time not in covered]
    chosen = {fire.fire_time for fire in _chosen(asked, rest)}
    for fire in due:
        plain = Verdict(fire_time=fire.fire_time, due_at=fire.due_at, cause=_cause(asked, fire))
        if fire.fire_time in covered:
            yield replace(plain, skip_reason=SkipReason.PAUSED)
        elif fire.fire_time not in chosen:
            is_dropped = fire.is_late and asked.schedule.misfire is Misfire.SKIP
            reason = SkipReason.TOO_LATE if is_dropped else SkipReason.COALESCED
            yield replace(plain, skip_reason=reason)
        else:
            yield _beside_others(asked, plain, is_alone=len(chosen) == 1)


def _chosen(asked: Question, rest: Sequence[_Fire]) -> Sequence[_Fire]:
    """Choose what is to run, as the misfire policy says."""
    match asked.schedule.misfire:
        case Misfire.ALL:
            return rest[-_MOST_CAUGHT_UP:]
        case Misfire.ONCE:
            return rest[-1:]
        case Misfire.SKIP:
            return [fire for fire in rest if not fire.is_late][-1:]


def _beside_others(asked: Question, plain: Verdict, *, is_alone: bool) -> Verdict:
    """Decide what becomes of a fire that is to run while others are active or wait.

    Several at once are a catch-up, one after another, whatever is active.
    """
    if not asked.ahead or not is_alone:
        return plain
    overlap = asked.schedule.overlap
    if overlap is Overlap.ALLOW:
        return replace(plain, way=Way.BESIDE)
    if asked.ahead == 1 and overlap is Overlap.QUEUE:
        return plain
    if asked.ahead == 1 and overlap is Overlap.REPLACE:
        return replace(plain, way=Way.REPLACING)
    return replace(plain, skip_reason=SkipReason.OVERLAP)


def _shared(asked: Question, end: datetime) -> Iterator[Verdict]:
    """Decide all fire times before `end` together, one verdict for each reason."""
    groups: dict[SkipReason, tuple[datetime, datetime]] = {}
    start, too_late_until = asked.since, _too_late_until(asked, end)
    for stop in _borders(asked, too_late_until, end):
        newest = latest_between(asked.timetable, start, stop)
        if newest is not None:
            oldest = asked.timetable.next_after(start)
            assert oldest is not None  # there is a newest one
            is_dropped = stop <= too_late_until
            reason = SkipReason.TOO_LATE if is_dropped else SkipReason.COALESCED
            reason = SkipReason.PAUSED if _is_paused(asked, stop) else reason
            groups[reason] = (groups.get(reason, (oldest, newest))[0], newest)
        start = stop
    for reason, (oldest, newest) in sorted(groups.items(), key=lambda group: group[1][1]):
        fire = _fire(asked, newest, asked.timetable.next_after(newest))
        yield Verdict(
            fire_time=newest,
            due_at=fire.due_at,
            cause=_cause(asked, fire),
            skip_reason=reason,
            fires_since=oldest if oldest < newest else None,
        )


def _borders(asked: Question, too_late_until: datetime, end: datetime) -> Sequence[datetime]:
    """List the last instants of the stretches before `end` whose fire times share a reason."""
    borders = {end - _TICK, too_late_until}
    for pause in asked.pauses:
        borders |= {pause.paused_at - _TICK, (pause.until or end) - _TICK}
    return sorted(border for border in borders if asked.since < border < end)


def _too_late_until(asked: Question, end: datetime) -> datetime:
    """Return the last instant before `end` up to which fire times are dropped for being late."""
    if asked.schedule.misfire is not Misfire.SKIP:
        return asked.since
    grace = asked.schedule.misfire_grace
    if grace is None:
        return end - _TICK
    newest = latest_between(asked.timetable, asked.since, min(asked.now - grace, end - _TICK))
    if newest is None:
        return asked.since
    is_late = _fire(asked, newest, asked.timetable.next_after(newest)).is_late
    return newest if is_late else newest - _TICK


def _is_paused(asked: Question, fire_time: datetime) -> bool:
    """Tell whether a pause stands now, or covered the fire time before it ended."""
    return any(
        pause.until is None or pause.until > asked.now or pause.paused_at <= fire_time < pause.until
        for pause in asked.pauses
    )


def _cause(asked: Question, fire: _Fire) -> Cause:
    return Cause.CATCH_UP if asked.now - fire.due_at > _LATE else Cause.SCHEDULE
