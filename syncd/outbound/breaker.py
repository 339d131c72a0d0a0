"""The circuit breaker: who fails everybody is left alone for a while, then tried by one request."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syncd.clock import Clock, Instant
from syncd.errors import (
    BadPayload,
    CredentialsRejected,
    PlatformBlocked,
    PlatformDown,
    PlatformError,
    PlatformTrouble,
    RateLimited,
)
from syncd.model.gate import GateState
from syncd.outbound.pause import wall
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import PlatformRecovered, PlatformTripped

# So many addresses that fail while others are answered are remembered; the oldest is forgotten.
_MOST_SUSPECTS = 1_000


class BreakerState(StrEnum):
    """CLOSED: requests leave. OPEN: none does. HALF_OPEN: one at a time, and its answer decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """After how many failures in a row the breaker opens, and for how long, doubling."""

    failures: int
    first_seconds: float
    longest_seconds: float

    def seconds(self, openings: int) -> float:
        """Return how long the breaker stays open the `openings`-th time in a row."""
        return min(self.first_seconds * 2.0 ** min(openings - 1, 20), self.longest_seconds)


# A captcha or a ban gets worse by asking; a failing server is soon back.
BLOCKED = Patience(failures=5, first_seconds=600.0, longest_seconds=3_600.0)
DOWN = Patience(failures=20, first_seconds=60.0, longest_seconds=900.0)

# The path of a request holds a person's name, and what is kept here may outlive their consent.
_PATH = re.compile(r"^(cannot [A-Z]+) \S+ (on )")
# So many different addresses in a row, whatever they did before, are everybody.
_EVERYBODY = 40
# So many different addresses that failed before may fail their trial before it opens again.
_MOST_TRIALS = 3


