"""Scores of a run: what it changed of them is computed while it goes on and before it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from syncd.jobs.base import RunContext, Surroundings
from syncd.store.scores import Computed
from syncd.telemetry.events import ScoresComputed

_EVERY_SECONDS = 60.0


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


@asynccontextmanager
async def computing_meanwhile(
    context: RunContext, platforms: Collection[str]
) -> AsyncIterator[None]:
    """Compute about every minute what is due, as long as the context lasts.

    One slow platform must not hold back what the others said. Nothing is done where no score can
    change: in a dry run, and where none of these platforms counts.

    Raises:
        LeaseLost, StoreUnavailable: in a group; the work inside is cancelled.
    """
    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(_compute_every_minute(context, platforms))
        yield
        # Cut off in the middle it has written whole pages; the rest is due when the run ends.
        ticking.cancel()


async def compute_meanwhile(context: RunContext, platforms: Collection[str]) -> None:
    """Compute what is due now, where these platforms can have made it so.

    Raises:
        LeaseLost, StoreUnavailable: what was not written stays due.
    """
    if _changes_scores(context, platforms):
        await compute_scores(context.around)


async def _compute_every_minute(context: RunContext, platforms: Collection[str]) -> None:
    while _changes_scores(context, platforms):
        await context.around.clock.sleep(_EVERY_SECONDS)
        await compute_scores(context.around)


def _changes_scores(context: RunContext, platforms: Collection[str]) -> bool:
    counts = context.around.stores.scores.counts
    return not context.run.options.dry_run and any(map(counts, platforms))
