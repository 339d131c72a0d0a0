"""Those users of `syncd demo` who want to be told of contests, and what they must be told when."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.parser import BytesHeaderParser
from email.policy import default
from typing import Any

from syncd.clock import SystemClock
from syncd.model.contest import Occasion
from syncd.sandbox.base import StandIn
from syncd.sandbox.calendar import Calendar, Event
from syncd.sandbox.service import Service
from syncd.sandbox.smtp import Mail, MailSink
from syncd.sandbox.webhooks import Webhooks

EMAIL = "email"
WEBHOOK = "webhook"

_MOST = 20
_HOUR = timedelta(hours=1)
_LEADS = (24, 168)
_ZONES = ("UTC", "Asia/Kolkata")
_HOLDER = "codeforces"
_MOVED = ("9001", "Codeforces Round 999")
_CANCELLED = ("9002", "Codeforces Global Round 99")
_SECONDS = 9_000


@dataclass(frozen=True, slots=True)
class Told:
    """What a message is about: `contest` is its name. Nobody is told the same twice at a time."""

    channel: str
    address: str
    occasion: Occasion
    contest: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message at a stand-in; `id` is the same if it is sent once more."""

    id: str
    told: Told


@dataclass(frozen=True, slots=True)
class Due:
    """What somebody must be told of a contest once as long as it starts at this time."""

    told: Told
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """`platforms` empty: contests of all."""

    key: str
    lead_hours: int
    zone: str
    platforms: tuple[str, ...]
    addresses: Mapping[str, str]

    def wants(self, platform: str) -> bool:
        return not self.platforms or platform in self.platforms


class Subscribers:
    """The first users, told of contests by mail, every third of them by a webhook as well.

    Half of them want to know a week before, the others a day before. Two contests more than usual
    are announced on Codeforces. One of them then moves a day nearer, so that its reminders are due
    anew, and those of who asked for a day for the first time; the other is listed no more, which
    counts at the second look.

    Args:
        keys: whose they are; no more than some of them want to be told of anything.
        standins: those of all platforms.
    """

    def __init__(self, keys: list[str], standins: Mapping[str, StandIn]) -> None:
        self.sink = MailSink()
        self.hooks = Webhooks()
        self._people = [_person(index, key) for index, key in enumerate(keys[:_MOST])]
        self.announcers = {
            name: each
            for name, each in standins.items()
            if isinstance(each, Service) and each.announces_contests
        }
        self._clock = SystemClock()
        self._news: list[tuple[Occasion, Event]] = []

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._people)

    @property
    def acts(self) -> tuple[tuple[Callable[[], None], ...], ...]:
        """What happens to contests before each look, by pass."""
        return ((self._announce,), (self._move, self._confirm))

    @property
    def news(self) -> Sequence[tuple[Occasion, Event]]:
        """What must have been noticed of contests so far, each as it is now."""
        return self._news

    def import_file(self, hooks_url: str) -> str:
        """Return what everybody wants to be told of (JSON lines).

        Args:
            hooks_url: where webhooks are served.
        """
        return "".join(f"{json.dumps(_row(each, hooks_url))}\n" for each in self._people)

    def coming(self) -> dict[str, int]:
        """Count, by platform, the contests to come that a look finds now."""
        return {name: sum(1 for _ in self._to_come(name)) for name in self.announcers}

    def due(self) -> set[Due]:
        """Return what may be told now, whether it was told before or not."""
        return {*self._reminders(), *self._told_news()}

    def arrivals(self) -> list[Arrival]:
        """Return everything that arrived."""
        posts = [(path, post) for path, posts in self.hooks.posts.items() for post in posts]
        mails = [_of_mail(mail) for mail in self.sink.mails]
        return [*mails, *(_of_post(path, post) for path, post in posts)]

    def mail_of(self, occasion: Occasion) -> str:
        """Return a mail to the first of them as its reader sees it, empty if there is none."""
        address = self._people[0].addresses[EMAIL]
        for mail in self.sink.mails:
            told = _of_mail(mail).told
            if (told.address, told.occasion) == (address, occasion):
                return _as_read(mail)
        return ""

    def _announce(self) -> None:
        hour = self._clock.now().replace(minute=0, second=0, microsecond=0)
        for (contest, name), hours in ((_MOVED, 45), (_CANCELLED, 70)):
            at = (hour + hours * _HOUR).isoformat()
            self._calendar.add_contest(contest, name, at, _SECONDS, "CF")

    def _move(self) -> None:
        before, cancelled = (self._event(contest) for contest, _ in (_MOVED, _CANCELLED))
        assert before.starts_at is not None, "it was announced with a start"
        at = before.starts_at - 24 * _HOUR
        self._calendar.move_contest(before.id, at.isoformat())
        self._calendar.cancel_contest(cancelled.id)
        self._cancelled = cancelled
        self._news.append((Occasion.MOVED, replace(before, starts_at=at)))

    def _confirm(self) -> None:
        self._news.append((Occasion.CANCELLED, self._cancelled))

    @property
    def _calendar(self) -> Calendar:
        return self.announcers[_HOLDER].calendar

    def _event(self, contest: str) -> Event:
        return next(event for event in self._calendar.events() if event.id == contest)

    def _to_come(self, platform: str) -> Iterator[tuple[Event, datetime]]:
        now = self._clock.now()
        for event in self.announcers[platform].listed():
            if event.starts_at is not None and event.starts_at > now:
                yield event, event.starts_at

    def _reminders(self) -> Iterator[Due]:
        now = self._clock.now()
        for platform in self.announcers:
            for event, starts_at in self._to_come(platform):
                for each in self._people:
                    if each.wants(platform) and starts_at - each.lead_hours * _HOUR <= now:
                        yield from _due(each, Occasion.REMINDER, event, starts_at)

    def _told_news(self) -> Iterator[Due]:
        for occasion, event in self._news:
            assert event.starts_at is not None, "it was announced with a start"
            for each in self._people:
                if each.wants(_HOLDER):
                    yield from _due(each, occasion, event, event.starts_at)


