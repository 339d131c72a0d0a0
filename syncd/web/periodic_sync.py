"""The addresses of the replaced leaderboard service, in its shapes.

They act on the first job of kind leaderboard in config.toml. Whoever called that service finds
`success` in every answer, and in a refusal a `message` beside `error` and `hint`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from syncd.clock import Clock
from syncd.model.pause import PauseScope
from syncd.model.run import Outcome, RunOptions
from syncd.web.answer import Words, usual_words
from syncd.web.contest_sync import PATH as CONTEST_SYNC
from syncd.web.errors import Refused
from syncd.web.jobs import Triggers
from syncd.web.routes import Call, Nothing, Route, Routes
from syncd.web.service import Json, Service
from syncd.web.spotify_sync import PATH as SPOTIFY_SYNC

PREFIX = "/api/periodic-sync/"
SYNC_SECONDS = 300.0
"""How long a call of `sync` waits for the end of the run that it started."""

_MARGIN_SECONDS = 30.0
_REPLACED = (PREFIX, SPOTIFY_SYNC, CONTEST_SYNC)
_STOPPED = f"stopped by {PREFIX}stop"
_SYNCED = {Outcome.SUCCEEDED, Outcome.PARTIAL, Outcome.HELD}

Answer = Callable[[Call[Nothing]], Awaitable[Json]]


class SyncFailed(Refused):
    """The run that a call of `sync` started came to nothing; `stats` is what it did."""

    def __init__(self, run: Json) -> None:
        # What may pass by itself is somebody's absence: Redis, or PostgreSQL.
        status = (
            HTTPStatus.SERVICE_UNAVAILABLE if run["retryable"] else HTTPStatus.INTERNAL_SERVER_ERROR
        )
        why = run["error"] or f"see `syncd show {run['id']}`"
        super().__init__(
            status, f"run {run['id']} of {run['job']} was {run['outcome']}: {why}", hint=run["hint"]
        )
        self.told = {"stats": _stats(run)}


class PeriodicSync:
    """Answers `/api/periodic-sync/*`."""

    def __init__(self, service: Service, clock: Clock, triggers: Triggers) -> None:
        self._service = service
        self._clock = clock
        self._triggers = triggers

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        questions = (
            ("status", "Whether the leaderboards are synced periodically", self._status),
            ("health", "Whether Redis and PostgreSQL answer", self._health),
            ("metrics", "How many users each board and the table have now", self._metrics),
        )
        orders = (
            ("start", "Resume the leaderboard job", self._start),
            ("stop", "Pause the leaderboard job; what runs goes on", self._stop),
        )
        sync = Route(
            method="POST",
            path=f"{PREFIX}sync",
            summary="Sync the leaderboards now and wait for the end, five minutes at most",
            takes=Nothing,
            answer=self._sync,
            answer_seconds=SYNC_SECONDS + _MARGIN_SECONDS,
        )
        return (
            *(_question(*question) for question in questions),
            *(_order(*order) for order in orders),
            sync,
        )

    async def _status(self, _call: Call[Nothing]) -> Json:
        facts = await self._service.leaderboard_service()
        return {
            "success": True,
            "status": self._standing(facts),
            "background_task": {
                "running": facts["is_alive"],
                "task_exists": facts["enabled"],
                "task_done": not facts["is_alive"],
            },
        }

    def _standing(self, facts: Json) -> Json:
        fire_time = facts["next_fire_time"] if facts["is_running"] else None
        left = None if fire_time is None else (fire_time - self._clock.now()).total_seconds()
        return {
            "is_running": facts["is_running"],
            "redis_connected": facts["redis_connected"],
            "last_sync_time": facts["synced_at"],
            "next_sync_in_minutes": None if left is None else round(max(left, 0) / 60, 1),
        }

    async def _health(self, _call: Call[Nothing]) -> Json:
        facts = await self._service.leaderboard_service()
        is_healthy = facts["redis_connected"] and facts["postgres_connected"]
        return {
            "success": True,
            "health": {
                "redis_connected": facts["redis_connected"],
                "postgres_connected": facts["postgres_connected"],
                "service_running": facts["is_running"],
                "last_sync": facts["synced_at"],
            },
            "status": "healthy" if is_healthy else "degraded",
        }

    async def _metrics(self, _call: Call[Nothing]) -> Json:
        facts = await self._service.leaderboard_service()
        counts = await self._service.leaderboard_counts()
        boards = {f"{name}_leaderboard": count for name, count in counts["boards"].items()}
        return {
            "success": True,
            "metrics": {
                "postgres_users": counts["postgres_users"],
                "redis_counts": boards,
                "sync_service": self._standing(facts),
            },
        }

    async def _start(self, call: Call[Nothing]) -> Json:
        job = self._service.first_leaderboard()
        await self._service.resume(PauseScope.JOB, job, actor=call.actor)
        why = (await self._service.leaderboard_service())["why"]
        message = "Periodic sync started" if not why else f"Periodic sync does not run: {why}"
        return {"success": True, "message": message}

    async def _stop(self, call: Call[Nothing]) -> Json:
        facts = await self._service.leaderboard_service()
        if not facts["is_stopped"]:
            await self._service.pause(
                PauseScope.JOB, facts["job"], why=_STOPPED, until=None, actor=call.actor
            )
        return {"success": True, "message": "Periodic sync stopped"}

    async def _sync(self, call: Call[Nothing]) -> Json:
        job = self._service.first_leaderboard()
        await self._service.check_cache()
        started = await self._triggers.start(job, RunOptions(), call.idempotency_key)
        run = await self._service.ended_run(int(started["id"]), SYNC_SECONDS)
        outcome = Outcome(run["outcome"])
        if outcome.is_final and outcome not in _SYNCED:
            raise SyncFailed(run)
        return {"success": True, "message": _message(run, outcome), "stats": _stats(run)}


def words_for(path: str) -> Words:
    """Return how refusals are said at an address: those of the replaced services say more."""
    return _with_success if path.startswith(_REPLACED) else usual_words


def _with_success(body: Json) -> Json:
    return {"success": False, "message": body["error"], **body}


def _question(name: str, summary: str, answer: Answer) -> Route[Nothing]:
    return Route(
        method="GET",
        path=f"{PREFIX}{name}",
        summary=summary,
        takes=Nothing,
        answer=answer,
        needs_store=False,
    )


def _order(name: str, summary: str, answer: Answer) -> Route[Nothing]:
    return Route(
        method="POST", path=f"{PREFIX}{name}", summary=summary, takes=Nothing, answer=answer
    )


def _message(run: Json, outcome: Outcome) -> str:
    """Say how a run ended that did something, or that it goes on."""
    show = f"`syncd show {run['id']}`"
    match outcome:
        case Outcome.SUCCEEDED:
            return "Sync completed"
        case Outcome.PARTIAL:
            return f"Sync completed in part: {run['error'] or show}"
        case Outcome.HELD:
            return f"Sync completed, and something waits for a person: {run['error'] or show}"
        case _:
            return f"Sync goes on as run {run['id']}: {show} tells how it ends"


def _stats(run: Json) -> Json:
    """Return what a run did, in the words of the replaced service's callers."""
    apart = run["failures"]
    return {
        "run": run["id"],
        "created": run["created"],
        "updated": run["updated"],
        "unchanged": run["unchanged"],
        "deleted": run["deleted"],
        "held": apart.get("held", 0),
        "conflicts": apart.get("conflict", 0),
        "errors": run["failed"],
        "duration_seconds": run["duration_seconds"],
    }
