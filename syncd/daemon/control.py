"""Answers the control port: questions about the parts, orders to them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from syncd import __version__
from syncd.daemon.answers import (
    Json,
    freshness_answer,
    job_state,
    pause_answer,
    run_answer,
    schedule_answer,
    total_freshness,
)
from syncd.daemon.core import Core
from syncd.daemon.letters import LetterDesk, letter_problems
from syncd.daemon.metrics import Scraper
from syncd.daemon.platform_answers import platform_answer
from syncd.daemon.settings import fresh_for
from syncd.daemon.users import UserDesk
from syncd.errors import CacheUnavailable, NotKnown, StoreUnavailable
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Outcome, Run, RunOptions
from syncd.schedule.roster import Schedule
from syncd.telemetry.events import Event, RunFinished, RunProgressed

_TROUBLE = {Outcome.PARTIAL, Outcome.FAILED, Outcome.HELD, Outcome.ABANDONED}


class Control(UserDesk, LetterDesk):
    """The daemon's side of `web.service.Service`; users and dead letters have desks of their own.

    It listens to the bus for how far runs are; everything else it asks the parts.
    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.scraper = Scraper(core)
        self._runs = core.around.stores.runs
        self._started_at = core.clock.now()
        self._progress: dict[int, dict[str, RunProgressed]] = {}
        self.listen = core.config.web.listen
        self.is_stopping = False

    def note(self, event: Event) -> None:
        """Count what happens, and remember how far active runs are; a bus subscriber."""
        self.scraper.note(event)
        if isinstance(event, RunProgressed):
            self._progress.setdefault(event.run_id, {})[event.platform] = event
        elif isinstance(event, RunFinished):
            self._progress.pop(event.run.id, None)

    def is_ready(self) -> tuple[bool, str]:
        """Tell whether runs can start: PostgreSQL was reached and answers."""
        if self.is_stopping:
            return False, "syncd is stopping"
        health = self._core.health
        return health.ready.is_set() and not health.error, health.error

    async def status(self) -> Json:
        """Return the first screen; it answers also while the database does not."""
        ready, why = self.is_ready()
        database = await self._database_answer()
        jobs = await self.jobs() if database["ok"] and ready else []
        verdicts = await self._verdicts(jobs)
        log_dir: Path | None = self._core.config.logging.dir
        platforms = await self.platforms() if database["ok"] and ready else []
        letters = await self._core.letters.count_open() if database["ok"] and ready else []
        return {
            "version": __version__,
            "started_at": self._started_at,
            "uptime_seconds": (self._core.clock.now() - self._started_at).total_seconds(),
            "ready": ready,
            "why": why,
            "config": str(self._core.config.path),
            "listen": self.listen,
            "database": database,
            "redis": await self._redis_answer(),
            "users": await self._core.users.count() if database["ok"] and ready else 0,
            "freshness": total_freshness([job["freshness"] for job in jobs]),
            "jobs": jobs,
            "platforms": platforms,
            "paused": pause_answer(self._around.admission.standing(PauseScope.ALL)),
            "dead_letters": sum(row["letters"] for row in letters),
            "problems": [
                *_problems(jobs, verdicts, platforms, database),
                *letter_problems(letters),
            ],
            "log_dir": None if log_dir is None else str(log_dir),
        }

    async def _verdicts(self, jobs: list[Json]) -> dict[str, Json]:
        """Return the run that tells how each job is; it stands until a later one has ended."""
        names = [job["name"] for job in jobs if job["state"] != "off"]
        limits = {name: self._core.scheduler.job(name).limit for name in names}
        runs = await self._runs.verdicts(limits) if limits else {}
        return {name: self._run_answer(run) for name, run in runs.items()}

    async def metrics(self) -> bytes:
        """Return the metrics; they answer also while the database does not."""
        return await self.scraper.scrape()

    async def jobs(self) -> list[Json]:
        """Return every job with its last run and its next fire time."""
        names = [schedule.job.name for schedule in self._core.scheduler.schedules()]
        last = await self._runs.last_of(names)
        return [await self._job_answer(name, last.get(name)) for name in names]

    async def job(self, job: str) -> Json:
        """Return one job."""
        self._core.scheduler.job(job)
        last = await self._runs.last_of([job])
        return await self._job_answer(job, last.get(job))

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
            "running": None if running is None else self._run_answer(running),
            "last_run": None if last is None else self._run_answer(last),
            "freshness": await self._freshness(schedule),
        }

    async def _freshness(self, schedule: Schedule) -> Json:
        job = schedule.job
        age = fresh_for(job) + self._core.scheduler.interval(job.name)
        rows = await self._around.stores.accounts.freshness(
            job.kind, job.work.platforms, self._core.clock.now() - age
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
        return self._run_answer(await self._core.scheduler.trigger(job, options))

    def _check_ready(self) -> None:
        ready, why = self.is_ready()
        if not ready:
            raise StoreUnavailable(why, hint="syncd keeps trying; see `syncd status`")

    async def pause(
        self, scope: PauseScope, key: str, *, why: str, until: datetime | None, actor: str
    ) -> Json:
        """Keep something from going on; what runs holds at its next item."""
        self._check_target(scope, key)
        pause = Pause(
            scope=scope,
            key=key,
            why=why,
            until=until,
            actor=actor,
            paused_at=self._core.clock.now(),
        )
        await self._core.pauses.pause(pause)
        self._around.admission.pause(pause)
        return pause_answer(pause) or {}

    async def resume(
        self, scope: PauseScope, key: str, *, actor: str, credential: str = ""
    ) -> Json:
        """End a pause; of a platform also what holds its requests: pauses it asked for, a breaker.

        With `credential` nothing but the latter, for this credential.
        """
        del actor
        self._check_target(scope, key)
        is_platform = scope is PauseScope.PLATFORM
        lifted = self._core.gates.lift(key, credential) if is_platform else []
        if credential:
            return {"scope": scope, "key": key, "was_paused": bool(lifted), "lifted": lifted}
        was_paused = await self._core.pauses.resume(scope, key)
        self._around.admission.resume(scope, key)
        was_paused = was_paused or bool(lifted)
        return {"scope": scope, "key": key, "was_paused": was_paused, "lifted": lifted}

    def _check_target(self, scope: PauseScope, key: str) -> None:
        if scope is PauseScope.JOB:
            self._core.scheduler.job(key)
        elif scope is PauseScope.PLATFORM:
            self._core.check_platform(key)

    async def runs(self, job: str | None, before: int | None, limit: int) -> list[Json]:
        """Return runs, newest first."""
        if job is not None:
            self._core.scheduler.job(job)
        runs = await self._runs.list_newest(job, before, limit)
        return [self._run_answer(run) for run in runs]

    async def run(self, run_id: int) -> Json:
        """Return one run."""
        return self._run_answer(await self._known(run_id))

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
        """Return every platform with its limits and pauses."""
        counts: dict[str, Json] = {}
        for row in await self._around.stores.accounts.count_by_state():
            counts.setdefault(row["platform"], {})[row["state"]] = row["accounts"]
        return [
            platform_answer(platforms, counts.get(name, {}))
            for name, platforms in self._around.platforms.items()
        ]


def _problems(
    jobs: list[Json], verdicts: dict[str, Json], platforms: list[Json], database: Json
) -> list[Json]:
    """List what a person should look at, each with what to do."""
    problems = [problem for platform in platforms for problem in platform["problems"]]
    if not database["ok"]:
        hint = "syncd keeps trying and heals by itself once the database answers"
        problems.append({"what": database["error"], "hint": hint})
    for job in jobs:
        last = verdicts.get(job["name"])
        if last is not None and last["outcome"] in _TROUBLE:
            failures = _failures_in_words(last) if last["failed"] else ""
            cause = "; ".join(filter(None, (last["error"], failures)))
            what = f"{job['name']}: run {last['id']} was {last['outcome']}: {cause}"
            hint = last["hint"] or f"see `syncd show {last['id']}`"
            problems.append({"what": what, "hint": hint})
        if job["paused"] is not None:
            what = f"{job['name']} is paused: {job['paused']['why'] or 'no reason given'}"
            problems.append({"what": what, "hint": f"syncd resume {job['name']}"})
    return problems


def _failures_in_words(run: Json) -> str:
    causes = ", ".join(f"{word} {count}" for word, count in sorted(run["failures"].items()))
    return f"{run['failed']} of {run['seen']} accounts failed ({causes})"