def _person(index: int, key: str) -> _Person:
    addresses = {EMAIL: f"{key}@example.org"}
    if index % 3 == 0:
        addresses[WEBHOOK] = f"/hooks/{key}"
    return _Person(
        key=key,
        lead_hours=_LEADS[index % 2],
        zone=_ZONES[index // 2 % 2],
        platforms=(_HOLDER, "atcoder") if index % 5 == 4 else (),
        addresses=addresses,
    )


def _row(person: _Person, hooks_url: str) -> Mapping[str, Any]:
    given = {
        channel: f"{hooks_url}{address}" if channel == WEBHOOK else address
        for channel, address in person.addresses.items()
    }
    wanted = {
        "platforms": person.platforms,
        "leads": [person.lead_hours],
        "timezone": person.zone,
        "channels": given,
    }
    return {"key": person.key, "notify": wanted}


def _due(person: _Person, occasion: Occasion, event: Event, starts_at: datetime) -> Iterator[Due]:
    for channel, address in person.addresses.items():
        yield Due(Told(channel, address, occasion, event.name), starts_at)


def _of_mail(mail: Mail) -> Arrival:
    read = BytesHeaderParser(policy=default).parsebytes(mail.content)
    subject = str(read["Subject"])
    name, is_reminder, _ = subject.rpartition(" starts ")
    word, _, turned = subject.partition(": ")
    occasion = Occasion.REMINDER if is_reminder else Occasion(word.lower())
    [address] = mail.recipients
    told = Told(EMAIL, address, occasion, name if is_reminder else turned)
    return Arrival(str(read["Message-ID"]), told)


def _as_read(mail: Mail) -> str:
    read = message_from_bytes(mail.content, policy=default)
    body = read.get_body(("plain",))
    text = "" if body is None else body.get_content().strip()
    return f"To: {read['To']}\nSubject: {read['Subject']}\n\n{text}"


def _of_post(path: str, post: Mapping[str, Any]) -> Arrival:
    [contest] = post["contests"]
    told = Told(WEBHOOK, path, Occasion(post["occasion"]), contest["name"])
    return Arrival(post["key"], told)
