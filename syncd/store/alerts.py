"""What a person was told of each job, and what they are still to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.model.alert import AlertState, Condition, Topic, WaitingPlan
from syncd.model.leaderboard import PlanState
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row
from syncd.store.fence import Fence


class AlertStore:
    """Owns the table `alert_states`; runs and plans it only reads.

    Every write is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("alerts")

    async def read(self) -> Sequence[AlertState]:
        """Return what is known of every job, in the order of the runs that say so."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_alerts"])
        return [_to_state(row) for row in rows]

    async def keep(self, state: AlertState) -> None:
        """Keep what was decided or told, in place of what was before; safe to repeat."""
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(
                self._sql["keep_alert"],
                state.job,
                state.topic,
                state.condition,
                state.run_id,
                state.first_run,
                state.since,
                state.plan_id,
                dict(state.detail),
                state.told_at,
            )

    async def drop(self, job: str, topic: Topic) -> None:
        """Forget what was decided: it could not be told."""
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["drop_alert"], job, topic)

    async def count_bad_runs(self, job: str, first_run: int, before: int) -> int:
        """Count the runs of a job in a range of numbers that failed, were held or abandoned."""
        async with self._database.connection() as connection:
            count = await connection.fetchval(self._sql["count_bad_runs"], job, first_run, before)
        return int(count)

    async def newest_plans(self, jobs: Sequence[str]) -> Mapping[str, WaitingPlan]:
        """Return the newest plan of each of these jobs; one without a plan has none."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["newest_plans"], jobs)
        return {row["job"]: _to_plan(row) for row in rows}


def _to_state(row: Row) -> AlertState:
    told = {**row, "topic": Topic(row["topic"]), "condition": Condition(row["condition"])}
    return AlertState(**told)


def _to_plan(row: Row) -> WaitingPlan:
    return WaitingPlan(
        id=row["id"],
        is_open=row["state"] == PlanState.HELD,
        deletes=row["deletes"],
        updates=row["updates"],
        holds_updates=row["holds_updates"],
        base=row["base"],
        reasons=tuple(row["reasons"]),
        is_hard=row["is_hard"],
        expires_at=row["expires_at"],
    )
