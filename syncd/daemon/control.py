"""Answers the control port: questions about the parts, orders to them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from syncd import __version__
from syncd.daemon import manual
from syncd.daemon.answers import (
    Json,
    freshness_answer,
    job_state,
    leader_answer,
    pause_answer,
    run_answer,
    schedule_answer,
    total_freshness,
)
from syncd.daemon.core import Core
from syncd.daemon.delivery_problems import outbox_problems
from syncd.daemon.drift import leaderboard_notes, leaderboard_problems
from syncd.daemon.grants import GrantDesk
from syncd.daemon.leaderboards import LeaderboardDesk
from syncd.daemon.letters import LetterDesk, letter_problems
from syncd.daemon.listening import grant_notes
from syncd.daemon.metrics import Scraper
from syncd.daemon.orders import OrderDesk
from syncd.daemon.plans import PlanDesk
from syncd.daemon.platform_answers import platform_answer
from syncd.daemon.problems import (
    database_problems,
    difference_notes,
    held_up_problems,
    pause_problems,
    redis_problems,
    run_problems,
    stuck_problems,
)
from syncd.daemon.promises import whole_freshness
from syncd.daemon.reload import Reload
from syncd.daemon.settings import fresh_for
from syncd.daemon.shares import tell_shares
from syncd.daemon.standing import Standing
from syncd.daemon.users import UserDesk
from syncd.errors import CacheUnavailable, NotKnown, StoreUnavailable
from syncd.model.pause import PauseScope
from syncd.model.run import Run, RunOptions
from syncd.schedule.roster import Schedule
from syncd.store.drift import DriftStore
from syncd.telemetry.events import Event, ItemsCommitted, RunFinished, RunHeldUp, RunProgressed


class Control(UserDesk, GrantDesk, LetterDesk, PlanDesk, OrderDesk, Standing, LeaderboardDesk):
    """The daemon's side of `web.service.Service`; some subjects have desks of their own.

    It listens to the bus for how far runs are; everything else it asks the parts.
    """

    def __init__(self, core: Core, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(core)
        self.scraper = Scraper(core)
        self.reloading = Reload(core, environ)
        core.changes.on_adopt(self.scraper.know)
        self._runs = core.around.stores.runs
        self._drift = DriftStore(core.database)
        self._started_at = core.clock.now()
        self._progress: dict[int, dict[str, RunProgressed]] = {}
        self._held_up: dict[int, RunHeldUp] = {}
        self.listen = core.config.web.listen

    def note(self, event: Event) -> None:
        """Count what happens, and remember how far active runs are; a bus subscriber."""
        self.scraper.note(event)
        if isinstance(event, RunProgressed):
            self._progress.setdefault(event.run_id, {})[event.platform] = event
        elif isinstance(event, RunHeldUp):
            self._held_up[event.run_id] = event
        elif isinstance(event, ItemsCommitted):
            self._held_up.pop(event.run_id, None)
        elif isinstance(event, RunFinished):
            self._progress.pop(event.run.id, None)
            self._held_up.pop(event.run.id, None)

    async def status(self) -> Json:
        """Return the first screen; it answers also while the database does not."""
        database = await self._database_answer()
        if database["ok"] and self.is_store_up:
            try:
                return await self._screen(database, answers=True)
            except StoreUnavailable as error:
                database = {**database, "ok": False, "error": str(error)}
        return await self._screen(database, answers=False)

    async def _screen(self, database: Json, *, answers: bool) -> Json:
        ready, why = self.is_ready()
        jobs = await self.jobs() if answers else []
        log_dir: Path | None = self._core.config.logging.dir
        platforms = await self.platforms() if answers else []
        letters = await self._core.letters.count_open() if answers else []
        redis = await self._redis_answer()
        return {
            "version": __version__,
            "started_at": self._started_at,
            "uptime_seconds": (self._core.clock.now() - self._started_at).total_seconds(),
            "ready": ready,
            "why": why,
            "leader": leader_answer(self._core.leadership),
            "config": str(self._core.config.path),
            "listen": self.listen,
            "database": database,
            "redis": redis,
            "users": await self._core.users.count() if answers else 0,
            "freshness": await whole_freshness(self._core) if answers else total_freshness([]),
            "jobs": jobs,
            "platforms": platforms,
            "paused": pause_answer(self._around.admission.standing(PauseScope.ALL)),
            "dead_letters": sum(row["letters"] for row in letters),
            "reload": self.reloading.as_json(),
            "problems": [
                *self.reloading.problems(),
                *(problem for platform in platforms for problem in platform["problems"]),
                *(*database_problems(database), *redis_problems(redis, jobs)),
                *(held_up_problems(self._held()) if answers else ()),
                *self._run_problems(jobs, await self._verdicts(jobs)),
                *leaderboard_problems(jobs),
                *pause_problems(self._around.admission.pauses()),
                *letter_problems(letters),
                *(await outbox_problems(self._around) if answers else ()),
                *self._core.alerts.problems(),
            ],
            "notes": self._notes(jobs),
            "log_dir": None if log_dir is None else str(log_dir),
        }

    def _run_problems(self, jobs: list[Json], verdicts: Mapping[str, Json]) -> list[Json]:
        stuck = stuck_problems(self._core.engine.stuck())
        return [*stuck, *run_problems(jobs, verdicts)]

    def _held(self) -> list[RunHeldUp]:
        """List what holds up runs that are active; one that was lost tells of no end."""
        active = [order.run.id for order in self._core.engine.active()]
        return [self._held_up[run_id] for run_id in active if run_id in self._held_up]

    def _notes(self, jobs: list[Json]) -> list[Json]:
        """List what a person should know although nothing is wrong."""
        changes = self._core.changes
        of_jobs = [*difference_notes(jobs), *leaderboard_notes(jobs), *grant_notes(jobs)]
        return [*of_jobs, *changes.notes(), *self.reloading.notes()]

    async def _verdicts(self, jobs: list[Json]) -> dict[str, Json]:
        """Return the run that tells how each job is; it stands until a later one has ended."""
        names = [job["name"] for job in jobs if job["state"] != "off"]
        limits = {name: self._core.scheduler.job(name).limit for name in names}
        runs = await self._runs.verdicts(limits) if limits else {}
        return {name: self._run_answer(run) for name, run in runs.items()}

    async def metrics(self) -> bytes:
        """Return the metrics; they answer also while the database does not."""
        return await self.scraper.scrape(is_config_ok=self.reloading.is_ok)

    async def jobs(self) -> list[Json]:
        """Return every job with its last run and its next fire time."""
        names = [schedule.job.name for schedule in self._core.scheduler.schedules()]
        last = await self._runs.last_of(names)
        answers = [await self._job_answer(name, last.get(name)) for name in names]
        await self.tell_drift(*answers)
        await self.tell_listening(*answers)
        return answers

    async def job(self, job: str) -> Json:
        """Return one job, with what its runs came to on each platform."""
        self._core.scheduler.job(job)
        last = await self._runs.last_of([job])
        answer = await self._job_answer(job, last.get(job))
        await tell_shares(
            self._around.stores, *filter(None, (answer["running"], answer["last_run"]))
        )
        await self.tell_drift(answer)
        await self.tell_listening(answer)
        return {**answer, "covered_by": self.covering(job), "forecast": await self.forecast(job)}

    async def _job_answer(self, name: str, last: Run | None) -> Json:
        scheduler = self._core.scheduler
        schedule: Schedule = scheduler.schedule(name)
        words = scheduler.timetable(name).describe()
        paused = self._around.admission.holding_job(name)
        active = self._core.engine.find_active(name)
        running = None if active is None else await self._runs.read(active.id)
        state = job_state(
            enabled=schedule.job.enabled,
            paused=paused is not None,
            running=running is not None,
            last=last,
        )
        return {
            **schedule_answer(schedule, words, scheduler.next_fire(name)),
            "state": state,
            "paused": pause_answer(paused),
            "differs_from_config": self._core.changes.differences(name, paused),
            "running": None if running is None else self._run_answer(running),
            "last_run": None if last is None else self._run_answer(last),
            "freshness": await self._freshness(schedule),
        }

    async def _freshness(self, schedule: Schedule) -> Json:
        job = schedule.job
        age = fresh_for(job) + self._core.scheduler.interval(job.name)
        rows = await self._around.stores.accounts.freshness(
            job.kind, job.work.followed, self._core.clock.now() - age
        )
        return freshness_answer(list(rows.values()), age)

    def _run_answer(self, run: Run) -> Json:
        return run_answer(run, self._progress.get(run.id, {}), self._core.clock.now())

    async def _database_answer(self) -> Json:
        address = str(self._core.database.settings.address)
        try:
            latency = await self._core.database.ping()
        except StoreUnavailable as error:
            return {"ok": False, "latency_seconds": 0.0, "address": address, "error": str(error)}
        return {"ok": True, "latency_seconds": latency, "address": address, "error": ""}

    async def _redis_answer(self) -> Json:
        address = str(self._core.cache.address)
        try:
            latency = await self._core.cache.ping()
        except CacheUnavailable as error:
            return {"ok": False, "latency_seconds": 0.0, "address": address, "error": str(error)}
        return {"ok": True, "latency_seconds": latency, "address": address, "error": ""}

    async def trigger(self, job: str, options: RunOptions, idempotency_key: str | None) -> Json:
        """Start a run now and return it; the control port remembers keys it has seen."""
        del idempotency_key
        self._check_ready()
        forecast = await self.forecast(job, options)
        run = await manual.trigger(self._core, job, options)
        return {**self._run_answer(run), "forecast": forecast}

    def _check_ready(self) -> None:
        ready, why = self.is_ready()
        if not ready:
            raise StoreUnavailable(why, hint="syncd keeps trying; see `syncd status`")

    async def runs(self, job: str | None, before: int | None, limit: int) -> list[Json]:
        """Return runs, newest first."""
        if job is not None:
            self._core.scheduler.job(job)
        runs = await self._runs.list_newest(job, before, limit)
        answers = [self._run_answer(run) for run in runs]
        await self.tell_plays(*answers)
        return answers

    async def run(self, run_id: int) -> Json:
        """Return one run, with what it came to on each platform, or on the boards."""
        run = await self._known(run_id)
        answer = self._run_answer(run)
        await tell_shares(self._around.stores, answer)
        await self.tell_plays(answer)
        return {**answer, "reconciliation": await self.reconciliation(run)}

    async def _known(self, run_id: int) -> Run:
        run = await self._runs.read(run_id)
        if run is None:
            raise NotKnown(f"there is no run {run_id}", hint="`syncd runs` lists the newest ones")
        return run

    async def run_items(self, run_id: int, outcome: str | None, limit: int) -> list[Json]:
        """Return what came of a run's items."""
        await self._known(run_id)
        return await self._runs.items(run_id, outcome, limit)

    async def cancel(self, run_id: int) -> Json:
        """Ask a run to stop at its next item; a run that waits to be gone on with is ended."""
        run = await self._known(run_id)
        if not self._core.engine.cancel(run_id) and not run.outcome.is_final:
            self._core.scheduler.withdraw(run_id)
            await self._runs.abandon(run.id, self._core.clock.now(), "cancelled by a person")
        return await self.run(run_id)

    async def platforms(self) -> list[Json]:
        """Return the platforms that jobs read, that accounts are linked to or that are paused."""
        counts: dict[str, Json] = {}
        for row in await self._around.stores.accounts.count_by_state():
            counts.setdefault(row["platform"], {})[row["state"]] = row["accounts"]
        jobs = [schedule.job.work for schedule in self._core.scheduler.schedules()]
        used = counts.keys() | {name for work in jobs for name in work.platforms}
        paused_by = partial(self._around.admission.standing, PauseScope.PLATFORM)
        return [
            platform_answer(platforms, counts.get(name, {}), paused_by(name))
            for name, platforms in self._around.platforms.items()
            if name in used or paused_by(name) is not None
        ]
