"""Takes what is to be told to the webhook, patiently, one thing at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from syncd.alerts.message import EVENTS, Body, Facts, to_body
from syncd.alerts.watch import Watch
from syncd.clock import Clock
from syncd.errors import DeliveryError
from syncd.model.alert import AlertState, Condition
from syncd.model.run import Run
from syncd.outbound.hook import Hook
from syncd.store.alerts import AlertStore
from syncd.store.runs import RunStore
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import AlertDropped, AlertSent

ATTEMPTS = 5
# Before the second attempt, the third, ...: ten minutes together.
WAITS_SECONDS = (15.0, 45.0, 135.0, 405.0)


class Courier:
    """Delivers over `hook`; None: there is none, and nothing is to be delivered.

    What passes by itself is tried five times over ten minutes, or when the receiver asked for. All
    that waits shares an attempt: it goes to the same place.

    Args:
        watch: is told what came of it.
        store, runs: what is told is read from.
        clock, bus: as everywhere.
    """

    def __init__(
        self, watch: Watch, store: AlertStore, runs: RunStore, clock: Clock, bus: Bus
    ) -> None:
        self.hook: Hook | None = None
        self.trouble: DeliveryError | None = None
        """Why the last delivery failed; None where it did not."""
        self._watch = watch
        self._store = store
        self._runs = runs
        self._clock = clock
        self._bus = bus
        self._attempts: dict[tuple[str, str, int], int] = {}
        self._not_before = -math.inf

    def use(self, hook: Hook | None) -> None:
        """Deliver elsewhere from now on, at once."""
        if hook != self.hook:
            self.hook, self.trouble, self._not_before = hook, None, -math.inf
            self._attempts.clear()

    @property
    def wait_seconds(self) -> float:
        """How long the receiver is left alone; not positive: it may be asked."""
        return self._not_before - self._clock.monotonic()

    def resume(self) -> None:
        """Leave the receiver alone no longer: it took something."""
        self.trouble, self._not_before = None, -math.inf

    async def carry(self, due: Sequence[AlertState]) -> str:
        """Deliver the first of what is due, and return its job; empty: nothing more for now.

        Raises:
            StoreUnavailable, LeaseLost: it is delivered again.
        """
        hook = self.hook
        if hook is None or self.wait_seconds > 0:
            return ""
        for state in due:
            run = await self._runs.read(state.run_id)
            if run is None:  # not on record any more
                await self._watch.drop(state)
                return state.job
            if run.outcome.is_final:
                return await self._deliver(hook, state, run, due)
        return ""

    async def _deliver(
        self, hook: Hook, state: AlertState, run: Run, due: Sequence[AlertState]
    ) -> str:
        body = await self._body(state, run)
        try:
            answer = await hook.post(body, self._clock)
        except DeliveryError as error:
            self.trouble = error
            await self._fail([state, *(other for other in due if other is not state)], error)
            return state.job if error.permanent else ""
        self.resume()
        attempts = self._attempts.pop(_key(state), 0) + 1
        await self._watch.told(replace(state, told_at=self._clock.now()))
        self._bus.emit(
            AlertSent(
                alert=EVENTS[state.condition],
                job=state.job,
                run_id=state.run_id,
                attempts=attempts,
                status=answer.status,
            )
        )
        return state.job

    async def _body(self, state: AlertState, run: Run) -> Body:
        plan, bad_runs = None, 0
        if state.condition is Condition.HELD and state.plan_id is not None:
            plan = (await self._store.newest_plans([state.job])).get(state.job)
        if state.condition is Condition.WELL:
            bad_runs = await self._store.count_bad_runs(state.job, state.first_run, state.run_id)
        return to_body(Facts(state=state, run=run, plan=plan, bad_runs=bad_runs))

    async def _fail(self, due: Sequence[AlertState], error: DeliveryError) -> None:
        """Count an attempt of all that is due, or give up what no attempt would deliver."""
        tried = due[:1] if error.permanent else due
        for state in tried:
            self._attempts[_key(state)] = self._attempts.get(_key(state), 0) + 1
        ended = tried if error.permanent else [s for s in due if self._tried(s) >= ATTEMPTS]
        left = [state for state in due if state not in ended]
        if left and not error.permanent:
            asked = error.retry_after.total_seconds() if error.retry_after else 0.0
            wait = max(WAITS_SECONDS[self._tried(left[0]) - 1], asked)
            self._not_before = self._clock.monotonic() + wait
        for state in ended:
            await self._give_up(state, error)

    def _tried(self, state: AlertState) -> int:
        return self._attempts.get(_key(state), 0)

    async def _give_up(self, state: AlertState, error: DeliveryError) -> None:
        attempts = self._attempts.pop(_key(state))
        await self._watch.drop(state)
        self._bus.emit(
            AlertDropped(
                alert=EVENTS[state.condition],
                job=state.job,
                run_id=state.run_id,
                attempts=attempts,
                error=str(error),
                hint=error.hint or "",
            )
        )


def _key(state: AlertState) -> tuple[str, str, int]:
    return (state.job, state.topic, state.run_id)
