"""The sweep step: one question about many accounts, so that only changes are asked for one by one.

What a sweep does not tell (an account it does not know, that errored twice, or that nothing could
be said about) is asked for alone, as if there were no sweep: it never decides that somebody is
gone. Trouble halves the question, whatever was answered is kept, and a sweep that fails even for
two accounts one by one rests while the others are asked for alone. So it does while only its own
quota is used up: what is asked for alone draws on another one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from syncd.errors import (
    ItemError,
    PlatformBlocked,
    PlatformDown,
    PlatformError,
    RateLimited,
    SweepRefused,
)
from syncd.jobs.base import RunContext
from syncd.jobs.work import Work
from syncd.model.account import Account, AccountId
from syncd.model.sweep import Swept
from syncd.outbound.breaker import DOWN
from syncd.telemetry.events import SweepSuspended

# One account may be too much by itself; two in a row that are asked for alone are not.
_ENOUGH = 2


class Sweep:
    """Asks about many at once, for one run.

    After `ask`, `halted_by` tells what the platform said to stop the pass; None: nothing.
    """

    def __init__(self, context: RunContext, work: Work) -> None:
        self._run = context.run
        self._clock = context.around.clock
        self._bus = context.around.bus
        self._admission = context.around.admission
        self._stop = context.stop
        self._platform = work.platform
        self._lane = work.platform.lane
        self._rests_until = -math.inf if work.sweeps else math.inf
        self._rests = 0
        self._failed_alone = 0
        self.halted_by: PlatformError | None = None

    async def ask(self, accounts: Sequence[Account]) -> Mapping[AccountId, bytes]:
        """Return what the platform says about these accounts, each of which has a mark."""
        self.halted_by = None
        digests: dict[AccountId, bytes] = {}
        waiting, again = list(accounts), []
        while waiting and self._may_ask:
            batch = waiting[: self._lane.size]
            swept = await self._ask_once(batch)
            digests |= swept.digests
            errored = [account for account in batch if account.id in swept.errored]
            waiting = waiting[len(batch) :]
            if not swept.is_strained:
                again += errored
            elif len(batch) > 1:
                waiting = errored + waiting
        while again and self._may_ask:
            batch = again[: max(1, self._lane.size // 2)]
            digests |= (await self._ask_once(batch)).digests
            again = again[len(batch) :]
        return digests

    def give_up(self, error: str, stack: str = "") -> None:
        """Ask for everybody one by one for the rest of this run."""
        self._rests_until = math.inf
        self._tell_suspended(None, error, stack)

    @property
    def _may_ask(self) -> bool:
        is_stopped = self.halted_by is not None or self._stop.is_requested
        is_held = self._admission.holding(self._run.job, self._platform.name) is not None
        return not (is_stopped or is_held) and self._clock.monotonic() >= self._rests_until

    async def _ask_once(self, batch: Sequence[Account]) -> Swept:
        """Ask one question; whatever goes wrong, those it is about were not answered."""
        async with self._lane.turn:
            try:
                swept = await self._platform.sweep(batch)
            except PlatformError as error:
                if not self._is_too_much(error):
                    return Swept()
                swept = self._failed(batch, str(error))
            except ItemError as error:
                swept = self._failed(batch, str(error))
            else:
                self._failed_alone = 0
            if swept.is_strained:
                self._lane.halve(len(batch))
            else:
                self._lane.grow()
        return swept

    def _is_too_much(self, error: PlatformError) -> bool:
        """Tell whether fewer at once may be answered; if not, nobody is asked for this way."""
        match error:
            case PlatformDown(until=None):
                return True
            case SweepRefused() | PlatformBlocked(until=None):
                self.give_up(str(error))
            case RateLimited(until=until) if self._platform.paused_until() is None:
                seconds = max((until - self._clock.now()).total_seconds(), 0.0)
                self._rest(seconds)
                self._tell_suspended(seconds, str(error))
            case _:
                self.halted_by = error
        return False

    def _failed(self, batch: Sequence[Account], error: str) -> Swept:
        if len(batch) == 1:
            self._failed_alone += 1
        if self._failed_alone >= _ENOUGH:
            self._rests += 1
            seconds = DOWN.seconds(self._rests)
            self._rest(seconds)
            if self._rests == 1:
                self._tell_suspended(seconds, error)
        return Swept(errored=frozenset(account.id for account in batch), is_strained=True)

    def _rest(self, seconds: float) -> None:
        self._rests_until = self._clock.monotonic() + seconds

    def _tell_suspended(self, seconds: float | None, error: str, stack: str = "") -> None:
        self._bus.emit(
            SweepSuspended(
                run_id=self._run.id,
                job=self._run.job,
                platform=self._platform.name,
                seconds=seconds,
                error=error,
                stack=stack,
            )
        )
