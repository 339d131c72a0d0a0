"""What a delivery passes before it leaves: the turns of its channel, and its rests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from syncd.channels.base import Channel
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.errors import DeliveryError
from syncd.outbound.limiter import TokenBucket

_FIRST_REST = timedelta(minutes=1)
_LONGEST_REST = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing is delivered over a channel until then, because of what it said."""

    channel: str
    since: datetime
    until: datetime
    error: str
    hint: str


class ChannelGate:
    """One channel's turns and rests, over all runs of this process."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._bucket: TokenBucket | None = None
        self._bound: tuple[float, int] | None = None
        self._rests_in_a_row = 0
        self.rest: Rest | None = None
        """What keeps, or kept, the channel from delivering since it last did."""

    def adopt(self, settings: ChannelSettings) -> None:
        """Go by these settings from now on."""
        rate = settings.rate
        bound = None if rate is None else (rate.per_second, settings.burst)
        if bound == self._bound:
            return
        self._bound = bound
        if bound is None:
            self._bucket = None
        elif self._bucket is None:
            self._bucket = TokenBucket(*bound)
        else:
            self._bucket.adopt(*bound, self._clock.monotonic())

    def delay(self) -> float:
        """Return in how many seconds the next delivery has its turn."""
        return 0.0 if self._bucket is None else self._bucket.delay(self._clock.monotonic())

    def take(self, most: int) -> int:
        """Take as many turns as there are now, up to `most`, and return how many."""
        if self._bucket is None:
            return most
        now, taken = self._clock.monotonic(), 0
        while taken < most and self._bucket.take(now):
            taken += 1
        return taken

    @property
    def is_resting(self) -> bool:
        """Whether nothing may be delivered now."""
        return self.rest is not None and self.rest.until > self._clock.now()

    def close(self, error: DeliveryError) -> bool:
        """Rest for as long as the channel asks for, else longer each time; False: it rests already.

        Several deliveries under way may all hear the same.
        """
        if self.is_resting:
            return False
        now, steps = self._clock.now(), self._rests_in_a_row
        wait = error.retry_after or min(_FIRST_REST * 4**steps, _LONGEST_REST)
        self._rests_in_a_row += 1
        since = now if self.rest is None else self.rest.since
        self.rest = Rest(
            channel=self._name,
            since=since,
            until=now + wait,
            error=str(error),
            hint=error.hint or "",
        )
        return True

    def open(self) -> Rest | None:
        """Note that the channel delivers; return what kept it from that until now."""
        rest, self.rest, self._rests_in_a_row = self.rest, None, 0
        return rest


class ChannelGates:
    """The gate of every channel, as long as the process lasts."""

    def __init__(self) -> None:
        self._gates: dict[str, ChannelGate] = {}

    def of(self, channel: Channel[Any]) -> ChannelGate:
        """Return the gate of a channel, as its settings are now."""
        gate = self._gates.setdefault(channel.name, ChannelGate(channel.name, channel.clock))
        gate.adopt(channel.settings)
        return gate

    def rests(self) -> list[Rest]:
        """List the channels that rest, or did when they were last tried."""
        return [gate.rest for gate in self._gates.values() if gate.rest is not None]
