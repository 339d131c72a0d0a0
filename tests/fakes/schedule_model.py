"""The rules of fires, told once more by plain enumeration: what a ledger must look like.

It knows nothing of the scheduler but its rules. It is told what the outside did (time, restarts,
pauses, jumps, changes) and answers with the rows that must stand in the ledger. Only jitter is
taken from syncd: a hash cannot be told twice.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from syncd.model.pause import Pause, PauseScope
from syncd.model.schedule import Misfire, Overlap
from syncd.schedule.jitter import due_at
from syncd.schedule.roster import Schedule
from syncd.schedule.timetable import Timetable

MOST_ROWS = 1_000
MOST_ROWS_IN_ALL = 50_000
FEWEST_ROWS = 5
CANCEL_SECONDS = 2.25
EPSILON = 1e-4
_SOME_TIME = timedelta(days=3)

Told = tuple[str, datetime, str, str, datetime | None, int]
"""Job, fire time, skip reason or outcome, cause, first fire it stands for, when it began.

Of a run that follows another it is the fire time with which that began.
"""


@dataclass
class Row:
    """A fire time in the ledger, or a run that follows another (`origin` is its number).

    `word` is its skip reason, or how far its run is.
    """

    job: str
    fire_time: datetime
    word: str
    cause: str
    since: datetime | None = None
    number: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None
    origin: int = 0
    claimed_at: datetime | None = None


@dataclass
class Job:
    """A job, and what happens to it. Ends are seconds of the monotonic clock."""

    schedule: Schedule
    timetable: Timetable
    counts_from: datetime
    decided_until: datetime
    kept: tuple[str, bool]
    fires: list[datetime] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    written: list[datetime] = field(default_factory=list)
    open: dict[int, Row] = field(default_factory=dict)
    ends: dict[int, tuple[float, str]] = field(default_factory=dict)
    line: list[Row] = field(default_factory=list)
    held_until: datetime | None = None
    planned: datetime | None = None
    never: ClassVar[datetime] = datetime.max.replace(tzinfo=UTC)

    @property
    def name(self) -> str:
        return self.schedule.job.name

    @property
    def is_on(self) -> bool:
        return self.schedule.job.enabled

    def fires_until(self, end: datetime) -> list[datetime]:
        """Enumerate all fire times up to some time after `end`."""
        while self.fires and self.fires[-1] <= end + _SOME_TIME:
            following = self.timetable.next_after(self.fires[-1])
            if following is None:
                break
            self.fires.append(following)
        return self.fires

    def due_of(self, place: int) -> datetime:
        following = self.fires[place + 1] if place + 1 < len(self.fires) else None
        return due_at(self.name, self.fires[place], following, self.schedule.jitter)

    def learn(self, now: datetime) -> None:
        """Take the newest row for the last fire; those of the future are of before a jump back.

        Later looks go on from there: a row that lay ahead says nothing of the fires before it.
        """
        place = bisect.bisect_right(self.written, now)
        last = self.written[place - 1] if place else self.counts_from
        self.decided_until = max(self.counts_from, last)

    def has_row(self, fire_time: datetime) -> bool:
        place = bisect.bisect_left(self.written, fire_time)
        return self.written[place : place + 1] == [fire_time]

    def due(self, now: datetime) -> list[int]:
        """List the places of the fires that are due and were not looked at."""
        fires, since = self.fires_until(now), self.decided_until
        places = range(bisect.bisect_right(fires, since), bisect.bisect_right(fires, now))
        return [place for place in places if self.due_of(place) <= now]

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the first fire that was not looked at is due."""
        if self.planned is None:
            fires = self.fires_until(now)
            place = bisect.bisect_right(fires, self.decided_until)
            self.planned = self.due_of(place) if place < len(fires) - 1 else now + _SOME_TIME
        return self.planned if self.is_on else None


