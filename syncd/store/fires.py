"""What the scheduler writes before anything starts: jobs, fire times, runs that follow others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.model.run import Run, RunId, RunOptions
from syncd.model.schedule import Known, Registered
from syncd.store.blocks import load_blocks
from syncd.store.database import Database


class FireStore:
    """Owns the table `jobs`, and the rows of `runs` until they begin.

    Args:
        holder: names this process; only runs it began accept its counts and its end.
    """

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        self._sql = load_blocks("runs")

    async def settle(
        self, jobs: Sequence[Registered], now: datetime, *, catch_up: Collection[str] = ()
    ) -> Mapping[str, Known]:
        """Keep what config.toml says of each job, and return what is known of it.

        A job that is new, whose schedule changed or that was switched on counts from `now`; not
        so those named in `catch_up`, whose past is still to be decided. A job that is not named is
        off.
        """
        columns = [
            [job.job for job in jobs],
            [job.schedule for job in jobs],
            [job.enabled for job in jobs],
        ]
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["settle_jobs"], *columns, now, list(catch_up))
            await connection.execute(self._sql["switch_off_others"], columns[0])
            rows = await connection.fetch(self._sql["known_jobs"], columns[0], now)
        return {
            row["job"]: Known(
                anchor_at=row["anchor_at"],
                counts_from=row["counts_from"],
                decided_until=max(row["counts_from"], row["fire_time"] or row["counts_from"]),
            )
            for row in rows
        }

    async def claim(self, fires: Sequence[Run]) -> Sequence[Run]:
        """Write down what was decided about fire times, all at once, and number those of ours.

        A fire time that another process has, or that began, is left out. Safe to repeat after a
        crash or a lost reply; what waits may then be decided otherwise.
        """
        if not fires:
            return []
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["claim_fires"],
                [run.job for run in fires],
                [run.kind for run in fires],
                [run.cause for run in fires],
                [run.fire_time for run in fires],
                [run.due_at for run in fires],
                [run.fires_since for run in fires],
                [run.skip_reason for run in fires],
                [options_to_json(run.options) for run in fires],
                fires[0].claimed_at,
                self._holder,
            )
        numbers = {(row["job"], row["fire_time"]): RunId(row["id"]) for row in rows}
        return [
            replace(run, id=numbers[key])
            for run in fires
            if (key := (run.job, run.fire_time)) in numbers
        ]

    async def create(self, run: Run) -> RunId:
        """Add a run that nothing else in the ledger asked for and return its number."""
        async with self._database.connection() as connection:
            number = await connection.fetchval(
                self._sql["create_run"],
                run.job,
                run.kind,
                run.cause,
                options_to_json(run.options),
                run.claimed_at,
            )
        return RunId(number)

    async def follow(self, run: Run) -> RunId | None:
        """Add a run that repeats or follows `run.origin`; None when there is one that began.

        With a skip reason it is only written down. Safe to repeat.
        """
        async with self._database.connection() as connection:
            number = await connection.fetchval(
                self._sql["follow_run"],
                run.job,
                run.kind,
                run.cause,
                options_to_json(run.options),
                run.claimed_at,
                run.attempt,
                run.origin,
                run.skip_reason,
            )
        return None if number is None else RunId(number)


def options_to_json(options: RunOptions) -> dict[str, Any]:
    """Return options as `runs.options` keeps them."""
    return {
        "only": list(options.only),
        "platform": options.platform,
        "limit": options.limit,
        "full": options.full,
        "dry_run": options.dry_run,
    }
