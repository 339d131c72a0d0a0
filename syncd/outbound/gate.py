"""The gate: what a request passes before it leaves."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Self

from syncd.clock import Clock, Instant
from syncd.errors import RateLimited
from syncd.model.gate import GateState
from syncd.outbound.breaker import Breaker
from syncd.outbound.limiter import TokenBucket
from syncd.outbound.limits import Limits
from syncd.outbound.line import Lines
from syncd.outbound.meter import Charge, current_meter
from syncd.outbound.pause import Pause, Pauses, wall
from syncd.outbound.quota import Quota
from syncd.outbound.resource import CORE, WAIT_THROUGH_SECONDS, Resource, Resources
from syncd.outbound.urgency import Urgency, current_urgency
from syncd.telemetry.bus import Bus

Remember = Callable[[GateState], None]
"""Keeps a gate's state for after a restart; quick, and called only when there is something new."""

# Shorter waits for a token are the pace itself, nothing to tell.
_NOTEWORTHY_SECONDS = 0.2


class Passage:
    """One request on its way, as an async context manager: it is in flight as long as that lasts.

    It counts as spent unless `charge` is set to something better.
    """

    __slots__ = ("_gate", "charge", "is_trial", "left_at", "line", "resource", "urgency")

    def __init__(self, gate: Gate, resource: Resource, urgency: Urgency) -> None:
        self._gate = gate
        self.resource = resource
        self.urgency = urgency
        self.line = resource.lines[urgency]
        self.charge = Charge.SPENT
        self.is_trial = False
        self.left_at = 0.0

    async def __aenter__(self) -> Self:
        """Wait until the request may leave.

        Raises:
            RateLimited: nothing of its kind may leave for more than a minute.
            PlatformDown, PlatformBlocked: the breaker is open.
        """
        if (turn := self._gate.admit(self)) is not None:
            await turn
        return self

    async def __aexit__(self, *_: object) -> None:
        """Note that it has ended."""
        self._gate.release(self)


