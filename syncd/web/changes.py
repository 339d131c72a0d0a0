"""The addresses of changes: of a job over config.toml, and of config.toml itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from syncd.model.override import JobChange
from syncd.web.routes import Call, Input, Route, Routes, Text
from syncd.web.service import Json, Service

_Words = Annotated[Text, Field(min_length=1, max_length=500)] | None


class ChangeInput(Input):
    """What is to be different; what is left out stays. `reset` goes back to config.toml.

    `catch_up` makes up for what passed while the job did not fire, else that is forgotten.
    """

    enabled: bool | None = None
    schedule: _Words = None
    every: _Words = None
    timezone: _Words = None
    why: Annotated[Text, Field(max_length=500)] = ""
    reset: bool = False
    catch_up: bool = False


class ReloadInput(Input):
    """Whether to tell only what is different."""

    dry_run: bool = False


class Changes:
    """Answers `PATCH /api/jobs/{job}` and `POST /api/reload`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="PATCH",
                path="/api/jobs/{job}",
                summary="Switch a job on or off, reschedule it, or reset it to config.toml",
                takes=ChangeInput,
                answer=self._change,
            ),
            Route(
                method="POST",
                path="/api/reload",
                summary="Read config.toml again and apply it; 409 and no change when it is wrong",
                takes=ReloadInput,
                answer=self._reload,
                needs_store=False,
                needs_lead=False,  # each process has a config.toml of its own
            ),
        )

    async def _change(self, call: Call[ChangeInput]) -> Json:
        given = call.given
        change = JobChange(
            enabled=given.enabled,
            schedule=given.schedule,
            every=given.every,
            timezone=given.timezone,
            why=given.why,
            reset=given.reset,
            catch_up=given.catch_up,
        )
        return await self._service.change_job(call.name("job"), change, actor=call.actor)

    async def _reload(self, call: Call[ReloadInput]) -> Json:
        return await self._service.reload(dry_run=call.given.dry_run, actor=call.actor)
