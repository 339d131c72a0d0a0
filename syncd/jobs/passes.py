"""One pass after the other over what is due: what a platform asked to wait for is waited out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from syncd.errors import OutageSuspected, RateLimited, SyncdError
from syncd.jobs.base import RunContext
from syncd.jobs.fanout import Fanout
from syncd.jobs.progress import Progress
from syncd.platforms.base import Platform

# A run waits out the quota windows of platforms, an hour at most; what is asked for beyond that is
# left to a later run, so that nothing is held for it.
_WAITED_OUT = timedelta(minutes=65)


async def pass_after_pass(
    context: RunContext, fanout: Fanout, progress: Progress, platform: Platform
) -> SyncdError | None:
    """Repeat the pass after pauses; return what ended it early.

    A dry run does not wait: it leaves no marks that would keep it from asking everybody again.
    """
    while not context.stop.is_requested:
        lifts = platform.lifts()
        await fanout.run()
        halted_by = fanout.halted_by
        if not isinstance(halted_by, RateLimited) or context.run.options.dry_run:
            return halted_by
        if isinstance(halted_by, OutageSuspected):
            return halted_by
        left = halted_by.until - context.around.clock.now()
        if left > _WAITED_OUT or not _ends_in_time(context, halted_by.until):
            return halted_by
        is_lifted = partial(_is_lifted, platform, lifts)
        await _wait(context, progress, platform, halted_by, is_lifted)
    return None


async def _wait(
    context: RunContext,
    progress: Progress,
    platform: Platform,
    pause: RateLimited,
    is_lifted: Callable[[], bool],
) -> None:
    """Let time pass without holding anything, telling why; a stop or a person ends it early."""
    clock = context.around.clock
    while (left := (pause.until - clock.now()).total_seconds()) > 0:
        if context.stop.is_requested or is_lifted():
            return
        progress.tell(platform.waits_for() or str(pause))
        await clock.sleep(min(left, 1.0))


def _is_lifted(platform: Platform, lifts_before: int) -> bool:
    return platform.lifts() > lifts_before


def _ends_in_time(context: RunContext, until: datetime) -> bool:
    if context.deadline is None:
        return True
    clock = context.around.clock
    left = (until - clock.now()).total_seconds()
    return left < context.deadline - clock.monotonic()
