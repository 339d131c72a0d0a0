"""Pauses that a server asked for, per platform and credential; the longer one wins."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from syncd.clock import Clock, Instant
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import PlatformRecovered, PlatformThrottled

LONGEST_PAUSE_SECONDS = 7 * 86_400.0

# What lasts longer than the hour of a usual quota's window, a person should know.
LONG_PAUSE_SECONDS = 3_660.0

# Without a word from the server the first pause is a minute, as GitHub asks for, and each further
# one that follows before a good answer is twice as long.
FIRST_PAUSE_SECONDS = 60.0
LONGEST_UNASKED_SECONDS = 3_600.0

SECONDS = re.compile(r"\d+(\.\d+)?")


def parse_retry_after(value: str | None, server_time: Instant) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, at most seven days.

    Args:
        value: the header: seconds or an HTTP date.
        server_time: the server's clock when it answered, to which a date is relative.

    Returns:
        None where the header is absent or makes no sense (negative, words); a date that has
        passed gives 0.
    """
    if value is None:
        return None
    value = value.strip()
    if SECONDS.fullmatch(value, 0, 64):
        return min(float(value), LONGEST_PAUSE_SECONDS)
    at = parse_http_date(value)
    if at is None:
        return None
    return min(max((at - server_time).total_seconds(), 0.0), LONGEST_PAUSE_SECONDS)


@functools.lru_cache(maxsize=16)
def parse_http_date(value: str) -> Instant | None:
    """Return the instant that an HTTP date names, None where it is none.

    Every answer carries one, and all answers of one second the same.
    """
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def wall(at: Instant, now: Instant) -> str:
    """Write an instant for people: the time, and the day where it is not today's."""
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return day + (f"{at:%H:%M:%S} UTC" if at.second else f"{at:%H:%M} UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause in words for status pages: nothing leaves before `until`."""

    until: datetime
    cause: str


class Pauses:
    """Know until when nothing may leave, and tell the bus when that begins and ends.

    A condition lasts from the first pause to the first good answer after it; however many
    requests run into it, it is told once, and once more where it grows beyond an hour.

    Args:
        platform: the platform's name, for the events.
        credential: the credential's name, for the events.
        clock: where time comes from.
        bus: where `PlatformThrottled` and `PlatformRecovered` go.
        on_change: called when a pause begins, grows or has ended by a good answer.
    """

    def __init__(
        self,
        platform: str,
        credential: str,
        clock: Clock,
        bus: Bus,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._platform = platform
        self._credential = credential
        self._clock = clock
        self._bus = bus
        self._on_change = on_change
        self._ends_at = -math.inf
        self._cause = ""
        self._in_a_row = 0
        self._is_told_long = False

    @property
    def in_a_row(self) -> int:
        """How many pauses followed each other without a good answer in between."""
        return self._in_a_row

    @property
    def cause(self) -> str:
        """Why the last pause began."""
        return self._cause

    @property
    def active(self) -> Pause | None:
        """The pause that holds now, None when requests may leave."""
        left = self.left_seconds()
        if not left:
            return None
        return Pause(until=self._clock.now() + timedelta(seconds=left), cause=self._cause)

    def in_words(self) -> str:
        """Say until when nothing may leave, and why; empty without a pause."""
        if (pause := self.active) is None:
            return ""
        until = wall(pause.until, self._clock.now())
        return f"{self._platform} pause until {until} ({pause.cause})"

    def left_seconds(self) -> float:
        """Return how long the pause lasts still; 0 when there is none."""
        if not self._in_a_row:  # every request asks
            return 0.0
        return max(self._ends_at - self._clock.monotonic(), 0.0)

    @property
    def is_long(self) -> bool:
        """Whether it lasts for so long still that a person should know."""
        return self.left_seconds() > LONG_PAUSE_SECONDS

    def pause(self, seconds: float | None, cause: str) -> None:
        """Let nothing leave for `seconds`; a pause that lasts longer already stays.

        Args:
            seconds: how long; None where the server did not say: a minute, growing. So does 0:
                who is refused and told to come back at once would be refused for ever.
            cause: why, in a word or two (`secondary limit`, `quota`).
        """
        is_new_condition = not self._in_a_row
        if not self.left_seconds():
            self._in_a_row += 1
        if not seconds:
            growth = 2.0 ** min(self._in_a_row - 1, 10)
            seconds = min(FIRST_PAUSE_SECONDS * growth, LONGEST_UNASKED_SECONDS)
        ends_at = self._clock.monotonic() + min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
        if ends_at > self._ends_at:
            self._ends_at, self._cause = ends_at, cause
            self._on_change()
        has_become_long = self.is_long and not self._is_told_long
        if is_new_condition or has_become_long:
            self._tell_throttled()

    def restore(self, until: Instant | None, cause: str, in_a_row: int = 1) -> None:
        """Go on with a pause that began before a restart; one that ended meanwhile is dropped."""
        if until is None:
            return
        left = (until - self._clock.now()).total_seconds()
        if left > 0:
            self._ends_at = self._clock.monotonic() + min(left, LONGEST_PAUSE_SECONDS)
            self._cause, self._in_a_row = cause, max(in_a_row, 1)
            self._is_told_long = self.is_long

    def note_good_answer(self) -> None:
        """End the condition, unless the pause still holds (the answer was on its way)."""
        if self._in_a_row and not self.left_seconds():
            self._end()

    def lift(self) -> None:
        """End the condition, whatever the server said: a person knows better."""
        if self._in_a_row:
            self._end()

    def forget(self) -> None:
        """End the condition as another process did, which has written that down."""
        if self._in_a_row:
            self._ends_at, self._in_a_row, self._is_told_long = -math.inf, 0, False
            self._bus.emit(PlatformRecovered(platform=self._platform, credential=self._credential))

    def _end(self) -> None:
        self.forget()
        self._on_change()

    def _tell_throttled(self) -> None:
        self._is_told_long = self.is_long
        until = self._clock.now() + timedelta(seconds=self.left_seconds())
        self._bus.emit(
            PlatformThrottled(
                platform=self._platform,
                credential=self._credential,
                until=until,
                cause=self._cause,
                is_long=self.is_long,
            )
        )
