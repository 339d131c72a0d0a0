"""The way back: scores into an emptied Redis, deleted rows and copies into the table.

Each is a run of the job, so that nothing is reconciled meanwhile; each can be killed and repeated.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

from syncd.jobs.base import RunContext
from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.phases import Phases
from syncd.jobs.source import Source
from syncd.model.leaderboard import SourceFacts
from syncd.model.run import Ending, Outcome, Report
from syncd.store.bench import Bench


async def rehydrate(context: RunContext, options: LeaderboardOptions) -> Ending:
    """Put scores of the table onto the boards where Redis has none of that user, or a smaller one.

    A board that would have expired by now, by what was last known of it, gets none: its period is
    over. One with a time to live gets that back.
    """
    run, phases = context.run, Phases(context)
    async with Source.open(context, options) as source, _bench(context, options) as bench:
        facts = await source.examine()
        last = await context.around.stores.leaderboards.last_source(run.job)
        over, ends = _periods(None if last is None else last[2], facts, context.around.clock.now())
        with phases.phase("rehydrate", "Redis"):
            behind = ""
            # A run that goes on offers anew what it counted before it was cut off.
            again = run.report.created + run.report.unchanged
            while page := await bench.scores(behind, options.batch):
                behind = page[-1][0]
                added = await source.put_back(page, over, is_dry=run.options.dry_run)
                if not run.options.dry_run:
                    # At once: what a kill leaves behind is not to outlive its period.
                    await source.expire(ends)
                offered = sum(
                    1
                    for _, scores in page
                    for name, score in zip(facts.boards, scores, strict=True)
                    if score > 0 and name not in over
                )
                phases.add(len(page))
                known = min(again, offered - added)
                again -= known
                report = Report(created=added, unchanged=offered - added - known)
                await bench.count(run.id, report, context.around.clock.now())
    hint = f"left out, because their time is over: {', '.join(sorted(over))}" if over else ""
    return Ending(outcome=Outcome.SUCCEEDED, hint=hint)


async def undo(context: RunContext, options: LeaderboardOptions) -> Ending:
    """Put back what a run deleted, as far as nobody wrote it anew."""
    number = context.run.options.of
    assert number is not None, "the control port asks for no undo without a run"
    async with _bench(context, options) as bench:
        await bench.undo(context.run.id, number, context.around.clock.now())
    return Ending(
        outcome=Outcome.SUCCEEDED,
        hint=f"users who stay missing from Redis are deleted again in "
        f"{options.guard.wait.total_seconds() / 3600:g} h at the earliest; "
        f"`syncd rehydrate {context.run.job}` puts them back there",
    )


async def restore(context: RunContext, options: LeaderboardOptions) -> Ending:
    """Make rows what they were when a copy was taken; rows that came later stay."""
    number = context.run.options.of
    assert number is not None, "the control port asks for no restoring without a backup"
    async with _bench(context, options) as bench:
        await bench.restore(context.run.id, number, context.around.clock.now())
    return Ending(
        outcome=Outcome.SUCCEEDED,
        hint="the next run makes the table what Redis says: pause the job, or mend Redis first",
    )


@contextlib.asynccontextmanager
async def _bench(context: RunContext, options: LeaderboardOptions) -> AsyncIterator[Bench]:
    stores = context.around.stores
    async with stores.leaderboards.bench(context.run.job, options.target()) as bench:
        await bench.check()
        yield bench


def _periods(
    last: SourceFacts | None, now_facts: SourceFacts, now: datetime
) -> tuple[frozenset[str], dict[str, datetime]]:
    """Return the boards whose time is over, and when others are to expire that do not by now."""
    known = {} if last is None else last.boards
    ends = {name: board.expires_at for name, board in known.items() if board.expires_at}
    over = frozenset(name for name, at in ends.items() if at <= now)
    return over, {
        name: at
        for name, at in ends.items()
        if at > now and name in now_facts.boards and now_facts.boards[name].expires_at is None
    }
