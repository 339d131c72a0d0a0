"""Half a year of observed contests through both jobs: who is told of what, how often, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import pytest
from fakes.announced import Herald, job_over, listing
from fakes.clock import FakeClock
from fakes.notified import HOUR, Notified, notified
from fakes.observed_contests import PLATFORMS, Look, Observed, histories, looks, observed
from fakes.running import draft

from syncd.jobs.stop import Stop
from syncd.model.contest import MOVED
from syncd.model.notification import Message, Receipt
from syncd.model.run import Run
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.store.database import Database

LEADS = {"ada": (24, 1), "bob": (48,)}
CHANNELS = ("email", "ntfy")
STEP = timedelta(minutes=30)
SOON = timedelta(seconds=10)

Told = tuple[str, str, str, str, int, int]
"""To whom, over what, of which contest, why, with what lead, in which version of its schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A message, and from when on it could be sent at the earliest."""

    what: Told
    due_at: datetime


class Postbox:
    """Keeps what arrived, and when."""

    def __init__(self, world: Notified) -> None:
        self.world = world
        self.arrived: list[tuple[datetime, Message]] = []
        for channel in world.channels.values():
            channel.sending = self.take

    async def take(self, message: Message) -> Receipt:
        self.arrived.append((self.world.clock.now(), message))
        await asyncio.sleep(0)
        return Receipt()


def versions_of(history: Sequence[Observed]) -> Iterator[list[Observed]]:
    """Yield what was seen under each version of a contest's schedule: a move begins another."""
    version = [history[0]]
    for seen in history[1:]:
        if abs(seen.contest.starts_at - version[-1].contest.starts_at) >= MOVED:
            yield version
            version = []
        version.append(seen)
    yield version


def expected_of(history: Sequence[Observed]) -> Iterator[Expected]:
    """Yield what everybody is to be told of one contest, from what was seen of it."""
    versions = list(versions_of(history))
    for number, version in enumerate(versions, 1):
        gone_at = versions[number][0].seen_at if number < len(versions) else None
        first, start = version[0], version[-1].contest.starts_at
        for key, leads in LEADS.items():
            for channel in CHANNELS:
                to = key, channel, first.contest.external_id
                if number > 1 and first.seen_at < _told_until(versions[number - 2], first):
                    yield Expected(what=(*to, "moved", 0, number), due_at=first.seen_at)
                for lead in leads:
                    due_at = max(first.seen_at, start - lead * HOUR)
                    if due_at < start and (gone_at is None or due_at < gone_at):
                        yield Expected(what=(*to, "reminder", lead, number), due_at=due_at)


def _told_until(before: Sequence[Observed], first: Observed) -> datetime:
    contest, old_start = first.contest, before[-1].contest.starts_at
    if contest.starts_at > first.seen_at:
        return contest.starts_at
    return min(contest.ends_at, old_start)


def fires(platform: str) -> list[datetime]:
    """Return each fire time, of one in half an hour, at or after which a reminder is due first."""
    starts = {each.contest.starts_at for each in observed() if each.contest.platform == platform}
    leads = set(chain(*LEADS.values()))
    return sorted({_next_fire(start - lead * HOUR) for start in starts for lead in leads})


def _next_fire(at: datetime) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - (midnight - at) // STEP * STEP


async def look_at(world: Notified, herald: Herald, look: Look) -> Run:
    """Let the contests job see what was listed then, to the end of its run."""
    herald.told = look.lists[herald.name]
    inner, work = world.world, job_over(world.world, herald)
    asked = draft(world.clock, job="contests", kind="contests")
    run = await inner.runs.read(await inner.runs.create(asked))
    assert run is not None
    job = Job(name="contests", kind="contests", work=work)
    inner.engine.start(Order(run=run, job=job, stop=Stop()))
    return await world.clock.run(inner.end_of(run.id))


async def until(world: Notified, at: datetime) -> None:
    await world.clock.advance(max(0.0, (at - world.clock.now()).total_seconds()))


async def live_through(world: Notified, platform: str) -> None:
    """Look whenever something new was seen, notify after each look and at each fire time."""
    herald = Herald(world.world, platform, listing([], source=platform))
    news = {look.at: look for look in looks()}
    known: object = None
    for at in sorted({*news, *fires(platform)}):
        await until(world, at)
        if at in news:
            told = news[at].lists[platform]
            if told == known:
                continue
            known = told
            run = await look_at(world, herald, news[at])
            assert (run.outcome, run.error) == ("succeeded", "")
        await world.run()


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_everybody_is_reminded_once_of_each_version_in_time_and_told_once_of_each_move(
    database: Database, platform: str
) -> None:
    expected = {
        each.what: each.due_at
        for (name, _), history in histories().items()
        if name == platform
        for each in expected_of(history)
    }
    clock = FakeClock(observed()[0].seen_at - timedelta(days=8))
    async with notified(database, clock, *CHANNELS) as world:
        postbox = Postbox(world)
        for key, leads in LEADS.items():
            await world.person(key, *leads)

        await live_through(world, platform)

        rows = await world.world.rows(
            "SELECT told.id::text, key, channel, external_id, told.occasion, lead_hours,"
            " told.schedule_version, state FROM notifications AS told"
            " JOIN contests ON contests.id = contest_id JOIN users ON users.id = user_id"
        )
    names = ("key", "channel", "external_id", "occasion", "lead_hours", "schedule_version")
    whats = {row["id"]: tuple(row[name] for name in names) for row in rows}
    told = Counter(whats[message.key] for _, message in postbox.arrived)
    assert told == dict.fromkeys(expected, 1)
    # What could not be told, of a start that lay in the past when it was seen, can be looked up.
    assert {row["state"] for row in rows if whats[row["id"]] in expected} == {"sent"}
    assert {row["state"] for row in rows} <= {"sent", "expired"}
    for at, message in postbox.arrived:
        due_at = expected[whats[message.key]]
        allowed = SOON if message.occasion == "moved" else STEP + SOON
        assert due_at <= at <= due_at + allowed
