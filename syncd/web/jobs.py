"""The addresses of jobs: what there is, start a run, pause and resume."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from syncd.clock import Clock
from syncd.errors import BadInput, SyncdError
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.web.allowance import Allowance
from syncd.web.errors import TooOften
from syncd.web.instant import OffsetInstant
from syncd.web.routes import Call, Input, Nothing, Route, Routes, Text, printable_name
from syncd.web.service import Json, Service

KEYS_REMEMBERED = 1_000


class TriggerInput(Input):
    """How a trigger narrows a run."""

    only: Annotated[tuple[Text, ...], Field(max_length=1_000)] = ()
    platform: Annotated[Text, Field(max_length=64)] = ""
    limit: Annotated[int | None, Field(ge=1, le=10_000_000)] = None
    full: bool = False
    dry_run: bool = False


class PauseInput(Input):
    """Why, and until when; without `until` the pause lasts until somebody resumes.

    A job that another one covers is only paused with a reason.
    """

    why: Annotated[Text, Field(max_length=500)] = ""
    until: OffsetInstant | None = None


class ResumeInput(Input):
    """Of a platform: which of its credentials; without it all of them."""

    credential: Annotated[Text, Field(max_length=64)] = ""


class Jobs:
    """Answers under `/api/status`, `/api/jobs` and `/api/platforms`; pauses and resumes."""

    def __init__(self, service: Service, clock: Clock, triggers: Triggers) -> None:
        self._service = service
        self._clock = clock
        self._triggers = triggers

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (*self._questions(), *self._orders())

    def _questions(self) -> Routes:
        return (
            Route(
                method="GET",
                path="/api/status",
                summary="The first screen: freshness, jobs, platforms, problems",
                takes=Nothing,
                answer=self._status,
                needs_store=False,
            ),
            Route(
                method="GET",
                path="/api/jobs",
                summary="Every job with its last run and its next fire time",
                takes=Nothing,
                answer=self._jobs,
            ),
            Route(
                method="GET",
                path="/api/jobs/{job}",
                summary="One job, with what its last run came to on each platform",
                takes=Nothing,
                answer=self._job,
            ),
            Route(
                method="GET",
                path="/api/platforms",
                summary="Every platform with its limits and pauses",
                takes=Nothing,
                answer=self._platforms,
            ),
        )

    def _orders(self) -> Routes:
        trigger = Route(
            method="POST",
            path="/api/jobs/{job}/trigger",
            summary="Start a run now; 409 with its number while one runs",
            takes=TriggerInput,
            answer=self._triggers.answer,
            status=HTTPStatus.ACCEPTED,
        )
        lift = Route(
            method="POST",
            path="/api/platforms/{platform}/resume",
            summary="End the pause of a platform, also one it asked for itself; close its breaker",
            takes=ResumeInput,
            answer=self._lift,
        )
        return (trigger, *self._pauses(), lift)

    def _pauses(self) -> Routes:
        places = (
            ("/api", "everything"),
            ("/api/jobs/{job}", "a job"),
            ("/api/platforms/{platform}", "a platform"),
        )
        pauses = (
            Route(
                method="POST",
                path=f"{place}/pause",
                summary=f"Keep {what} from starting; what runs goes on",
                takes=PauseInput,
                answer=self._pause,
            )
            for place, what in places
        )
        resumes = (
            Route(
                method="POST",
                path=f"{place}/resume",
                summary=f"End the pause of {what}",
                takes=Nothing,
                answer=self._resume,
            )
            for place, what in places[:2]
        )
        return (*pauses, *resumes)

    async def _status(self, _call: Call[Nothing]) -> Json:
        return await self._service.status()

    async def _jobs(self, _call: Call[Nothing]) -> Json:
        return {"jobs": await self._service.jobs()}

    async def _job(self, call: Call[Nothing]) -> Json:
        return await self._service.job(call.name("job"))

    async def _platforms(self, _call: Call[Nothing]) -> Json:
        return {"platforms": await self._service.platforms()}

    async def _pause(self, call: Call[PauseInput]) -> Json:
        scope, key = _scope_of(call)
        until = call.given.until
        if until is not None and until <= self._clock.now():
            raise BadInput(f"until: {until.isoformat()} has passed", hint="give a later instant")
        return await self._service.pause(
            scope, key, why=call.given.why, until=until, actor=call.actor
        )

    async def _resume(self, call: Call[Nothing]) -> Json:
        scope, key = _scope_of(call)
        return await self._service.resume(scope, key, actor=call.actor)

    async def _lift(self, call: Call[ResumeInput]) -> Json:
        platform, credential = call.name("platform"), call.given.credential
        return await self._service.resume(
            PauseScope.PLATFORM, platform, actor=call.actor, credential=credential
        )


class Triggers:
    """Starts runs: not too often, and once per Idempotency-Key."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service = service
        self._allowance = Allowance(clock)
        self._runs_by_key: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._one_with_key = asyncio.Lock()

    async def answer(self, call: Call[TriggerInput]) -> Json:
        """Start a run and return it; a repeated Idempotency-Key returns the run it started."""
        job, given = call.name("job"), call.given
        options = RunOptions(
            only=tuple(printable_name(key, place="only") for key in given.only),
            platform=given.platform,
            limit=given.limit,
            full=given.full,
            dry_run=given.dry_run,
        )
        return await self.start(job, options, call.idempotency_key)

    async def start(self, job: str, options: RunOptions, key: str | None) -> Json:
        """Start a run of a job and return it; with a key that started one before, return that.

        Raises:
            TooOften: the job was triggered too often, from whichever address.
            AlreadyRunning: a run of the job is active.
        """
        if key is None:
            return await self._start(job, options, None)
        # One at a time: two calls with one key at the same instant must not both start a run.
        async with self._one_with_key:
            return await self._start_once(job, options, key)

    async def _start_once(self, job: str, options: RunOptions, key: str) -> Json:
        known = self._runs_by_key.get((job, key))
        if known is not None:
            return await self._service.run(known)
        run = await self._start(job, options, key)
        self._runs_by_key[job, key] = int(run["id"])
        if len(self._runs_by_key) > KEYS_REMEMBERED:
            self._runs_by_key.popitem(last=False)
        return run

    async def _start(self, job: str, options: RunOptions, key: str | None) -> Json:
        # What takes back is not in the way of what is to be taken back.
        purpose = f"{job} {options.act}".rstrip()
        seconds = self._allowance.take(purpose)
        if seconds > 0:
            raise TooOften(
                f"job {job!r} was triggered too often",
                seconds=seconds,
                rule="a job may be triggered once a minute, three times in a row, "
                "and every trigger counts, also with dry_run, limit or only",
            )
        try:
            return await self._service.trigger(job, options, key)
        except SyncdError:
            self._allowance.give_back(purpose)
            raise


def _scope_of(call: Call[PauseInput] | Call[Nothing]) -> tuple[PauseScope, str]:
    if "job" in call.path:
        return PauseScope.JOB, call.name("job")
    if "platform" in call.path:
        return PauseScope.PLATFORM, call.name("platform")
    return PauseScope.ALL, ""
