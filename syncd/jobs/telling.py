"""What a leaderboard run tells a person: how it ended, what to type next, what to know."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.jobs.source import Reading
from syncd.model.leaderboard import Comparison, Drift, Verdict
from syncd.model.run import Ending, Outcome, Run
from syncd.store.books import Applied
from syncd.store.inflow import Staged


def ending_of(
    run: Run, applied: Applied | None, verdict: Verdict, drift: Drift | None = None
) -> Ending:
    """Return how a pass ended; None applied: there was nothing to do."""
    if verdict.is_held:
        return Ending(
            outcome=Outcome.HELD,
            error="; ".join(verdict.reasons),
            hint=_what_to_do(run, applied, verdict),
        )
    conflicts = 0 if applied is None else applied.leftover.conflicts + applied.leftover.overtaken
    if drift is not None and drift.rows > conflicts:
        return Ending(
            outcome=Outcome.PARTIAL,
            error=f"{drift.rows:,} rows differ from Redis after the run",
            hint="somebody else writes to the table; the next complete run mends it",
        )
    return Ending(outcome=Outcome.SUCCEEDED)


def _what_to_do(run: Run, applied: Applied | None, verdict: Verdict) -> str:
    if run.options.dry_run or applied is None or applied.plan is None:
        hint = f"a complete run (`syncd trigger {run.job} --full`) asks you about this"
    else:
        number = applied.plan
        approve = f"`syncd approve {number}" + (" --deletes N`" if verdict.is_hard else "`")
        hint = f"`syncd plan {run.job}` shows it; {approve} lets it pass, "
        hint += f"`syncd reject {number}` not"
    if verdict.is_hard:
        hint += f"; after a flush `syncd rehydrate {run.job}` puts the scores back into Redis"
    return hint


def notes_of(reading: Reading, comparison: Comparison, staged: Staged) -> tuple[str, ...]:
    """Return what a person should know although nothing is wrong with the run."""
    return tuple(_notes(reading, comparison, staged))


def _notes(reading: Reading, comparison: Comparison, staged: Staged) -> Iterator[str]:
    for gap in reading.gaps:
        yield f"{gap}: nothing is deleted by this run"
    if reading.facts.evicts:
        yield "this Redis may evict boards for want of memory: only approved rows are deleted"
    if reading.facts.is_replica:
        yield "this Redis is a replica: it may be a moment behind its master"
    if staged.unreadable:
        yield f"details of {staged.unreadable:,} users cannot be read: their time is the run's"
    if comparison.inexact:
        yield f"{comparison.inexact:,} scores are beyond 2^53: Redis cannot tell them exactly"
