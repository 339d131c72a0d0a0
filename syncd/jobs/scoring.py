"""Scores at the end of a run: what it changed of them is computed before the run has ended."""

from __future__ import annotations

from collections.abc import Callable

from syncd.jobs.base import Surroundings
from syncd.store.scores import Computed
from syncd.telemetry.events import ScoresComputed


async def compute_scores(
    around: Surroundings, on_page: Callable[[Computed], None] = lambda _: None
) -> Computed:
    """Compute the scores that are due, whoever made them so, and tell of it where there are any.

    Raises:
        LeaseLost, StoreUnavailable: what was not written stays due.
    """
    scores, clock = around.stores.scores, around.clock
    begun = clock.monotonic()
    computed = await scores.compute(clock.now(), on_page)
    if computed.done:
        around.bus.emit(
            ScoresComputed(
                users=computed.done,
                changed=computed.changed,
                removed=computed.removed,
                formula_version=scores.version,
                duration_seconds=clock.monotonic() - begun,
            )
        )
    return computed
