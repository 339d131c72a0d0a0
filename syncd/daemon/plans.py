"""The control port's questions and orders about leaderboards: plans, and the ways back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from syncd.daemon import manual
from syncd.daemon.answers import Json, plan_answer, reconciliation_answer
from syncd.daemon.core import Core
from syncd.daemon.drift import KIND
from syncd.errors import AlreadyRunning, BadInput, NotKnown, SyncdError, WrongState
from syncd.model.leaderboard import Plan, PlanState
from syncd.model.run import Run, RunOptions
from syncd.store.plans import Ruling
from syncd.telemetry.events import PlanDecided

_ROWS_SHOWN = 1_000
_BACKUPS_SHOWN = 1_000


class PlanDesk(ABC):
    """What waits for a person, what they decide, and what they take back."""

    _core: Core

    async def plans(self, job: str | None, state: PlanState | None, limit: int) -> list[Json]:
        """Return what leaderboard jobs held for a person, newest first."""
        if job is not None:
            self.check_leaderboard(job)
        now = self._core.clock.now()
        return [
            plan_answer(each) for each in await self._core.plans.list_newest(job, state, limit, now)
        ]

    async def plan(self, plan_id: int) -> Json:
        """Return one plan with its first rows and the run that held it."""
        plan = await self._core.plans.read(plan_id, self._core.clock.now())
        run = await self._core.around.stores.runs.read(plan.run_id)
        return {
            **plan_answer(plan),
            "rows": await self._core.plans.rows(plan_id, _ROWS_SHOWN),
            "run": None if run is None else self._run_answer(run),
        }

    async def approve_plan(
        self,
        plan_id: int,
        digest: str,
        deletes: int | None,
        *,
        actor: str,
        seen: PlanState | None = None,
    ) -> Json:
        """Let the next full run do what a plan says, and start it where nothing forbids that."""
        self._check_ready()
        now = self._core.clock.now()
        self.check_leaderboard((await self._core.plans.read(plan_id, now)).job)
        ruling = Ruling(actor=actor, at=now, seen=seen)
        plan = await self._core.plans.approve(plan_id, digest, deletes, ruling)
        self._tell_decision(plan, "")
        run, note = await self._apply_soon(plan)
        answer = None if run is None else self._run_answer(run)
        return {"plan": plan_answer(plan), "run": answer, "note": note}

    async def _apply_soon(self, plan: Plan) -> tuple[Run | None, str]:
        """Start the run that applies a plan, or say when it will be applied."""
        try:
            return await manual.trigger(self._core, plan.job, RunOptions(full=True)), ""
        except AlreadyRunning as error:
            note = f"run {error.run_id} goes on: the next full run after it applies the plan"
            return await self._core.around.stores.runs.read(error.run_id), note
        except SyncdError as error:  # the plan is approved all the same
            return None, f"no run was started, the next full one applies the plan: {error}"

    async def reject_plan(
        self, plan_id: int, *, why: str, actor: str, seen: PlanState | None = None
    ) -> Json:
        """Keep the rows of a plan, and return it."""
        now = self._core.clock.now()
        plan = await self._core.plans.read(plan_id, now)
        self.check_leaderboard(plan.job)
        active = self._core.engine.find_active(plan.job)
        if plan.state is PlanState.APPROVED and seen is not PlanState.HELD and active is not None:
            raise WrongState(
                f"plan {plan_id} is approved, and run {active.id} may be applying it",
                hint=f"`syncd cancel {active.id}` first; nothing was changed",
            )
        plan = await self._core.plans.reject(plan_id, Ruling(actor=actor, at=now, seen=seen))
        self._tell_decision(plan, why)
        return {"plan": plan_answer(plan)}

    async def reconciliation(self, run: Run) -> Json | None:
        """Return what a leaderboard run came to, None of others and before it got that far."""
        if run.kind != KIND:
            return None
        return reconciliation_answer(await self._core.around.stores.leaderboards.read(run.id))

    def check_leaderboard(self, job: str) -> None:
        """Refuse a job that has no leaderboards."""
        kind = self._core.scheduler.job(job).kind
        if kind != KIND:
            raise BadInput(
                f"job {job} is of kind {kind}: plans, undo and rehydrate are for kind {KIND}",
                hint="`syncd status` lists the jobs",
            )

    async def job_to_undo(self, run_id: int) -> str:
        """Name the job of a run whose deletions can be taken back."""
        run = await self._known(run_id)
        self.check_leaderboard(run.job)
        if not await self._core.plans.count_tombstones(run_id):
            raise NotKnown(
                f"run {run_id} deleted nothing that is still to be had back",
                hint=f"`syncd backups {run.job}` lists copies of the whole table",
            )
        return run.job

    async def backups(self, job: str | None) -> list[Json]:
        """Return the copies of tables from before large changes, newest first."""
        if job is not None:
            self.check_leaderboard(job)
        return list(await self._core.plans.backups(job, _BACKUPS_SHOWN))

    async def job_to_restore(self, backup_id: int) -> str:
        """Name the job of a copy that is kept."""
        job: str = (await self._core.plans.backup(backup_id))["job"]
        self.check_leaderboard(job)
        return job

    @abstractmethod
    def _run_answer(self, run: Run) -> Json: ...

    @abstractmethod
    async def _known(self, run_id: int) -> Run: ...

    @abstractmethod
    def _check_ready(self) -> None: ...

    def _tell_decision(self, plan: Plan, why: str) -> None:
        self._core.bus.emit(
            PlanDecided(
                job=plan.job,
                plan=plan.id,
                decision=plan.state,
                deletes=plan.deletes,
                actor=plan.decided_by,
                why=why,
            )
        )
