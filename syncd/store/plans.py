"""Plans: deletions and updates that wait for a person, and what that person decides.

A run holds a plan in the transaction of its books; a person approves or rejects exactly what they
saw, because its rows never change and its digest stands for them. A job has one open plan at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any

from syncd.errors import NotKnown, RunError, WrongState
from syncd.model.leaderboard import Plan, PlanId, PlanState
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database
from syncd.store.fence import Fence

# A million rows are written in seconds; a machine that is busy takes longer.
_ROWS_SECONDS = 300.0
_FORGOTTEN_AT_ONCE = 50_000
_EVERY_STATE = tuple(PlanState)
_OPEN = (PlanState.HELD, PlanState.APPROVED)
_APPROVABLE = (PlanState.HELD, PlanState.REJECTED)
_HINT = "`syncd plans` lists them; nothing was changed"

KEPT_WHEN_APPLIED = timedelta(days=30)
"""So long are the rows of a plan to be seen after a run did what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDraft:
    """A plan that is not held yet; its fields are those of `Plan`, in the order of the table."""

    job: str
    run_id: int
    deletes: int
    updates: int = 0
    holds_updates: bool = False
    base: int
    reasons: tuple[str, ...]
    is_hard: bool
    digest: str
    sample: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Who decides, and when; `seen` is how the plan stood when they looked, None: however."""

    actor: str
    at: datetime
    seen: PlanState | None = None


class PlanStore:
    """Owns `plans` and `plan_rows`, and in `leaderboard_missing` who is kept by a rejection.

    A decision is refused with `LeaseLost`, and nothing written, once somebody else leads. What
    happens inside a run's transaction is fenced by that. Whoever writes a plan and markers of
    missing rows in one transaction writes the plan first: so do decisions.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("plans")

    async def hold(self, connection: Connection, draft: PlanDraft) -> PlanId:
        """Let a plan wait for a person, and return its number; part of the books of a run.

        The rows to delete are those of the temporary table `lb_missing (user_id)`. An open plan
        that asks for the very same stays, whatever was decided about it; any other is replaced.
        Call `applied` first where the run applied one.
        """
        await connection.execute(self._sql["expire_plans"], draft.created_at)
        found = await connection.fetchrow(self._sql["lock_open"], draft.job)
        asked = {name: getattr(draft, name) for name in ("digest", "is_hard", "holds_updates")}
        if found is not None and {name: found[name] for name in asked} == asked:
            return PlanId(found["id"])
        await connection.execute(self._sql["replace_open"], draft.job)
        number: int = await connection.fetchval(self._sql["hold_plan"], *astuple(draft))
        held = await connection.execute(self._sql["hold_rows"], number, timeout=_ROWS_SECONDS)
        assert held == f"INSERT 0 {draft.deletes}", f"a plan of {draft.deletes} deletes: {held}"
        return PlanId(number)

    async def applied(self, connection: Connection, plan_id: PlanId) -> None:
        """Note that a run did what an approved plan says; part of the books of that run.

        Raises:
            RunError: it is not approved any more; the transaction must not commit.
        """
        if await connection.fetchval(self._sql["apply_plan"], plan_id) is None:
            raise RunError(
                f"plan {plan_id} was decided about again while this run applied it",
                hint="`syncd plans` shows how it stands; the next run goes by that",
            )

    async def withdraw(self, connection: Connection, job: str) -> None:
        """Let a held plan go of which nothing is left to do; part of the books of a run."""
        await connection.execute(self._sql["withdraw_held"], job)

    async def open(self, job: str, at: datetime) -> Plan | None:
        """Return the plan of a job that is held, or approved and not applied yet."""
        found = await self._read(at, job=job, states=_OPEN, limit=1)
        return found[0] if found else None

    async def pending(self, job: str, at: datetime) -> Plan | None:
        """Return the approved plan that the next full run of a job is to apply."""
        found = await self._read(at, job=job, states=(PlanState.APPROVED,), limit=1)
        return found[0] if found else None

    async def list_newest(
        self, job: str | None, state: PlanState | None, limit: int, at: datetime
    ) -> Sequence[Plan]:
        """Return plans as they stand at `at`, newest first."""
        states = _EVERY_STATE if state is None else (state,)
        return await self._read(at, job=job, states=states, limit=limit)

    async def read(self, plan_id: int, at: datetime) -> Plan:
        """Return one plan as it stands at `at`.

        Raises:
            NotKnown: there is none of that number.
        """
        found = await self._read(at, number=plan_id, limit=1)
        if not found:
            raise NotKnown(f"there is no plan {plan_id}", hint="`syncd plans` lists them")
        return found[0]

    async def rows(self, plan_id: int, limit: int) -> Sequence[str]:
        """Return the first users whom a plan would delete, in the order of their ids.

        One that was replaced or expired has none any more, an applied one has them for 30 days.
        """
        async with self._database.connection() as connection:
            found = await connection.fetch(self._sql["plan_rows"], plan_id, limit)
        return [row["user_id"] for row in found]

    async def approve(self, plan_id: int, digest: str, deletes: int | None, ruling: Ruling) -> Plan:
        """Let the next full run do what a held or rejected plan says.

        `deletes` is the number as the person typed it; a hard plan needs it.

        Raises:
            NotKnown: there is no such plan.
            WrongState: it was not this that they saw, or it does not wait for a decision.
        """
        seen = await self._seen(plan_id, ruling)
        if seen.state not in _APPROVABLE:
            raise _settled(seen, PlanState.APPROVED)
        if digest != seen.digest:
            raise WrongState(
                f"plan {plan_id} has another digest than the one given: another was looked at",
                hint=f"GET /api/plans/{plan_id} tells its digest; nothing was changed",
            )
        if deletes != seen.deletes and (seen.is_hard or deletes is not None):
            raise WrongState(
                f"plan {plan_id} deletes another number of rows: how many must be given with the "
                f"approval, {'none' if deletes is None else deletes} was",
                hint=f"syncd approve {plan_id} --deletes NUMBER; nothing was changed",
            )
        return await self._decide(seen, PlanState.APPROVED, ruling)

    async def reject(self, plan_id: int, ruling: Ruling) -> Plan:
        """Keep the rows of a plan until their users are on a board again; safe to repeat.

        Raises:
            NotKnown: there is no such plan.
            WrongState: it does not wait for anything, or not as they saw it.
        """
        seen = await self._seen(plan_id, ruling)
        if seen.state is PlanState.REJECTED:
            return seen
        if seen.state not in _OPEN:
            raise _settled(seen, PlanState.REJECTED)
        return await self._decide(seen, PlanState.REJECTED, ruling)

    async def expire(self, at: datetime) -> None:
        """Write down which held plans nobody decided about in time, and drop rows of no more use.

        Safe to repeat; a run calls it at its end, if there are any.
        """
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["expire_plans"], at)
        while True:
            async with self._fence.transaction(self._database) as connection:
                done = await connection.execute(
                    self._sql["forget_rows"], at - KEPT_WHEN_APPLIED, _FORGOTTEN_AT_ONCE
                )
            if done != f"DELETE {_FORGOTTEN_AT_ONCE}":
                return

    async def count_tombstones(self, run_id: int) -> int:
        """Return how many rows that a run deleted are still to be had back."""
        async with self._database.connection() as connection:
            found: int = await connection.fetchval(self._sql["count_tombstones"], run_id)
        return found

    async def backups(self, job: str | None, limit: int) -> Sequence[dict[str, Any]]:
        """Return the copies of tables from before large changes, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_backups"], None, job, limit)
        return [dict(row) for row in rows]

    async def backup(self, backup_id: int) -> dict[str, Any]:
        """Return one copy of a table.

        Raises:
            NotKnown: there is none of that number, or none any more.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["read_backups"], backup_id, None, 1)
        if row is None:
            raise NotKnown(
                f"there is no backup {backup_id}", hint="`syncd backups` lists those that are kept"
            )
        return dict(row)

    async def _seen(self, plan_id: int, ruling: Ruling) -> Plan:
        """Return a plan that stands as who decides about it has seen it."""
        plan = await self.read(plan_id, ruling.at)
        if ruling.seen not in {None, plan.state}:
            raise _settled(plan, None)
        return plan

    async def _decide(self, seen: Plan, state: PlanState, ruling: Ruling) -> Plan:
        at = ruling.at

        async def decide() -> bool:
            async with self._fence.transaction(self._database) as connection:
                await connection.execute(self._sql["expire_plans"], at)
                is_ours = await connection.fetchval(
                    self._sql["decide_plan"], seen.id, seen.state, state, ruling.actor, at
                )
                if is_ours is None:
                    return False
                await self._mark(connection, seen, state)
            return True

        is_done = await self._database.repeat(decide)
        now = await self.read(seen.id, at)
        if is_done:
            return now
        if now.state != seen.state:
            raise _settled(now, state)
        other = await self.open(seen.job, at)
        raise WrongState(
            f"plan {seen.id} cannot be approved while another one of job {seen.job} is open"
            + ("" if other is None else f": plan {other.id}, {other.state}"),
            hint=_HINT,
        )

    async def _mark(self, connection: Connection, seen: Plan, state: PlanState) -> None:
        """Keep the rows of a plan, or keep them no longer."""
        if state is PlanState.REJECTED:
            await connection.execute(self._sql["keep_rows"], seen.id, timeout=_ROWS_SECONDS)
        elif seen.state is PlanState.REJECTED:
            release = self._sql["release_rows"]
            await connection.execute(release, seen.job, seen.id, timeout=_ROWS_SECONDS)

    async def _read(
        self,
        at: datetime,
        *,
        number: int | None = None,
        job: str | None = None,
        states: Sequence[PlanState] = _EVERY_STATE,
        limit: int,
    ) -> Sequence[Plan]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_plans"], at, number, job, states, limit)
        return [_to_plan(dict(row)) for row in rows]


def _to_plan(row: dict[str, Any]) -> Plan:
    lists = {name: tuple(row[name]) for name in ("reasons", "sample")}
    return Plan(**{**row, **lists, "state": PlanState(row["state"])})


def _settled(plan: Plan, wanted: PlanState | None) -> WrongState:
    """Say why a plan that stands like this cannot be `wanted`; None: it was seen otherwise."""
    at = "" if plan.decided_at is None else f" at {plan.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    how = {
        PlanState.APPROVED: f"was approved by {plan.decided_by}{at}",
        PlanState.REJECTED: f"was rejected by {plan.decided_by}{at}",
        PlanState.APPLIED: f"was approved by {plan.decided_by}{at} and is applied",
        PlanState.EXPIRED: f"expired at {plan.expires_at:%Y-%m-%d %H:%M:%S} UTC",
        PlanState.REPLACED: "was replaced: a later run found others missing",
        PlanState.HELD: "waits for a decision",
    }[plan.state]
    why = "it was seen otherwise" if wanted is None else f"it cannot be {wanted}"
    return WrongState(f"plan {plan.id} {how}: {why}", hint=_HINT)
