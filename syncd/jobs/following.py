"""Job kinds that follow accounts: every platform at once, each with all of its credentials."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from syncd.errors import RunError, StoreUnavailable
from syncd.jobs.base import JobKind, RunContext, Surroundings
from syncd.jobs.clocks import forget_ahead
from syncd.jobs.ends import End, ending_of
from syncd.jobs.fanout import Fanout
from syncd.jobs.passes import pass_after_pass
from syncd.jobs.progress import Progress
from syncd.jobs.stop import StopReason
from syncd.jobs.work import Budget, Work
from syncd.model.run import Cause, Ending, PlatformReport
from syncd.platforms.base import Platform
from syncd.store.accounts import Outlet, Selection
from syncd.telemetry.events import PlatformFinished


class FollowingOptions(BaseModel):
    """What every kind takes that follows accounts.

    `claim` is the most accounts of one platform between being claimed and being committed,
    `attempts` how often a run asks for an account that fails for a passing reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platforms: tuple[str, ...] = Field(min_length=1)
    claim: int = Field(default=100, gt=0, le=10_000)
    attempts: int = Field(default=3, gt=0, le=10)


OptionsT = TypeVar("OptionsT", bound=FollowingOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """What the fan-outs of one run share: what is due by platform and credential, and the limit.

    `before` is what the run did on each platform before it was interrupted.
    """

    context: RunContext
    selection: Selection
    before: Mapping[str, PlatformReport]
    due: Counter[Outlet]
    budget: Budget


class Following(JobKind[OptionsT]):
    """Asks for every account that is due; what is left stays due, oldest first."""

    is_item_driven: ClassVar[bool] = True

    kind: ClassVar[str]
    """As whose state what is due is kept."""

    @property
    def platforms(self) -> tuple[str, ...]:
        """Name the platforms a run asks."""
        return self.options.platforms

    @property
    def followed(self) -> tuple[str, ...]:
        """Name the same: what it asks them for is accounts."""
        return self.options.platforms

    @abstractmethod
    def work_on(self, context: RunContext, work: Work) -> Work:
        """Say how this kind works on the accounts of one credential."""

    async def prepare(self, context: RunContext, selection: Selection) -> None:
        """Do what comes before anything is counted or asked."""

    async def tell_due(self, context: RunContext, due: int) -> None:
        """Tell how many accounts there are to ask for."""

    def meanwhile(
        self, context: RunContext, platforms: Sequence[str]
    ) -> AbstractAsyncContextManager[None]:
        """Do something besides, as long as the context lasts."""
        del context, platforms
        return contextlib.nullcontext()

    async def after_credential(self, context: RunContext, work: Work) -> None:
        """Do what comes once a credential's accounts are done with."""

    async def after_platform(self, context: RunContext, platform: str) -> None:
        """Do what comes once a platform is done with; others may take hours yet."""

    async def after_all(self, context: RunContext) -> None:
        """Do what comes at the end."""

    async def run(self, context: RunContext) -> Ending:
        """Work through every platform at the same time; what is left stays due."""
        selection = self.select(context)
        accounts = context.around.stores.accounts
        await forget_ahead(context.around)
        await self.prepare(context, selection)
        await accounts.enroll(self.kind, outlets_of(context.around, selection.platforms))
        limit, seen = context.run.options.limit, context.run.report.seen
        shared = _Pass(
            context=context,
            selection=selection,
            before=await _shares(context) if seen else {},
            due=await accounts.count_due(selection),
            budget=Budget(None if limit is None else max(0, limit - seen)),
        )
        names = selection.platforms
        await self.tell_due(context, shared.due.total())
        async with self.meanwhile(context, names), asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._sync(shared, name)) for name in names]
        if context.stop.reason is not StopReason.DRAIN and (seen or shared.due):
            await _tell_shares(context)
        await self.after_all(context)
        return ending_of([end for task in tasks for end in task.result()])

    def select(self, context: RunContext) -> Selection:
        """Say which accounts a run is about.

        Raises:
            RunError: it is to be about a platform that this job does not read.
        """
        run, options = context.run, context.run.options
        began_at, pass_began_at = pass_of(context)
        wanted = (options.platform,) if options.platform else self.platforms
        unknown = set(wanted) - set(self.platforms)
        if unknown:
            raise RunError(
                f"job {self.name} does not read {', '.join(sorted(unknown))}",
                hint=f"it reads {', '.join(self.platforms)}",
            )
        is_retry = run.cause is Cause.RETRY
        return Selection(
            kind=self.kind,
            platforms=wanted,
            began_at=began_at,
            without_success_since=self.needed_since(pass_began_at) if is_retry else None,
            rested=is_retry,
            only=options.only or None,
            job=self.name,
        )

    async def _sync(self, shared: _Pass, name: str) -> Sequence[End]:
        """Ask a platform with all its credentials at once, each for its own accounts."""
        context = shared.context
        before = shared.before.get(name, PlatformReport()).report
        platforms = context.around.platforms[name]
        due = sum(shared.due[name, platform.credential] for platform in platforms)
        progress = Progress(context, name, before, shared.budget.most(due))
        # Known from the beginning, also of who lets us wait for the first answer.
        progress.tell("")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._sync_as(shared, one, progress)) for one in platforms
                ]
            await self.after_platform(context, name)
        except* StoreUnavailable:
            progress.tell("PostgreSQL")
            raise
        ends = [task.result() for task in tasks]
        if not context.stop.is_requested and all(end.error is None for end in ends):
            # Nothing is left: another run asked for the others that were due.
            progress.total = progress.report.seen
        progress.tell("")
        return ends

    async def _sync_as(self, shared: _Pass, platform: Platform, progress: Progress) -> End:
        """Work through the accounts of one credential; what becomes of others is their affair."""
        context, budget = shared.context, shared.budget
        due = shared.due[platform.name, platform.credential]
        try:
            platform.check_size(budget.most(due))
        except RunError as refusal:
            return End(platform=platform, due=due, error=refusal)
        work = Work(
            platform=platform,
            selection=replace(
                shared.selection, platforms=(platform.name,), credential=platform.credential
            ),
            claim=self.options.claim,
            attempts=self.options.attempts,
            budget=budget,
        )
        work = self.work_on(context, work)
        fanout = Fanout(context, work, progress)
        error = await pass_after_pass(context, fanout, progress, platform)
        if not context.run.options.dry_run:
            await self.after_credential(context, work)
        return End(platform=platform, due=due, error=error, alarm=fanout.alarm)


