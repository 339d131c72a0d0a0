"""What the scheduler writes before anything starts: jobs, fire times, runs that follow others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from syncd.errors import StoreUnavailable
from syncd.model.run import Fire, Outcome, Run, RunId, RunOptions
from syncd.model.schedule import Known, Registered
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence


class FireStore:
    """Owns the table `jobs`, and the rows of `runs` until they begin.

    Every write is refused with `LeaseLost`, and nothing written, once somebody else leads.

    Args:
        process: names this process; only runs it began accept its counts and its end.
        fence: tells in which epoch it leads.
    """

    def __init__(self, database: Database, process: str, fence: Fence | None = None) -> None:
        self._database = database
        self._process = process
        self.fence = fence or Fence()
        self._unsure: set[UUID] = set()
        self._sql = load_blocks("runs")

    @property
    def _holder(self) -> str:
        """Name this process in this epoch: what it began in another one is not its any more."""
        return f"{self._process} #{self.fence.epoch}"

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
        async with self.fence.transaction(self._database) as connection:
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

    async def claim(self, fires: Sequence[Fire], now: datetime) -> Sequence[Run]:
        """Write down what was decided about fire times, all at once; return those of ours as runs.

        A fire time that another process has, or that began, is left out. Safe to repeat after a
        crash or a lost reply; what waits may then be decided otherwise.
        """
        if not fires:
            return []
        async with self.fence.transaction(self._database) as connection:
            rows = await connection.fetch(
                self._sql["claim_fires"],
                [fire.job for fire in fires],
                [fire.kind for fire in fires],
                [fire.cause for fire in fires],
                [fire.fire_time for fire in fires],
                [fire.due_at for fire in fires],
                [fire.fires_since for fire in fires],
                [fire.skip_reason for fire in fires],
                [options_to_json(fire.options) for fire in fires],
                now,
                self._holder,
            )
        numbers = {(row["job"], row["fire_time"]): RunId(row["id"]) for row in rows}
        return [
            _run(fire, numbers[key], now)
            for fire in fires
            if (key := (fire.job, fire.fire_time)) in numbers
        ]

    async def create(self, run: Run) -> RunId:
        """Add a run that nothing else in the ledger asked for and return its number.

        A lost reply is asked for again and leaves no second row; when PostgreSQL then is away, the
        row that may be there goes with `drop_unsure`.
        """
        key = uuid4()
        try:
            try:
                return await self._create(run, key)
            except StoreUnavailable:
                return await self._create(run, key)
        except BaseException:
            # Not before: what is under way must not be dropped.
            self._unsure.add(key)
            raise

    async def _create(self, run: Run, key: UUID) -> RunId:
        [row] = await self.fence.write(
            self._database,
            self._sql["create_run"],
            run.job,
            run.kind,
            run.cause,
            options_to_json(run.options),
            run.claimed_at,
            key,
        )
        return RunId(row["id"])

    async def drop_unsure(self) -> None:
        """Remove rows that `create` may have left: who ordered them was told that it failed."""
        keys = set(self._unsure)
        if not keys:
            return
        async with self.fence.transaction(self._database) as connection:
            await connection.execute(self._sql["drop_orders"], list(keys))
        self._unsure -= keys

    async def anchors(self, jobs: Sequence[str]) -> dict[str, datetime]:
        """Return the instants from which `every` counts, of jobs that have one."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_anchors"], jobs)
        return {row["job"]: row["anchor_at"] for row in rows}

    async def follow(self, run: Run) -> RunId | None:
        """Add a run that repeats or follows `run.origin`; None when there is one that began.

        With a skip reason it is only written down. Safe to repeat.
        """
        async with self.fence.transaction(self._database) as connection:
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


def _run(fire: Fire, number: RunId, now: datetime) -> Run:
    is_skipped = fire.skip_reason is not None
    return Run(
        id=number,
        job=fire.job,
        kind=fire.kind,
        cause=fire.cause,
        outcome=Outcome.SKIPPED if is_skipped else Outcome.CLAIMED,
        fire_time=fire.fire_time,
        due_at=fire.due_at,
        fires_since=fire.fires_since,
        skip_reason=fire.skip_reason,
        options=fire.options,
        claimed_at=now,
        finished_at=now if is_skipped else None,
    )


def options_to_json(options: RunOptions) -> dict[str, Any]:
    """Return options as `runs.options` keeps them."""
    return {
        "only": list(options.only),
        "platform": options.platform,
        "limit": options.limit,
        "full": options.full,
        "dry_run": options.dry_run,
        "act": options.act,
        "of": options.of,
    }
