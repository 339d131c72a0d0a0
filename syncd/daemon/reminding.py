"""The looks that `syncd demo` takes at contests: what was told of them, and what had to be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.daemon.core import Core
from syncd.daemon.stage import CONTESTS_JOB, NOTIFY_JOB
from syncd.daemon.subscribers import Due, Subscribers, Told
from syncd.model.contest import Occasion
from syncd.model.run import Report, Run, RunOptions
from syncd.telemetry.events import (
    ContestCancelled,
    ContestMoved,
    ContestTurned,
    DeliverySent,
    Event,
)

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A contest whose schedule took a turn, as it was noticed; instants are in UTC."""

    platform: str
    contest: str
    occasion: Occasion
    starts_at: datetime
    previous_starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """What came of contests and of those who want to be told of them.

    `coming` counts by platform, `sent` by occasion what syncd sent, `received` by channel what the
    stand-ins took, `repeated` what of it came more than once; `renewed` are reminders that had the
    new start of a moved contest. `example` is a mail.
    """

    users: int
    coming: Mapping[str, int]
    turns: Sequence[Turned]
    sent: Mapping[str, int]
    received: Mapping[str, int]
    repeated: int
    renewed: int
    requests: int
    example: str
    wrong: Sequence[str] = ()

    def mismatches(self) -> Iterator[str]:
        """Name what is not as it must be."""
        sent, received = sum(self.sent.values()), sum(self.received.values())
        if sent != received:
            yield f"{sent:,} messages were sent, {received:,} arrived"
        if self.repeated:
            yield f"{self.repeated:,} of the messages arrived twice"
        yield from self.wrong


class Reminding:
    """Looks at contests and lets everybody be told of them, as often as it is asked to.

    Args:
        core: what syncd is made of; every run's end is put into `ended`.
        subscribers: who is told, and who plays the channels.
        ended: the runs that ended.
    """

    def __init__(self, core: Core, subscribers: Subscribers, ended: asyncio.Queue[Run]) -> None:
        self._core = core
        self._subscribers = subscribers
        self._ended = ended
        self._told: set[Due] = set()
        self._arrived: Counter[Told] = Counter()
        self._sent: Counter[str] = Counter()
        self._turns: list[Turned] = []
        self._requests = 0
        self._wrong: list[str] = []

    def note(self, event: Event) -> None:
        """Take note of what syncd says that it did; to be subscribed to the bus."""
        match event:
            case DeliverySent():
                self._sent[event.occasion] += 1
            case ContestMoved():
                self._turns.append(_turned(event, Occasion.MOVED, event.previous_starts_at))
            case ContestCancelled():
                self._turns.append(_turned(event, Occasion.CANCELLED))
            case _:
                pass

    async def look(self, happen: Callable[[], None]) -> None:
        """Let something happen to contests, look at them, tell everybody, and compare."""
        happen()
        may, asked = self._subscribers.due(), self._count_requests()
        looked = await self._run(CONTESTS_JOB)
        told = await self._run(NOTIFY_JOB)
        requests = self._count_requests() - asked
        self._requests += requests
        if looked.calls != requests:
            self._wrong.append(f"contests: {looked.calls:,} calls, {requests:,} requests arrived")
        self._compare(may, self._subscribers.due(), told)

    async def summed_up(self) -> Reminded:
        """Return what came of all looks."""
        arrivals = self._subscribers.arrivals()
        self._compare_turns()
        ids = Counter((each.told.channel, each.id) for each in arrivals)
        return Reminded(
            users=self._subscribers.size,
            coming=await self._coming(),
            turns=self._turns,
            sent=dict(self._sent),
            received=dict(Counter(each.told.channel for each in arrivals)),
            repeated=len(arrivals) - len(ids),
            renewed=self._count_renewed(),
            requests=self._requests,
            example=self._subscribers.mail_of(Occasion.MOVED),
            wrong=self._wrong,
        )

    async def _run(self, job: str) -> Report:
        """Run a job and return what it reported; whatever failed is wrong."""
        await self._core.scheduler.trigger(job, RunOptions())
        run = await self._ended.get()
        if run.report.failed or run.error:
            self._wrong.append(f"{job}: {run.report.failed:,} failed {run.error}".rstrip())
        return run.report

    def _compare(self, before: set[Due], after: set[Due], report: Report) -> None:
        """Hold what arrived since the last look against what was due before and after this one.

        What fell due, or began, in between may have been told or not.
        """
        arrived = Counter(arrival.told for arrival in self._subscribers.arrivals())
        new = arrived - self._arrived
        self._arrived = arrived
        must = {each.told for each in (before & after) - self._told}
        may = {each.told for each in (before | after) - self._told}
        # What had to be told and was not is said once, and not again at the next look.
        self._told |= {each for each in before | after if each.told in new} | (before & after)
        self._wrong += _named("was not told", must - new.keys())
        self._wrong += _named("was told and should not", new.keys() - may)
        self._wrong += _named("was told twice", {told for told in new if new[told] > 1})
        if report.created != new.total():
            counts = f"{report.created:,} sent, {new.total():,} arrived"
            self._wrong.append(f"{NOTIFY_JOB}: {counts} in one look")

    def _compare_turns(self) -> None:
        """Hold what was noticed of contests against what happened to them."""
        noticed = {(each.occasion, each.contest, each.starts_at) for each in self._turns}
        happened = {
            (occasion, event.name, event.starts_at) for occasion, event in self._subscribers.news
        }
        if noticed != happened or len(self._turns) != len(happened):
            seen = ", ".join(f"{each.contest} {each.occasion}" for each in self._turns)
            self._wrong.append(f"contests: noticed was {seen or 'nothing'}")

    async def _coming(self) -> Mapping[str, int]:
        """Count what is stored of contests to come, by platform."""
        before = self._subscribers.coming()
        found = await self._core.around.stores.contests.count(self._core.clock.now())
        coming = {name: found.get((name, "coming"), 0) for name in before}
        # One may begin, or be announced, while it is counted and since it was looked at.
        if any(abs(count - before[name]) > 1 for name, count in coming.items()):
            self._wrong.append(f"contests: {coming} are to come instead of {before}")
        return coming

    def _count_renewed(self) -> int:
        moved = {
            (turn.contest, turn.starts_at)
            for turn in self._turns
            if turn.occasion is Occasion.MOVED
        }
        starts = ((each.told, each.starts_at) for each in self._told)
        return sum(
            told.occasion is Occasion.REMINDER and (told.contest, starts_at) in moved
            for told, starts_at in starts
        )

    def _count_requests(self) -> int:
        return sum(each.counters.requests for each in self._subscribers.announcers.values())


def _turned(
    event: ContestTurned, occasion: Occasion, previous_starts_at: datetime | None = None
) -> Turned:
    return Turned(
        platform=event.platform,
        contest=event.title,
        occasion=occasion,
        starts_at=event.starts_at,
        previous_starts_at=previous_starts_at,
    )


def _named(what: str, told: Iterable[Told]) -> Iterator[str]:
    """Say what is wrong with messages: the first few, and how many there are."""
    found = sorted(
        f"{each.channel} {each.address}: {each.occasion} {each.contest}" for each in told
    )
    if found:
        more = f"; and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        yield f"somebody {what}: {'; '.join(found[:_NAMED])}{more}"
