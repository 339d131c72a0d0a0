"""What contests a service announces, as of its clock: a rhythm from a seed, and what is changed.

A contest is announced some weeks before it starts and stays in the history for ever; which part of
that a service shows is its own affair. Instead of the rhythm a calendar can show recorded days, one
after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from syncd.clock import Clock
from syncd.errors import BadInput, NotKnown
from syncd.sandbox.draw import Draw

ANNOUNCED = timedelta(days=21)
_HOUR = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A contest as its service knows it; `starts_at` None: announced, but not when.

    `kind` is what the service says of it in its own word: a type, a range of ratings.
    """

    id: str
    name: str
    starts_at: datetime | None
    seconds: int
    kind: str = ""

    @property
    def ends_at(self) -> datetime:
        """When it is over; of what has no start, never."""
        start = self.starts_at
        return datetime.max.replace(tzinfo=UTC) if start is None else start + self.duration

    @property
    def duration(self) -> timedelta:
        """How long it takes."""
        return timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Series:
    """Contests that come every so many days from a first one on, each of so many hours.

    `{n}` in `id` and `name` is its number, the first of which is `numbered_from`.
    """

    id: str
    name: str
    first: str
    days: int
    hours: float
    kind: str = ""
    numbered_from: int = 1

    def until(self, last: datetime, shift: timedelta) -> Iterator[Event]:
        """Yield those that start no later than `last`, in their order; `shift` is how much later.

        Each is there under the same id at every time.
        """
        first, every = datetime.fromisoformat(self.first) + shift, timedelta(days=self.days)
        for place in range(max(0, (last - first) // every + 1)):
            number = self.numbered_from + place
            yield Event(
                id=self.id.format(n=number),
                name=self.name.format(n=number),
                starts_at=first + place * every,
                seconds=round(self.hours * _HOUR),
                kind=self.kind,
            )


SERIES: Mapping[str, Sequence[Series]] = MappingProxyType({
    "codeforces": (
        Series("1{n:03}", "Codeforces Round {n} (Div. 2)", "2022-01-02T14:35Z", 6, 2, "CF"),
        Series("7{n:03}", "Educational Codeforces Round {n} (Rated for Div. 2)",
                "2022-01-06T14:35Z", 14, 2, "ICPC", 120),
    ),
    "leetcode": (
        Series("weekly-contest-{n}", "Weekly Contest {n}", "2022-01-02T02:30Z", 7, 1.5, "weekly",
                274),
        Series("biweekly-contest-{n}", "Biweekly Contest {n}", "2022-01-08T14:30Z", 14, 1.5,
                "biweekly", 69),
    ),
    "codechef": (
        Series("START{n}", "Starters {n}", "2022-01-05T14:30Z", 7, 2, "", 20),
        Series("DSAMONDAY{n}", "Monday Munch - DSA Challenge {n}", "2022-01-03T12:30Z", 7, 3),
    ),
    "atcoder": (
        Series("abc{n}", "AtCoder Beginner Contest {n}", "2022-01-08T12:00Z", 7, 5 / 3, " ~ 1999",
                234),
        Series("arc{n}", "AtCoder Regular Contest {n}", "2022-01-16T12:00Z", 14, 2, " ~ 2799",
                133),
        Series("ahc{n:03}", "AtCoder Heuristic Contest {n:03}", "2022-02-04T10:00Z", 42, 240,
                "All", 9),
    ),
})  # fmt: skip
"""The rhythm of every platform that announces contests."""


class Calendar:
    """The contests of one service.

    Args:
        seed: decides how many hours its rhythm is off the usual one.
        series: the rhythm.
        clock: tells the time.
    """

    def __init__(self, seed: int, series: Sequence[Series], clock: Clock) -> None:
        self._shift = timedelta(hours=Draw(seed, "calendar").below(3))
        self._series = series
        self._clock = clock
        self._added: dict[str, Event] = {}
        self._changed: dict[str, Event] = {}
        self._cancelled: set[str] = set()
        self._days: Sequence[Sequence[Event]] | None = None
        self._day = 0

    def now(self) -> datetime:
        """Tell the time."""
        return self._clock.now()

    def events(self) -> list[Event]:
        """Return all that is announced or over, by their starts; what has no start comes last."""
        events = [
            self._changed.get(event.id, event)
            for event in self._known().values()
            if event.id not in self._cancelled
        ]
        return sorted(events, key=lambda event: (event.starts_at or event.ends_at, event.id))

    def to_come(self) -> list[Event]:
        """Return what has a start that lies ahead, the next one first."""
        return [
            event for event in self.events() if event.starts_at and event.starts_at > self.now()
        ]

    def running(self) -> list[Event]:
        """Return what has begun and is not over."""
        now = self.now()
        begun = [each for each in self.events() if each.starts_at and each.starts_at <= now]
        return [each for each in begun if each.ends_at > now]

    def over(self) -> list[Event]:
        """Return what has ended, the last one first."""
        return [event for event in self.events() if event.ends_at <= self.now()][::-1]

    def add_contest(
        self, contest: str, name: str, starts_at: str | None, seconds: int, kind: str = ""
    ) -> None:
        """Announce one more; `starts_at` is ISO 8601, None where nobody knows yet."""
        start = _instant(starts_at)
        added = Event(id=contest, name=name, starts_at=start, seconds=seconds, kind=kind)
        self._added[contest] = added

    def move_contest(self, contest: str, starts_at: str | None) -> None:
        """Let it start at another time; None takes the time back."""
        self._changed[contest] = replace(self._find(contest), starts_at=_instant(starts_at))

    def rename_contest(self, contest: str, name: str) -> None:
        """Give it another name, whatever that holds."""
        self._changed[contest] = replace(self._find(contest), name=name)

    def lengthen_contest(self, contest: str, seconds: int) -> None:
        """Let it take so many seconds in all."""
        self._changed[contest] = replace(self._find(contest), seconds=seconds)

    def cancel_contest(self, contest: str) -> None:
        """List it no more."""
        self._find(contest)
        self._cancelled.add(contest)

    def restore_contest(self, contest: str) -> None:
        """List it again."""
        self._cancelled.discard(contest)

    def record(self, days: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        """Show these instead of the rhythm, a list of contests a day, and of them the first.

        Args:
            days: contests with the fields of `Event`, of which `starts_at` is ISO 8601 or null.
        """
        try:
            self._days = [
                [Event(**{**row, "starts_at": _instant(row["starts_at"])}) for row in day]
                for day in days
            ]
        except (KeyError, TypeError) as error:
            raise BadInput(f"no list of contests a day: {error!r}") from error
        self._day = 0

    def advance(self, day: int) -> None:
        """Show the list of that day, counted from 0.

        Raises:
            BadInput: nothing is recorded of it.
        """
        if self._days is None or not 0 <= day < len(self._days):
            raise BadInput(f"nothing is recorded of day {day}")
        self._day = day

    def changes(self) -> Mapping[str, Callable[..., Any]]:
        """Return what can be done to it, by name."""
        return {
            change.__name__: change
            for change in (
                self.add_contest, self.move_contest, self.rename_contest, self.lengthen_contest,
                self.cancel_contest, self.restore_contest, self.record, self.advance,
                self.contests_to_come,
            )
        }  # fmt: skip

    def contests_to_come(self) -> list[str]:
        """Return the ids of what lies ahead, the next one first."""
        return [event.id for event in self.to_come()]

    def _find(self, contest: str) -> Event:
        known = self._known()
        if contest not in known:
            raise NotKnown(f"no contest has the id {contest[:100]!r}")
        return self._changed.get(contest, known[contest])

    def _known(self) -> dict[str, Event]:
        if self._days is not None:
            return {event.id: event for event in self._days[self._day]}
        last = self.now() + ANNOUNCED
        natural = (event for series in self._series for event in series.until(last, self._shift))
        return {event.id: event for event in (*natural, *self._added.values())}


def _instant(text: str | None) -> datetime | None:
    """Return an aware instant of ISO 8601, None for None.

    Raises:
        BadInput: it is none.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"no instant in ISO 8601: {text[:100]!r}") from error
    if instant.tzinfo is None:
        raise BadInput(f"an instant without its zone: {text[:100]!r}")
    return instant.astimezone(UTC)