class Gate:
    """Let requests of one credential leave when breaker, pauses, quota, slots and bucket allow it.

    Requests stand in lines, one per resource and urgency. Only the head of a line waits for
    anything, and what it waits for it takes in one step, without waiting in between: so nobody
    holds a slot or a permit while waiting, a permit is never older than the request that uses it,
    and a pause that begins meanwhile is seen. What all lines share goes to the most urgent head
    first; who waits for its own resource stands in nobody's way. While the breaker is half open
    all wait for the answer of the one request that is tried.

    What must outlive the process is told to `remember`, and given back by `restore`.

    Args:
        platform: the platform's name.
        credential: the credential's name.
        limits: what the platform allows.
        clock: where time comes from.
        bus: where pauses are told.
    """

    def __init__(
        self, platform: str, credential: str, limits: Limits, *, clock: Clock, bus: Bus
    ) -> None:
        def new_pauses() -> Pauses:
            return Pauses(platform, credential, clock, bus, self._remember)

        def new_resource(name: str) -> Resource:
            now = self._limits
            limit = now.quota if name == CORE else None
            quota = Quota(limit, now.quota_seconds, clock, now.reserve)
            lines = tuple(map(self._lines.open, Urgency))
            return Resource(name, quota, lines, new_pauses, clock)

        self.platform = platform
        self._limits = limits
        self._lines = Lines(clock)
        self.resources = Resources(new_resource)
        self._core = self.resources.named(CORE)
        self.quota = self._core.quota
        self.pauses = new_pauses()
        self.breaker = Breaker(platform, credential, clock, bus, self._remember)
        self.calls = 0
        self.saved = 0
        self.lifts = 0
        self.remember: Remember = lambda _: None
        self._told = GateState(platform=platform, credential=credential)
        self._clock = clock
        self._slots = limits.slots
        self._bucket = TokenBucket(limits.rate, limits.burst)
        self._in_flight = 0

    def adopt(self, limits: Limits) -> None:
        """Have other limits from now on, also for who waits; all that is known stays."""
        self._slots = limits.slots
        self._bucket.adopt(limits.rate, limits.burst, self._clock.monotonic())
        for resource in self.resources:
            limit = limits.quota if resource is self._core else None
            resource.quota.adopt(limit, limits.quota_seconds, limits.reserve)
        self._limits = limits
        self._lines.look_again()

    @property
    def in_flight(self) -> int:
        """How many requests have left and not ended."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many requests stand before the gate."""
        return self._lines.waiting

    @property
    def pause(self) -> Pause | None:
        """The longest pause that scheduled requests of the core resource wait for."""
        all_pauses = (self.pauses, *self._core.pauses())
        found = [pause for each in all_pauses if (pause := each.active)]
        return max(found, key=lambda pause: pause.until, default=None)

    def passage(self, resource: str = CORE) -> Passage:
        """Return the way through for a request that draws on a resource."""
        return Passage(self, self.resources.named(resource), current_urgency.get())

    def admit(self, passage: Passage) -> Awaitable[None] | None:
        """Let a request leave, or return what lets it leave when it is its turn; for `Passage`."""
        # Also behind others: what is too long to wait for is refused at once.
        if self._own_wait(passage) or self._lines.waiting or self._shared_wait():
            return self._stand(passage)
        self._let_leave(passage)
        return None

    async def _stand(self, passage: Passage) -> None:
        await self._lines.stand(passage.line, partial(self._wait_as_head, passage))
        self._let_leave(passage)

    def release(self, passage: Passage) -> None:
        """Note that a request has ended; `Passage` calls it."""
        charge = passage.charge
        if passage.is_trial:
            self.breaker.end_trial()
        self._in_flight -= 1
        passage.resource.end(passage.urgency, is_free=charge is not Charge.SPENT)
        if self._lines.waiting:
            self._lines.stir()
        if charge is Charge.UNSENT:
            self.calls -= 1
            return
        self.saved += charge is Charge.SAVED
        if (meter := current_meter.get()) is not None:
            meter.count(charge, self._clock.monotonic() - passage.left_at)

    def note_good_answer(self, resource: str) -> None:
        """End the conditions that a good answer proves to be over."""
        for pauses in (self.pauses, *self.resources.named(resource).pauses()):
            pauses.note_good_answer()

    def closed_until(self) -> Instant | None:
        """Return until when nothing scheduled may leave, for whatever reason; None: it may."""
        obstacles = (self.breaker, self.pauses, *self._core.pauses())
        left = max(each.left_seconds() for each in obstacles)
        return self._instant(left) if left else None

    def lift(self) -> Sequence[str]:
        """Let requests leave whatever the platform said; return in words what was in the way."""
        lifted = list(self._long_obstacles())
        self.lifts += 1
        self.breaker.lift()
        self.pauses.lift()
        self.resources.lift()
        # Told in any case: what is remembered may not be restored yet.
        self._remember(is_news=True)
        return lifted

    def restore(self, state: GateState) -> None:
        """Go on as it was before a restart, or as who led meanwhile left it."""
        before, self._told = self._told, state
        # A short pause of this process was never remembered: nobody else can have ended it.
        if before.paused_until and state.paused_until is None:
            self.pauses.forget()
        self.pauses.restore(state.paused_until, state.pause_cause, state.pauses_in_a_row)
        self.breaker.restore(state)
        self.resources.restore(state.used_up, before.used_up)

    def waits_for(self) -> str:
        """Say in words what requests wait for now; empty when they need not."""
        for obstacle in self._long_obstacles():
            return obstacle
        if not self._lines.waiting:
            return ""
        if words := next(filter(None, (resource.held() for resource in self.resources)), ""):
            return f"{self.platform} {words}"
        if self._in_flight >= self._slots:
            return f"{self.platform} slots: {self._in_flight} requests in flight"
        delay = self._bucket.delay(self._clock.monotonic())
        if delay < _NOTEWORTHY_SECONDS:
            return ""
        return f"{self.platform} bucket: next token {delay:.1f} s"

    def _long_obstacles(self) -> Iterator[str]:
        """Yield what keeps requests from leaving, whether somebody wants to or not."""
        yield from filter(None, (self.breaker.in_words(), self.pauses.in_words()))
        for resource in self.resources:
            yield from resource.obstacles(self.platform)

    def _wait_as_head(self, passage: Passage) -> float:
        """Return how long the head of a line waits: 0 not at all, infinite until something stirs.

        Raises as `_own_wait` does.
        """
        own = self._own_wait(passage)
        self._lines.mark(passage.line, is_held=own > 0)
        if own:
            return own
        return self._shared_wait() if self._lines.is_first(passage.line) else math.inf

    def _own_wait(self, passage: Passage) -> float:
        """Return how long this resource and urgency wait, whatever others do.

        Raises:
            RateLimited: it is too long to wait through here.
            PlatformDown, PlatformBlocked: the breaker is open.
        """
        if self.breaker.openings:
            self.breaker.check()
        if pause := self.pauses.left_seconds():
            return self._bearable(pause, self.pauses.cause)
        wait = passage.resource.wait_seconds(passage.urgency)
        return self._bearable(wait, passage.resource.cause(passage.urgency)) if wait else 0.0

    def _shared_wait(self) -> float:
        """Return how long everybody waits for a slot and a permit."""
        if self.breaker.is_trying or self._in_flight >= self._slots:
            return math.inf
        return self._bucket.delay(self._clock.monotonic())

    def _bearable(self, seconds: float, cause: str) -> float:
        if not WAIT_THROUGH_SECONDS < seconds < math.inf:
            return seconds
        until = self._instant(seconds)
        at = wall(until, self._clock.now())
        raise RateLimited(f"{self.platform} must not be asked before {at}: {cause}", until=until)

    def _let_leave(self, passage: Passage) -> None:
        passage.left_at = self._clock.monotonic()
        self._bucket.take(passage.left_at)
        passage.is_trial = self.breaker.begin_trial()
        passage.resource.begin(passage.urgency)
        self._in_flight += 1
        self.calls += 1

    def _remember(self, *, is_news: bool = False) -> None:
        """Tell what must outlive the process, where that is news; short pauses are not."""
        pause = self.pauses.active
        if pause is None or self.pauses.left_seconds() <= WAIT_THROUGH_SECONDS:
            pause = None
        breaker = self.breaker
        state = GateState(
            platform=self._told.platform,
            credential=self._told.credential,
            paused_until=None if pause is None else pause.until,
            pause_cause="" if pause is None else pause.cause,
            pauses_in_a_row=0 if pause is None else self.pauses.in_a_row,
            openings=breaker.openings,
            opened_at=breaker.since,
            open_until=breaker.until,
            failure=breaker.failure,
            error=breaker.error,
            used_up=self.resources.used_up(),
        )
        if is_news or state != self._told:
            self._told = state
            self.remember(state)

    def _instant(self, seconds: float) -> Instant:
        return self._clock.now() + timedelta(seconds=seconds)