class Model:
    """What must stand in the ledger.

    Args:
        begin: the first instant; it lies at second 0 of the monotonic clock.
        takes: how many seconds a run takes.
    """

    def __init__(self, begin: datetime, takes: Callable[[str, datetime], float]) -> None:
        self.begin = begin
        self.offset = timedelta()
        self.elapsed = 0.0
        self.jobs: dict[str, Job] = {}
        self.pauses: dict[tuple[PauseScope, str], Pause] = {}
        self.is_up = False
        self._ended: set[tuple[PauseScope, str]] = set()
        self._takes = takes
        self._numbers = 0

    @property
    def now(self) -> datetime:
        return self.begin + self.offset + timedelta(seconds=self.elapsed)

    def next_wake(self) -> datetime | None:
        """Return the wall-clock time at which a scheduler that is up has something to do."""
        now, jobs = self.now, self.jobs.values()
        found = [*(job.next_due(now) for job in jobs), *(job.held_until for job in jobs)]
        found += [
            each.until
            for key, each in self.pauses.items()
            if each.until and (each.until > now or key not in self._ended)
        ]
        return min((at for at in found if at is not None), default=None)

    def advance(self, elapsed: float) -> None:
        """Let time pass; what happens at `elapsed` itself is left to the caller."""
        while (step := self._next_step()) is not None and step < elapsed - EPSILON:
            self.elapsed = step
            self._step()
        is_at_step = step is not None and abs(step - elapsed) <= EPSILON
        self.elapsed = step if step is not None and is_at_step else elapsed

    def _next_step(self) -> float | None:
        ends = [end for job in self.jobs.values() for end, _ in job.ends.values()]
        wake = self.next_wake() if self.is_up else None
        if wake is not None:
            seconds = (wake - self.begin - self.offset) / timedelta(seconds=1)
            ends.append(max(seconds, self.elapsed))
        return min(ends, default=None)

    def _step(self) -> None:
        ended: list[Row] = []
        for job in self.jobs.values():
            for number, (end, word) in list(job.ends.items()):
                if end <= self.elapsed:
                    del job.ends[number]
                    row = job.open.pop(number)
                    row.word, row.ended_at = word, self.now
                    ended.append(row)
        if self.is_up:
            self.look()
            self._follow(ended)

    def _follow_newest(self) -> None:
        """Let jobs follow the newest run of each, should they not have done so."""
        for job in self.jobs.values():
            told = [row for row in job.rows if row.word in {"succeeded", "abandoned"}]
            self._follow(sorted(told, key=lambda row: row.number)[-1:])

    def _follow(self, ended: Sequence[Row]) -> None:
        """Write down a run of each job that comes after those that succeeded, once for each."""
        for row in ended:
            for job in self.jobs.values():
                if row.word == "succeeded" and row.job in job.schedule.after and job.is_on:
                    self._chain(job, row)
        self._start_ready()

    def _chain(self, job: Job, origin: Row) -> None:
        is_past = origin.ended_at is None or origin.ended_at <= job.counts_from
        if is_past or any(row.origin == origin.number for row in job.rows):
            return
        word = "claimed"
        if self._is_held(job):
            word = "paused"
        elif len(job.line) + bool(job.ends) > 1:
            word = "overlap"
        row = Row(job.name, origin.fire_time, word, "chained", origin=origin.number)
        self._add(job, row)
        if word == "claimed":
            job.line.append(row)

    def _release(self) -> None:
        for job in self.jobs.values():
            if job.held_until is not None and job.held_until <= self.now:
                job.held_until = None

    def resume(self, scope: PauseScope, key: str) -> None:
        """End a pause after what is due was decided under it; what it held begins."""
        self.look()
        del self.pauses[scope, key]
        self._start_ready(is_look=True)

    def _has_resumed(self) -> bool:
        """Tell whether a pause has ended since the last time."""
        now, before = self.now, self._ended
        self._ended = {key for key, each in self.pauses.items() if each.until and each.until <= now}
        return bool(self._ended - before)

    def look(self, *, is_start: bool = False) -> None:
        """Write down every verdict that is due, then start what may start."""
        self._release()
        written = self.write_due(is_start=is_start)
        for job, row in written:
            if row.word == "beside":
                self._start(job, row)
            elif row.word == "replacing":
                self._replace(job)
                job.line.insert(0, row)
                row.word = "claimed"
            elif row.word == "claimed":
                job.line.append(row)
        self._start_ready(is_look=is_start or bool(written) or self._has_resumed())

    def _replace(self, job: Job) -> None:
        """End what is active soon, or at once what waits since a crash."""
        for number, (end, _) in job.ends.items():
            job.ends[number] = (min(end, self.elapsed + CANCEL_SECONDS), "cancelled")
        for waiting in job.line:
            waiting.word = "cancelled"
            del job.open[waiting.number]
            job.held_until = None
        job.line.clear()

    def _replace_left(self) -> None:
        """Let what died between its verdict and its beginning replace what it was to replace."""
        for job in self.jobs.values():
            ahead = [*(job.open[number] for number in job.ends), *job.line]
            if len(ahead) != 2 or job.schedule.overlap is not Overlap.REPLACE:
                continue
            first, second = ahead
            if not second.origin and first.claimed_at != second.claimed_at:
                job.line.remove(second)
                self._replace(job)
                job.line.append(second)

    def write_due(self, *, is_start: bool = False) -> list[tuple[Job, Row]]:
        """Write down every verdict that is due; at a start all jobs are looked at together."""
        now, written = self.now, []
        due = [job for job in self.jobs.values() if (job.next_due(now) or job.never) <= now]
        looked_at = len(self.jobs) if is_start else len(due)
        most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_ROWS_IN_ALL // max(1, looked_at)))
        for job in due:
            for row in list(self._verdicts(job, job.due(now), now, most)):
                self._write(job, row)
                written.append((job, row))
                job.decided_until = row.fire_time
            job.planned = None
        return written

    def _write(self, job: Job, row: Row) -> None:
        """Write down a verdict; a fire time that has a row keeps it, and never fires again."""
        if job.has_row(row.fire_time):
            row.word = "known"
            return
        bisect.insort(job.written, row.fire_time)
        self._add(job, row)

    def _add(self, job: Job, row: Row) -> None:
        self._numbers += 1
        row.number, row.claimed_at = self._numbers, self.now
        job.rows.append(row)
        if row.word in {"claimed", "beside", "replacing"}:
            job.open[row.number] = row

    def _verdicts(self, job: Job, places: Sequence[int], now: datetime, most: int) -> Iterator[Row]:
        if not places:
            return
        own, older = places[-most:], places[:-most]
        groups: dict[str, list[Row]] = {}
        for place in older:
            word = self._word_of_old(job, place, now)
            groups.setdefault(word, []).append(self._plain(job, place, word, now))
        for rows in sorted(groups.values(), key=lambda rows: rows[-1].fire_time):
            rows[-1].since = rows[0].fire_time if len(rows) > 1 else None
            yield rows[-1]
        yield from self._own_verdicts(job, own, now)

    def _own_verdicts(self, job: Job, places: Sequence[int], now: datetime) -> Iterator[Row]:
        policy = job.schedule.misfire
        rest = [place for place in places if not self._is_paused(job, job.fires[place], now)]
        in_time = [place for place in rest if not self._is_misfire(job, place, now)]
        runs = {Misfire.ONCE: rest[-1:], Misfire.SKIP: in_time[-1:], Misfire.ALL: rest[-100:]}
        chosen = runs[policy]
        for place in places:
            word = "coalesced"
            if place not in rest:
                word = "paused"
            elif place in chosen:
                word = self._word_beside(job) if len(chosen) == 1 else "claimed"
            elif policy is Misfire.SKIP and place not in in_time:
                word = "too_late"
            yield self._plain(job, place, word, now)

    def _word_of_old(self, job: Job, place: int, now: datetime) -> str:
        if self._is_paused(job, job.fires[place], now):
            return "paused"
        is_skip = job.schedule.misfire is Misfire.SKIP
        return "too_late" if is_skip and self._is_misfire(job, place, now) else "coalesced"

    def _word_beside(self, job: Job) -> str:
        """Apply the overlap policy to the one fire that is to run."""
        ahead = len(job.line) + bool(job.ends)
        if ahead == 0:
            return "claimed"
        match job.schedule.overlap:
            case Overlap.ALLOW:
                return "beside"
            case Overlap.QUEUE if ahead == 1:
                return "claimed"
            case Overlap.REPLACE if ahead == 1:
                return "replacing"
        return "overlap"

    def _is_misfire(self, job: Job, place: int, now: datetime) -> bool:
        if job.schedule.misfire_grace is None:
            return now > job.fires[place + 1]
        return now - job.due_of(place) > job.schedule.misfire_grace

    def _is_paused(self, job: Job, fire_time: datetime, now: datetime) -> bool:
        for key in ((PauseScope.ALL, ""), (PauseScope.JOB, job.name)):
            pause = self.pauses.get(key)
            if pause is None:
                continue
            if pause.until is None or pause.until > now:
                return True
            if pause.paused_at <= fire_time < pause.until:
                return True
        return False

    def _is_held(self, job: Job) -> bool:
        """Tell whether a pause of a job or of everything stands."""
        found = (self.pauses.get(key) for key in ((PauseScope.ALL, ""), (PauseScope.JOB, job.name)))
        return any(each and (each.until is None or each.until > self.now) for each in found)

    def _plain(self, job: Job, place: int, word: str, now: datetime) -> Row:
        is_late = now - job.due_of(place) > timedelta(seconds=60)
        cause = "catch_up" if is_late else "schedule"
        return Row(job=job.name, fire_time=job.fires[place], word=word, cause=cause)

    def _start_ready(self, *, is_look: bool = False) -> None:
        """Start the first of each line whose turn has come; catch-ups found together are spread."""
        ready = [
            job
            for job in self.jobs.values()
            if job.line and not job.ends and job.held_until is None and not self._is_held(job)
        ]
        late = [
            job
            for job in ready
            if is_look and job.line[0].cause == "catch_up" and job.line[0].began_at is None
        ]
        apart = min(timedelta(seconds=5), timedelta(seconds=60) / max(1, len(late)))
        for place, job in enumerate(late):
            if place:
                job.held_until = self.now + place * apart
        for job in ready:
            if job.held_until is None:
                self._start(job, job.line.pop(0))

    def _start(self, job: Job, row: Row) -> None:
        row.word, row.began_at = "running", row.began_at or self.now
        end = self.elapsed + self._takes(job.name, row.fire_time)
        job.ends[row.number] = (end, "succeeded")

    # What the outside does.

    def know(self, schedule: Schedule, timetable: Timetable) -> None:
        """Take over what config says of a job; what changed counts when it is settled."""
        job = self.jobs.get(schedule.job.name)
        if job is None:
            now, kept = self.now, (schedule.times, schedule.job.enabled)
            job = Job(schedule, timetable, now, now, kept)
            self.jobs[job.name] = job
        if job.timetable is not timetable or not job.fires:
            first = timetable.next_after(self.begin - _SOME_TIME)
            job.fires = [] if first is None else [first]
        job.schedule, job.timetable, job.planned = schedule, timetable, None
        if not job.is_on:
            self._drop_line(job)

    def settle(self, catch_up: Collection[str] = (), *, is_up: bool = False) -> None:
        """Let what changed count from now, and nothing from the future.

        A scheduler that is up learns anew only of what changed.
        """
        for job in self.jobs.values():
            kept, (times, was_on) = (job.schedule.times, job.is_on), job.kept
            has_changed = times != job.schedule.times or (job.is_on and not was_on)
            if has_changed and job.name not in catch_up:
                job.counts_from = self.now
            job.counts_from = min(job.counts_from, self.now)
            if kept != job.kept or not is_up:
                job.learn(self.now)
            job.kept, job.planned = kept, None

    def start(self, died_in: str = "") -> None:
        """Start a scheduler, which may die in a step of that: what came before it stands."""
        if died_in.startswith("recover"):
            return
        self._collect()
        steps = ["verdicts", "settle", "settled", "claim", "claimed", ""]
        reached = steps.index(died_in)
        if reached >= steps.index("settle"):
            self._replace_left()
        if reached >= steps.index("settled"):
            self.settle()
        if reached == steps.index("claimed"):
            self.die_after_claim(is_start=True)
        if not died_in:
            self.is_up = True
            self.look(is_start=True)
            self._follow_newest()
        else:
            self.stop()

    def jump(self, by: timedelta) -> None:
        """Change the wall clock, which a scheduler that is up notices at once."""
        self.offset += by
        for job in self.jobs.values():
            job.planned = None
        if not self.is_up:
            return
        if by < timedelta(0):
            self._collect()
            self.settle()
        self.look(is_start=by < timedelta(0))
        if by < timedelta(0):
            self._follow_newest()

    def change(self, catch_up: Collection[str]) -> None:
        """Let a scheduler that is up take over what is known of the jobs."""
        self.settle(catch_up, is_up=True)
        self.look()

    def die_after_claim(self, *, is_start: bool = False) -> None:
        """Write down what is due, and start nothing of it."""
        for _, row in self.write_due(is_start=is_start):
            row.word = "claimed" if row.number in self.jobs[row.job].open else row.word

    def stop(self) -> None:
        """Fire no more; what is active goes on."""
        self.is_up = False
        for job in self.jobs.values():
            job.line.clear()
            job.held_until = None

    def kill(self) -> None:
        """Let the process die, with all that it ran."""
        self.stop()
        for job in self.jobs.values():
            for number in job.ends:
                job.open[number].word = "interrupted"
            job.ends.clear()

    def _collect(self) -> None:
        """Put in line all that waits or was interrupted; what nobody wants is ended."""
        for job in self.jobs.values():
            left = [row for row in job.open.values() if row.word != "running"]
            job.line = sorted(left, key=lambda row: row.number)
            job.held_until = None
            if not job.is_on:
                self._drop_line(job)

    @staticmethod
    def _drop_line(job: Job) -> None:
        for row in job.line:
            row.word = "abandoned"
            del job.open[row.number]
        job.line.clear()
        job.held_until = None

    def rows(self) -> list[Told]:
        """List what must stand in the ledger."""
        found = [row for job in self.jobs.values() for row in job.rows]
        return sorted(
            (row.job, row.fire_time, row.word, row.cause, row.since, seconds(row.began_at))
            for row in found
        )


def seconds(instant: datetime | None) -> int:
    """Return a whole second that stands for an instant, however its sums were rounded."""
    return -1 if instant is None else round(instant.timestamp())
