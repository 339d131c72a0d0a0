"""A job kind that does what a test says, and a ledger that PostgreSQL keeps badly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar

from fakes.clock import FakeClock
from fakes.running import JOB, Running, draft, to_job
from pydantic import BaseModel

from syncd.errors import StoreUnavailable
from syncd.jobs.base import JobKind, RunContext
from syncd.jobs.stop import Stop
from syncd.model.run import Ending, Outcome, Run
from syncd.runs.runner import Order, Runner
from syncd.telemetry.purpose import Purpose

DONE = Ending(outcome=Outcome.SUCCEEDED)


class NoOptions(BaseModel):
    pass


class Scripted(JobKind[NoOptions]):
    """Does what the test says."""

    Options: ClassVar[type[BaseModel]] = NoOptions

    def __init__(self, work: Callable[[RunContext], Awaitable[Ending]]) -> None:
        super().__init__(JOB, NoOptions())
        self._work = work

    @property
    def purpose(self) -> Purpose:
        return Purpose.PROFILE_UPDATE

    async def run(self, context: RunContext) -> Ending:
        return await self._work(context)


async def execute(
    world: Running, work: Callable[[RunContext], Awaitable[Ending]], **order: Any
) -> Run | None:
    run = replace(draft(world.clock), id=await world.start_nothing())
    whole = Order(run=run, job=to_job(Scripted(work)), stop=order.pop("stop", Stop()), **order)
    clock = world.clock
    assert isinstance(clock, FakeClock)
    return await clock.run(Runner(world.around).execute(whole))


class Ledger:
    """The ledger as it looks while PostgreSQL does not answer, or swallows a reply."""

    def __init__(self, real: Any, *, silent: dict[str, int], loses: set[str]) -> None:
        self._real = real
        self._silent = silent
        self._loses = loses

    def __getattr__(self, name: str) -> Any:
        async def ask(*values: Any, **named: Any) -> Any:
            if self._silent.get(name, 0):
                self._silent[name] -= 1
                raise StoreUnavailable("no answer in time")
            answer = await getattr(self._real, name)(*values, **named)
            if name in self._loses:
                self._loses.remove(name)
                raise StoreUnavailable("the reply was lost")
            return answer

        return ask


def behind(
    world: Running, *, silent: dict[str, int] | None = None, loses: set[str] | None = None
) -> None:
    ledger = Ledger(world.runs, silent=silent or {}, loses=loses or set())
    stores = replace(world.around.stores, runs=ledger)  # type: ignore[arg-type]
    world.around = replace(world.around, stores=stores)


async def succeed(context: RunContext) -> Ending:
    return DONE