def pass_of(context: RunContext) -> tuple[datetime, datetime]:
    """Return when a run began, and when the pass did that it makes or goes on with."""
    run = context.run
    assert run.started_at is not None, "a run that was begun has a start"
    # Where the clock was ahead when it began, what it does now would be due again at once.
    began_at = min(run.started_at, context.around.clock.now())
    # A retry goes on with the pass of another run.
    if run.cause is Cause.RETRY and context.cycle_start is not None:
        return began_at, context.cycle_start
    return began_at, began_at


def outlets_of(around: Surroundings, platforms: Sequence[str]) -> Sequence[Outlet]:
    """List the credentials of platforms."""
    return [
        (name, platform.credential) for name in platforms for platform in around.platforms[name]
    ]


def open_at(around: Surroundings, platforms: Sequence[str]) -> Mapping[Outlet, datetime]:
    """Return from when on each credential may be asked for what a pass left undone."""
    soon = around.clock.now() + timedelta(minutes=15)
    return {
        (name, platform.credential): max(soon, platform.paused_until() or soon)
        for name in platforms
        for platform in around.platforms[name]
    }


async def _shares(context: RunContext) -> Mapping[str, PlatformReport]:
    """Return what the run has come to on each platform."""
    run_id = context.run.id
    return (await context.around.stores.runs.platform_reports([run_id]))[run_id]


async def _tell_shares(context: RunContext) -> None:
    for name, share in (await _shares(context)).items():
        context.around.bus.emit(
            PlatformFinished(
                run_id=context.run.id,
                job=context.run.job,
                platform=name,
                report=share.report,
                profiles=share.profiles,
                success_rate=share.success_rate,
                mean_seconds=share.mean_seconds,
            )
        )
