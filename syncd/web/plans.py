"""The addresses of leaderboards: what waits for a person, and what can be taken back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from syncd.model.leaderboard import PlanState
from syncd.model.run import RunOptions
from syncd.web.jobs import Triggers
from syncd.web.routes import LARGEST_ID, Call, Input, Nothing, Route, Routes, Text
from syncd.web.service import Json, Service

_Job = Annotated[Text | None, Field(min_length=1, max_length=128)]


class PlansQuery(Input):
    """Which plans; those of every state without one."""

    job: _Job = None
    state: PlanState | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class ApproveInput(Input):
    """What was looked at: its digest, and for a hard plan the number of its deletions, typed.

    With `state`, how it stood then, it is refused where somebody else has decided meanwhile.
    """

    digest: Annotated[Text, Field(min_length=1, max_length=128)]
    deletes: Annotated[int | None, Field(ge=0, le=LARGEST_ID)] = None
    state: PlanState | None = None


class RejectInput(Input):
    """Why, for the audit log, and how the plan stood that was looked at."""

    why: Annotated[Text, Field(max_length=500)] = ""
    state: PlanState | None = None


class RehydrateInput(Input):
    """Whether only to count."""

    dry_run: bool = False


class BackupsQuery(Input):
    """Whose backups; those of every job without one."""

    job: _Job = None


class Plans:
    """Answers under `/api/plans` and `/api/backups`, and what goes backwards: undo, rehydrate."""

    def __init__(self, service: Service, triggers: Triggers) -> None:
        self._service = service
        self._triggers = triggers

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (*self._questions(), *self._decisions(), *self._ways_back())

    def _questions(self) -> Routes:
        return (
            Route(
                method="GET",
                path="/api/plans",
                summary="What leaderboard jobs held for a person, newest first",
                takes=PlansQuery,
                answer=self._list,
            ),
            Route(
                method="GET",
                path="/api/plans/{id}",
                summary="One plan with its first 1,000 rows and the run that held it",
                takes=Nothing,
                answer=self._show,
            ),
            Route(
                method="GET",
                path="/api/backups",
                summary="Copies of tables from before large changes, newest first",
                takes=BackupsQuery,
                answer=self._backups,
            ),
        )

    def _decisions(self) -> Routes:
        return (
            Route(
                method="POST",
                path="/api/plans/{id}/approve",
                summary="Let a plan pass and start the run that applies it; 409 when it is another "
                "than the digest says, does not wait for that, or is hard without its number",
                takes=ApproveInput,
                answer=self._approve,
            ),
            Route(
                method="POST",
                path="/api/plans/{id}/reject",
                summary="Keep the rows of a plan until their users are on a board again",
                takes=RejectInput,
                answer=self._reject,
            ),
        )

    def _ways_back(self) -> Routes:
        return (
            Route(
                method="POST",
                path="/api/jobs/{job}/rehydrate",
                summary="Fill the boards in Redis from their table, where they lack somebody",
                takes=RehydrateInput,
                answer=self._rehydrate,
                status=HTTPStatus.ACCEPTED,
            ),
            Route(
                method="POST",
                path="/api/runs/{id}/undo",
                summary="Put the rows back that a run deleted; 404 when none is left",
                takes=Nothing,
                answer=self._undo,
                status=HTTPStatus.ACCEPTED,
            ),
            Route(
                method="POST",
                path="/api/backups/{id}/restore",
                summary="Put the rows of a backup back where they are missing or different",
                takes=Nothing,
                answer=self._restore,
                status=HTTPStatus.ACCEPTED,
            ),
        )

    async def _list(self, call: Call[PlansQuery]) -> Json:
        given = call.given
        return {"plans": await self._service.plans(given.job, given.state, given.limit)}

    async def _show(self, call: Call[Nothing]) -> Json:
        return await self._service.plan(call.number("id"))

    async def _backups(self, call: Call[BackupsQuery]) -> Json:
        return {"backups": await self._service.backups(call.given.job)}

    async def _approve(self, call: Call[ApproveInput]) -> Json:
        given = call.given
        return await self._service.approve_plan(
            call.number("id"), given.digest, given.deletes, actor=call.actor, seen=given.state
        )

    async def _reject(self, call: Call[RejectInput]) -> Json:
        given = call.given
        return await self._service.reject_plan(
            call.number("id"), why=given.why, actor=call.actor, seen=given.state
        )

    async def _rehydrate(self, call: Call[RehydrateInput]) -> Json:
        job = call.name("job")
        self._service.check_leaderboard(job)
        options = RunOptions(act="rehydrate", dry_run=call.given.dry_run)
        return await self._triggers.start(job, options, call.idempotency_key)

    async def _undo(self, call: Call[Nothing]) -> Json:
        number = call.number("id")
        job = await self._service.job_to_undo(number)
        return await self._start(call, job, RunOptions(act="undo", of=number))

    async def _restore(self, call: Call[Nothing]) -> Json:
        number = call.number("id")
        job = await self._service.job_to_restore(number)
        return await self._start(call, job, RunOptions(act="restore", of=number))

    async def _start(self, call: Call[Nothing], job: str, options: RunOptions) -> Json:
        return await self._triggers.start(job, options, call.idempotency_key)