class Judging:
    """One request, the outcome of which is told to the breaker."""

    __slots__ = ("_address", "_breaker", "_is_evidence")

    def __init__(self, breaker: Breaker, address: Hashable, *, is_evidence: bool) -> None:
        self._breaker = breaker
        self._address = address
        self._is_evidence = is_evidence

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Tell what came of it; what is raised then stands for the error."""
        self._breaker.note(error, self._address, is_evidence=self._is_evidence)


class Breaker:
    """Count failures in a row, and say when requests may leave.

    One address that always fails says nothing about the platform: it counts for half of a row at
    most, and an address that failed while others were answered, or failed a trial, counts
    again only when it is answered, or when so many fail in a row that nobody seems to be answered.
    So neither the few accounts a platform keeps from us nor the one that happens to be tried
    first close the way to all others, and a platform that is blocked stays left alone. An answer
    that everybody would get (a captcha) opens it at once, but once only for the same address.

    Args:
        platform: the platform's name.
        credential: the credential's name.
        clock: where time comes from.
        bus: where `PlatformTripped` and `PlatformRecovered` go.
        on_change: called when the breaker opens, opens again or closes.
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
        self._row: dict[Hashable, int] = {}
        self._suspects: dict[Hashable, None] = {}
        self._doubted: dict[Hashable, None] = {}
        self._ends_at = -math.inf
        self.is_trying = False
        self.openings = 0
        self.since: datetime | None = None
        self.failure = ""
        self.error = ""

    @property
    def state(self) -> BreakerState:
        """How it stands now; an open breaker is half open once its time is over."""
        if not self.openings:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.left_seconds() else BreakerState.HALF_OPEN

    def left_seconds(self) -> float:
        """Return how long nothing may leave still; 0 when something may."""
        return max(self._ends_at - self._clock.monotonic(), 0.0)

    @property
    def until(self) -> Instant | None:
        """When the next trial may leave; None while the breaker is closed."""
        left = self._ends_at - self._clock.monotonic()
        return self._clock.now() + timedelta(seconds=left) if self.openings else None

    def in_words(self) -> str:
        """Say what is wrong and when it is tried again; empty while the breaker is closed."""
        if self.since is None or self.until is None:
            return ""
        now = self._clock.now()
        what = "answers something that is not its API" if self.failure == "blocked" else "fails"
        again = f"tried again at {wall(self.until, now)}"
        if self.state is BreakerState.HALF_OPEN:
            again = "tried again with the next request"
        return f"{self._platform} {what} since {wall(self.since, now)}; {again}"

    def check(self, *, is_answer_lost: bool = False) -> None:
        """Let nobody through while it is open.

        Raises:
            PlatformBlocked, PlatformDown: it is; `until` says until when.
        """
        if self.state is not BreakerState.OPEN:
            return
        kind = PlatformBlocked if self.failure == PlatformBlocked.outcome else PlatformDown
        hint = "nothing was changed; what was not asked stays due and is asked by itself"
        closed = kind(f"{self.in_words()} ({self.error})", until=self.until, hint=hint)
        closed.is_answer_lost = is_answer_lost
        raise closed

    def judging(self, address: Hashable, *, is_evidence: bool = True) -> Judging:
        """Learn from what comes of one request: the context manager to send it in.

        Args:
            address: what is asked for; equal where the same is asked again.
            is_evidence: whether what comes of it says anything of all other requests.

        Raises:
            PlatformBlocked, PlatformDown: with `until` set, where this is the platform's failure
                and no longer the request's.
        """
        return Judging(self, address, is_evidence=is_evidence)

    def note(self, error: BaseException | None, address: Hashable, *, is_evidence: bool) -> None:
        """Learn what came of a request; `Judging` calls it."""
        if not is_evidence or isinstance(error, RateLimited):
            return  # of a pause there is only to learn when the next one may leave
        if isinstance(error, PlatformTrouble):
            if error.until is None:
                self._note_failure(error, address)
                self.check(is_answer_lost=error.is_answer_lost)
        elif error is None or isinstance(error, CredentialsRejected):
            self._note_good_answer(address)  # refused: its API has answered, and clearly
        elif isinstance(error, BadPayload | PlatformError) and self.state is BreakerState.HALF_OPEN:
            # Such an answer says nothing against a platform that is well; who is tried after it
            # failed everybody has not shown yet that it is.
            self._note_failure(error, address)

    def begin_trial(self) -> bool:
        """Take the turn of the one that is tried; False where nobody must be."""
        if self.state is not BreakerState.HALF_OPEN:
            return False
        assert not self.is_trying, "one trial at a time"
        self.is_trying = True
        return True

    def end_trial(self) -> None:
        """Give the turn back, whatever came of it."""
        self.is_trying = False

    def lift(self) -> None:
        """Close it: a person says that the platform is well."""
        self._begin_row()
        self._close()

    def restore(self, state: GateState) -> None:
        """Be as it was before a restart, but never closed off for longer than is usual."""
        if not state.openings or state.open_until is None:
            self._close(is_news=False)
            return
        left = (state.open_until - self._clock.now()).total_seconds()
        self._ends_at = self._clock.monotonic() + min(left, BLOCKED.longest_seconds)
        self.openings, self.since = state.openings, state.opened_at
        self.failure, self.error = state.failure, state.error

    def _note_failure(self, error: BadPayload | PlatformError, address: Hashable) -> None:
        if self.state is BreakerState.OPEN:
            return
        patience = DOWN if isinstance(error, PlatformDown) else BLOCKED
        if isinstance(error, PlatformBlocked) and error.is_certain:
            if address not in self._suspects:
                self._suspect(address)
                self._open(error, patience)
                return
            # Where others were answered since, nobody else would get that answer.
            error.is_certain = self.state is BreakerState.HALF_OPEN
        if address in self._suspects:
            self._doubted[address] = None
        else:
            self._row[address] = self._row.get(address, 0) + 1
        if self._is_platforms(patience):
            self._suspect(*self._row)
            self._open(error, patience)

    def _is_platforms(self, patience: Patience) -> bool:
        """Tell whether what failed in a row is the platform's failure, not some addresses'."""
        if self.state is BreakerState.HALF_OPEN:
            return bool(self._row) or len(self._doubted) >= _MOST_TRIALS
        # However often one address fails, it is no more than half of the evidence.
        most = (patience.failures + 1) // 2
        enough = sum(min(times, most) for times in self._row.values()) >= patience.failures
        # Where nobody is answered any more, those that failed before are no exception.
        everybody = len(self._row) + len(self._doubted) >= _EVERYBODY
        return enough or everybody

    def _note_good_answer(self, address: Hashable) -> None:
        if not (self._row or self._suspects or self._doubted or self.openings):
            return  # as nearly always
        self._suspect(*self._row)
        self._suspects.pop(address, None)
        self._begin_row()
        self._close()

    def _close(self, *, is_news: bool = True) -> None:
        if not self.openings:
            return
        self._ends_at = -math.inf
        self.openings, self.since, self.failure, self.error = 0, None, "", ""
        self._bus.emit(PlatformRecovered(platform=self._platform, credential=self._credential))
        if is_news:
            self._on_change()

    def _begin_row(self) -> None:
        self._row.clear()
        self._doubted.clear()

    def _suspect(self, *addresses: Hashable) -> None:
        self._suspects.update(dict.fromkeys(addresses))
        while len(self._suspects) > _MOST_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]

    def _open(self, error: BadPayload | PlatformError, patience: Patience) -> None:
        is_new_condition = not self.openings
        self._begin_row()
        self.openings += 1
        self._ends_at = self._clock.monotonic() + patience.seconds(self.openings)
        kind = PlatformDown if patience is DOWN else PlatformBlocked
        self.failure, self.error = kind.outcome, _without_path(str(error))
        if is_new_condition:
            self.since = self._clock.now()
            assert self.until is not None
            self._bus.emit(
                PlatformTripped(
                    platform=self._platform,
                    credential=self._credential,
                    until=self.until,
                    error=self.error,
                    hint=f"{self.in_words()}; nothing was changed, what was not asked stays due",
                )
            )
        self._on_change()


def _without_path(text: str) -> str:
    """Leave the method and the platform of what was attempted."""
    return _PATH.sub(r"\1 \2", text)
