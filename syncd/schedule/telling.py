"""What is told of the fires that a look decided about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from syncd.model.run import Run
from syncd.schedule.turns import Turns
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import FireClaimed, FireSkipped


async def tell(bus: Bus, claimed: Sequence[Run]) -> None:
    """Tell of each run that was claimed, and once of what was skipped for the same reason."""
    turns = Turns()
    skipped: dict[tuple[str, str], Run] = {}
    rows: Counter[tuple[str, str]] = Counter()
    since: dict[tuple[str, str], datetime | None] = {}
    for run in claimed:
        if run.skip_reason is None:
            bus.emit(_claim_event(run))
        else:
            key = (run.job, str(run.skip_reason))
            since.setdefault(key, run.fires_since or run.fire_time)
            skipped[key] = run
            rows[key] += 1
        await turns.give()
    for key, run in skipped.items():
        bus.emit(_skip_event(run, rows[key], since[key]))


def _claim_event(run: Run) -> FireClaimed:
    assert run.fire_time is not None  # it was claimed by it
    late = (run.claimed_at - (run.due_at or run.fire_time)).total_seconds()
    return FireClaimed(
        run_id=run.id,
        job=run.job,
        fire_time=run.fire_time,
        cause=run.cause,
        late_seconds=round(late, 3),
    )


def _skip_event(newest: Run, rows: int, since: datetime | None) -> FireSkipped:
    assert newest.fire_time is not None  # it was claimed by it
    return FireSkipped(
        job=newest.job,
        fire_time=newest.fire_time,
        reason=str(newest.skip_reason),
        rows=rows,
        fires_since=since if since != newest.fire_time else None,
    )
