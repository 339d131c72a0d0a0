"""What stand-ins of services without credentials share: callers are counted by address."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from aiohttp import web

from syncd.clock import Clock, SystemClock
from syncd.sandbox.answer import Answer, deliver, encoded
from syncd.sandbox.base import StandIn
from syncd.sandbox.calendar import Calendar, Event, Series
from syncd.sandbox.counters import Counters
from syncd.sandbox.faults import BLOCK_PAGE, HTML, JSON, Faults
from syncd.sandbox.limits import Window
from syncd.sandbox.players import Players

# What leaves evenly does not arrive evenly: a second in a minute is the network's.
MINUTE_SECONDS = 59.0


class Service(StandIn):
    """A site that anybody may ask, so much a minute and so much at a time.

    Args:
        population: who can be asked for.
        scale: how many times wider than documented the limits are.
        clock: tells the time.
        latency_seconds: how long every answer takes.
    """

    is_cased: ClassVar[bool] = False
    """Whether the site writes handles with capitals."""

    series: ClassVar[Sequence[Series]] = ()
    """In what rhythm it holds contests, if it does."""

    def __init__(
        self,
        population: Players,
        *,
        scale: float = 1,
        clock: Clock | None = None,
        latency_seconds: float = 0,
    ) -> None:
        self.population = self.players = population
        self.counters = Counters()
        self.faults = Faults(population.seed)
        self._most_a_minute = self.documented.requests_a_minute * scale
        self._most_at_a_time = self.documented.requests_at_a_time * scale
        self._clock = clock or SystemClock()
        self.calendar = Calendar(population.seed, self.series, self._clock)
        self._latency_seconds = latency_seconds
        self._in_flight: defaultdict[str, int] = defaultdict(int)
        self._minutes: defaultdict[str, Window] = defaultdict(lambda: Window(MINUTE_SECONDS))
        self._seconds: defaultdict[str, Window] = defaultdict(lambda: Window(1))

    @classmethod
    def make(cls, seed: int, size: int, **options: Any) -> Self:
        """Make one with players of its own."""
        return cls(Players(seed, size, is_cased=cls.is_cased), **options)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.counters.requests += 1
        host = self.host_of(request.path)
        self._in_flight[host] += 1
        try:
            body = await request.read()
            refused = self._exceeded(host)
            whole = self.refuse() if refused else self.answer(request, body)
            late = replace(whole, delay_seconds=self._latency_seconds)
            answer = self.faults.strike(request.path, late)
            self.counters.by_status[answer.status] += 1
            return await deliver(request, answer, self._clock)
        finally:
            self._in_flight[host] -= 1

    @abstractmethod
    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a request that is within the limits."""

    @abstractmethod
    def refuse(self) -> Answer:
        """Refuse a request that exceeds a limit, in the service's own way."""

    def host_of(self, path: str) -> str:
        """Return which service is asked, where several with limits of their own are served here."""
        del path
        return ""

    def handle_of(self, index: int) -> str:
        """Return somebody's present handle, as the service spells it."""
        return self.players.handle(index)

    def changes(self) -> Mapping[str, Callable[..., Any]]:
        """Return what can be done to the population, and to the contests where there are any."""
        changes = super().changes()
        return {**changes, **self.calendar.changes()} if self.announces_contests else changes

    def listed(self) -> Sequence[Event]:
        """Return the contests that its list shows now."""
        return ()

    def announced(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what its list of contests tells now."""
        return {
            event.id: {
                "name": event.name,
                "starts_at": event.starts_at,
                "ends_at": event.ends_at,
                "duration_seconds": event.seconds,
            }
            for event in self.listed()
            if event.starts_at is not None
        }

    def count_fetch(self, index: int) -> None:
        """Remember that somebody was asked for."""
        self.counters.count_fetch(index)

    def _exceeded(self, host: str) -> bool:
        now, in_flight = self._clock.monotonic(), self._in_flight[host]
        in_a_minute = self._minutes[host].add(now)
        self.counters.count_arrival(in_flight, self._seconds[host].add(now), in_a_minute)
        reasons = {
            "rate": in_a_minute > self._most_a_minute,
            "at a time": in_flight > self._most_at_a_time,
        }
        broken = [reason for reason, is_broken in reasons.items() if is_broken]
        self.counters.refused.update(broken)
        return bool(broken)


def told(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return JSON as an answer."""
    kept = {"Content-Type": JSON, **(headers or {})}
    return Answer(status=status, headers=kept, body=encoded(data))


def page(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a web page as an answer."""
    return Answer(
        status=status, headers={"Content-Type": HTML, **(headers or {})}, body=text.encode()
    )


def challenge(status: int = 403) -> Answer:
    """Return Cloudflare's page for whom it takes for a program."""
    return page(BLOCK_PAGE, status, {"Server": "cloudflare", "cf-mitigated": "challenge"})


def is_browser(request: web.BaseRequest) -> bool:
    """Tell whether a caller says that it is a browser."""
    return request.headers.get("User-Agent", "").startswith("Mozilla/5.0 (")
