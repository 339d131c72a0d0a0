"""The control port's questions about leaderboards: how a job stands, what both sides hold.

The replaced service knew one of them: the first in config.toml.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from syncd.cache.boards import BoardReader
from syncd.daemon.answers import Json
from syncd.daemon.core import Core
from syncd.daemon.drift import KIND, drift_answer
from syncd.daemon.problems import pause_problem
from syncd.errors import CacheUnavailable, NotKnown, RunError, StoreUnavailable
from syncd.model.pause import PauseScope
from syncd.model.run import Outcome
from syncd.runs.job import Job
from syncd.store.drift import DriftStore
from syncd.telemetry.events import Event, RunFinished

_PATIENCE_SECONDS = 2.0


class LeaderboardDesk(ABC):
    """Answers whatever is away: what cannot be asked is None, or as it was known last."""

    _core: Core
    _drift: DriftStore
    _synced: tuple[str, datetime | None] = ("", None)

    def first_leaderboard(self) -> str:
        """Name the first job of kind leaderboard."""
        return self.first_of(KIND)

    def first_of(self, kind: str) -> str:
        """Name the first job of a kind; one that looks only now and then (`within`) comes last."""
        jobs = [each.job for each in self._core.scheduler.schedules() if each.job.kind == kind]
        if not jobs:
            raise NotKnown(
                f"config.toml has no job of kind {kind}",
                hint=f'add a table [jobs.{kind}] with kind = "{kind}", and reload',
            )
        return min(jobs, key=lambda job: bool(getattr(job.work.options, "within", None))).name

    async def leaderboard_service(self) -> Json:
        """Return how the first leaderboard job stands."""
        name = self.first_leaderboard()
        why = self._why_idle(name)
        is_postgres_up = await self._answers_postgres()
        pause = self._core.around.admission.standing(PauseScope.JOB, name)
        return {
            "job": name,
            "enabled": self._core.scheduler.job(name).enabled,
            "is_stopped": pause is not None and pause.until is None,
            "is_running": not why,
            "why": why,
            "is_alive": not why and (self.is_ready()[0] or self.is_standby()),
            "redis_connected": await self._answers_redis(),
            "postgres_connected": is_postgres_up,
            "synced_at": await self._synced_at(name, may_ask=is_postgres_up),
            "next_fire_time": self._core.scheduler.next_fire(name),
        }

    def _why_idle(self, name: str) -> str:
        """Say what keeps a job from being fired; empty when nothing does."""
        scheduler = self._core.scheduler
        pause = self._core.around.admission.holding_job(name)
        if not scheduler.job(name).enabled:
            return f"job {name} is off (`syncd enable {name}`)"
        if pause is not None:
            problem = pause_problem(pause)
            return f"{problem['what']} (`{problem['hint']}`)"
        return "" if scheduler.fires else "[daemon] schedule is false, so that nothing fires"

    async def _answers_postgres(self) -> bool:
        try:
            self.check_store()
            await self._core.database.ping()
        except StoreUnavailable:
            return False
        return True

    async def _answers_redis(self) -> bool:
        try:
            await self.check_cache()
        except CacheUnavailable:
            return False
        return True

    async def check_cache(self) -> None:
        """Refuse what needs Redis while that does not answer."""
        await self._core.cache.ping()

    async def _synced_at(self, name: str, *, may_ask: bool) -> datetime | None:
        """Return when a job synced last; in an outage as it was known before."""
        try:
            if may_ask:
                self._synced = (name, await self._drift.last_synced(name))
        except StoreUnavailable:
            may_ask = False
        known_of, at = self._synced
        return at if known_of == name else None

    async def leaderboard_counts(self) -> Json:
        """Return how many users the first leaderboard job's table and boards have now."""
        job = self._core.scheduler.job(self.first_leaderboard())
        return {"postgres_users": await self._count_rows(job), "boards": await self._members(job)}

    async def _count_rows(self, job: Job) -> int | None:
        try:
            self.check_store()
            return await self._drift.count_users(job.work.options.target())
        except StoreUnavailable:
            return None

    async def _members(self, job: Job) -> dict[str, int | None]:
        options: Any = job.work.options
        boards = options.all_boards()
        reader = BoardReader(
            self._core.cache.address,
            boards,
            details=options.details,
            details_field=options.details_field,
            page=options.batch,
            pause=0,
            id_length=options.id_length,
            clock=self._core.clock,
            timeout_seconds=_PATIENCE_SECONDS,
        )
        try:
            async with reader:
                facts = await reader.examine()
        except (CacheUnavailable, RunError):
            return {board.name: None for board in boards}
        return {board.name: facts.boards[board.name].members for board in boards}

    async def ended_run(self, run_id: int, seconds: float) -> Json:
        """Return a run once it has ended, or after so many seconds as it is then."""
        ended = asyncio.Event()

        def note(event: Event) -> None:
            if isinstance(event, RunFinished) and event.run.id == run_id:
                ended.set()

        with self._core.bus.subscribed(note):
            run = await self.run(run_id)
            if Outcome(run["outcome"]).is_final:
                return run
            async with asyncio.TaskGroup() as group:
                sleeper = group.create_task(self._core.clock.sleep(seconds))
                waiter = group.create_task(ended.wait())
                sleeper.add_done_callback(lambda _: waiter.cancel())
                waiter.add_done_callback(lambda _: sleeper.cancel())
        return await self.run(run_id)

    async def tell_drift(self, *jobs: Json) -> None:
        """Put into jobs how their tables follow their boards; None where they have none."""
        names = [job["name"] for job in jobs if job["kind"] == KIND]
        followed = await self._drift.followed(names) if names else {}
        now = self._core.clock.now()
        open_plans = {name: await self._core.plans.open(name, now) for name in followed}
        for job in jobs:
            name = job["name"]
            job[KIND] = drift_answer(followed.get(name), open_plans.get(name))

    @abstractmethod
    def is_ready(self) -> tuple[bool, str]:
        """Tell whether runs can start here."""

    @abstractmethod
    def is_standby(self) -> bool:
        """Tell whether all is well but for another syncd leading."""

    @abstractmethod
    def check_store(self) -> None:
        """Refuse what needs PostgreSQL while that is known not to answer."""

    @abstractmethod
    async def run(self, run_id: int) -> Json:
        """Return one run."""
