"""What a kind of requests draws on: a quota of its own, the end of which is kept for people.

A platform may count several resources apart (GitHub: `core` and `graphql`). Who has used one up
waits for that one alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from syncd.clock import Clock, Instant
from syncd.outbound.line import Line
from syncd.outbound.pause import Pauses, wall
from syncd.outbound.quota import Quota
from syncd.outbound.urgency import Urgency

CORE = "core"
"""The resource that the configured quota is about; of others only the server knows the limit."""

TOKENS = "tokens"
"""What making a token draws on: the app's own, not what its tokens are for."""

# A wait up to this long happens at the gate; a longer one ends the run's work on the platform.
WAIT_THROUGH_SECONDS = 60.0

_RESERVED = "reserve for manual triggers"
# Behind the name of a resource, where states are remembered.
_RESERVE = "/reserve"

# The last part of what scheduled requests may use: they spread it until there will be more.
_LOW_SHARE = 0.05
_LONG_GAP_SECONDS = 1.0


class Resource:
    """Tell how long a request has to wait for its turn on one resource.

    What a person asked for may use all of the quota, scheduled requests leave the reserve alone.
    These are spread as well, once little is left to them: as evenly as it takes to last until
    there will be more. An answer that cost nothing gives its turn to the next.

    Args:
        name: what the platform calls it.
        quota: how much of it is left.
        lines: where requests of each urgency wait.
        pauses: makes the memory of one pause.
        clock: where time comes from.
    """

    def __init__(
        self,
        name: str,
        quota: Quota,
        lines: Sequence[Line],
        pauses: Callable[[], Pauses],
        clock: Clock,
    ) -> None:
        self.name = name
        self.quota = quota
        self.used_up = pauses()
        self.reserved = pauses()
        self.lines = lines
        self.in_flight = 0
        self._clock = clock
        self._left_at = -math.inf

    def pauses(self) -> tuple[Pauses, Pauses]:
        """Return what may hold scheduled requests of this resource."""
        return self.used_up, self.reserved

    def obstacles(self, platform: str) -> Iterator[str]:
        """Yield in words what holds its requests for long."""
        words = [pauses.in_words() for pauses in self.pauses()]
        yield from filter(None, words)
        if not any(words) and (seconds := self.quota.wait_seconds()):
            now = self._clock.now()
            more_at = wall(now + timedelta(seconds=seconds), now)
            yield f"{platform} {self._cause('quota')}, more at {more_at}"

    def held(self) -> str:
        """Say why its requests wait at the head of their line; empty when they do not."""
        return next((self.cause(line.urgency) for line in self.lines if line.is_held), "")

    def cause(self, urgency: Urgency) -> str:
        """Say in a few words why requests of this urgency wait."""
        for pauses in self.pauses()[: urgency + 1]:
            if pause := pauses.active:
                return pause.cause
        if self.quota.wait_seconds():
            return self._cause("quota")
        is_kept = urgency is not Urgency.MANUAL and self.quota.wait_seconds(self.quota.reserved())
        return self._cause(_RESERVED if is_kept else "quota runs low")

    def wait_seconds(self, urgency: Urgency) -> float:
        """Return how long to wait: 0 not at all, infinite until a request under way has ended.

        What is more than a minute away begins a pause of this resource.
        """
        is_manual = urgency is Urgency.MANUAL
        pause = self.used_up.left_seconds() or (not is_manual and self.reserved.left_seconds())
        if pause:
            return pause
        kept = 0 if is_manual else self.quota.reserved()
        spare = self.quota.left() - kept
        if spare <= 0:
            return self._wait_for_more(kept)
        unsent = spare - self.in_flight
        if unsent <= 0:
            return math.inf
        return 0.0 if is_manual else self._wait_for_turn(kept, unsent)

    def begin(self, urgency: Urgency) -> None:
        """Note that a request leaves."""
        self.in_flight += 1
        if urgency is Urgency.SCHEDULED:
            self._left_at = self._clock.monotonic()

    def end(self, urgency: Urgency, *, is_free: bool) -> None:
        """Note that a request has ended, and whether it cost anything."""
        self.in_flight -= 1
        if not is_free:
            self.quota.spend()
        elif urgency is Urgency.SCHEDULED:
            self._left_at = -math.inf

    def restore(self, until: Instant, *, is_reserve: bool) -> None:
        """Go on with what was used up before a restart."""
        if is_reserve:
            self.reserved.restore(until, self._cause(_RESERVED))
        else:
            self.used_up.restore(until, self._cause("quota"))

    def _wait_for_more(self, kept: int) -> float:
        wait = self.quota.wait_seconds(kept)
        is_reserved = kept > 0 and self.quota.left() > 0
        if is_reserved and wait > WAIT_THROUGH_SECONDS:
            self.reserved.pause(wait, self._cause(_RESERVED))
        elif (all_of_it := self.quota.wait_seconds()) > WAIT_THROUGH_SECONDS:
            self.used_up.pause(all_of_it, self._cause("quota"))
        return wait

    def _wait_for_turn(self, kept: int, unsent: float) -> float:
        last = self._left_at
        if last == -math.inf:
            return 0.0
        low = (self.quota.size() - kept) * _LOW_SHARE
        if unsent >= low:
            return 0.0
        spread = self.quota.spread(kept, unsent, low)
        turn_at = max(
            (last + (until - last) / (count + 1) for until, count in spread), default=last
        )
        wait = max(turn_at - self._clock.monotonic(), 0.0)
        # One under way may turn out to have been free.
        return math.inf if wait > _LONG_GAP_SECONDS and self.in_flight else wait

    def _cause(self, word: str) -> str:
        return word if self.name == CORE else f"{self.name} {word}"


class Resources:
    """Every resource of one credential, by the name that requests give it."""

    def __init__(self, new: Callable[[str], Resource]) -> None:
        self._new = new
        self._by_name: dict[str, Resource] = {}

    def __iter__(self) -> Iterator[Resource]:
        """Yield those that were asked for so far."""
        return iter(self._by_name.values())

    def named(self, name: str) -> Resource:
        """Return a resource; asking for one makes it."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = self._new(name)
        return found

    def used_up(self) -> dict[str, Instant]:
        """Return until when what is used up, as far as that is worth remembering."""
        return {
            resource.name + suffix: pause.until
            for resource in self
            for suffix, pauses in zip(("", _RESERVE), resource.pauses(), strict=True)
            if (pause := pauses.active) and pauses.left_seconds() > WAIT_THROUGH_SECONDS
        }

    def restore(self, used_up: Mapping[str, Instant], before: Iterable[str] = ()) -> None:
        """Take back what `used_up` told before a restart.

        Of `before`, what was told last here, another process ended what is told no more.
        """
        for key in set(before) - used_up.keys():
            resource = self.named(key.removesuffix(_RESERVE))
            resource.quota.forget_report()
            (resource.reserved if key.endswith(_RESERVE) else resource.used_up).forget()
        for key, until in used_up.items():
            self.named(key.removesuffix(_RESERVE)).restore(until, is_reserve=key.endswith(_RESERVE))

    def lift(self) -> None:
        """Forget what the server said of each, and what followed from that."""
        for resource in self:
            resource.quota.forget_report()
            for pauses in resource.pauses():
                pauses.lift()
