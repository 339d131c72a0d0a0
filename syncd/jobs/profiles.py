"""The `profiles` kind: keep every linked account's profile fresh."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from syncd.config.duration import PositiveDuration, parse_duration
from syncd.errors import CredentialsRejected, RateLimited, RunError, StoreUnavailable, SyncdError
from syncd.jobs.base import JobKind, RunContext, Surroundings
from syncd.jobs.clocks import forget_ahead
from syncd.jobs.fanout import Fanout
from syncd.jobs.judgement import CONFIRM_APART
from syncd.jobs.passes import pass_after_pass
from syncd.jobs.progress import Progress
from syncd.jobs.scoring import compute_meanwhile, compute_scores, computing_meanwhile
from syncd.jobs.stop import StopReason
from syncd.jobs.work import Budget, Work
from syncd.model.run import Cause, Ending, Outcome, PlatformReport
from syncd.platforms.base import Platform
from syncd.store.accounts import Outlet, Selection
from syncd.telemetry.events import AccountChanged, PlatformFinished
from syncd.telemetry.purpose import Purpose

_KIND = "profiles"


class ProfilesOptions(BaseModel):
    """What [jobs.NAME] of kind "profiles" takes.

    `claim` is the most accounts of one platform between being claimed and being committed,
    `attempts` how often a run asks for an account that fails for a passing reason, `sweep` whether
    a platform that can tell of many accounts at once is asked for single ones only where it must.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platforms: tuple[str, ...] = Field(min_length=1)
    mode: Literal["full", "catch_up"] = "full"
    claim: int = Field(default=100, gt=0, le=10_000)
    attempts: int = Field(default=3, gt=0, le=10)
    fresh_for: PositiveDuration = parse_duration("12h")
    sweep: bool = True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How it ended with one credential; `error` None: nothing kept it from being finished.

    `alarm` is the first answer about somebody else.
    """

    platform: Platform
    due: int
    error: SyncdError | None = None
    alarm: SyncdError | None = None


class Profiles(JobKind[ProfilesOptions]):
    """Fetch, map and store the profiles of every account that is due."""

    Options: ClassVar[type[BaseModel]] = ProfilesOptions
    is_item_driven: ClassVar[bool] = True

    @property
    def purpose(self) -> Purpose:
        """Name the log file: GitHub alone has one of its own, as the system it replaces had."""
        is_github = set(self.options.platforms) == {"github"}
        return Purpose.GITHUB if is_github else Purpose.PROFILE_UPDATE

    @property
    def platforms(self) -> tuple[str, ...]:
        """Name the platforms a run asks."""
        return self.options.platforms

    async def run(self, context: RunContext) -> Ending:
        """Work through every platform at the same time; what is left stays due."""
        selection = self._selection(context)
        accounts = context.around.stores.accounts
        await forget_ahead(context.around)
        await accounts.enroll(_KIND, _outlets(context.around, selection.platforms))
        limit, seen = context.run.options.limit, context.run.report.seen
        shared = _Pass(
            context=context,
            selection=selection,
            before=await _shares(context) if seen else {},
            due=await accounts.count_due(selection),
            budget=Budget(None if limit is None else max(0, limit - seen)),
        )
        names = selection.platforms
        async with computing_meanwhile(context, names), asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._sync(shared, name)) for name in names]
        if context.stop.reason is not StopReason.DRAIN and (seen or shared.due):
            await _tell_shares(context)
        if not context.run.options.dry_run:
            await compute_scores(context.around)
        return _ending([end for task in tasks for end in task.result()])

    def _selection(self, context: RunContext) -> Selection:
        run, options = context.run, context.run.options
        assert run.started_at is not None, "a run that was begun has a start"
        # Where the clock was ahead when it began, what it does now would be due again at once.
        began_at = min(run.started_at, context.around.clock.now())
        # A retry goes on with the pass of another run.
        pass_began_at = context.cycle_start or began_at if run.cause is Cause.RETRY else began_at
        since: datetime | None = None
        if run.cause is Cause.RETRY or (self.options.mode == "catch_up" and not options.full):
            since = self.needed_since(pass_began_at)
        asks_anew = options.full or options.only
        wanted = (options.platform,) if options.platform else self.options.platforms
        unknown = set(wanted) - set(self.options.platforms)
        if unknown:
            raise RunError(
                f"job {self.name} does not read {', '.join(sorted(unknown))}",
                hint=f"it reads {', '.join(self.options.platforms)}",
            )
        return Selection(
            kind=_KIND,
            platforms=wanted,
            began_at=began_at,
            without_success_since=since,
            rested=run.cause is Cause.RETRY,
            only=options.only or None,
            job=self.name,
            covered_since=None if asks_anew else pass_began_at - self.options.fresh_for,
        )

    def needed_since(self, began_at: datetime, by: str = "") -> datetime:
        """Return since when an account must have had a success for a pass to be through with it.

        What another job over the same accounts got is as good as long as it is fresh.
        """
        is_spared = self.options.mode == "catch_up" or by not in {"", self.name}
        return began_at - self.options.fresh_for if is_spared else began_at

    async def _sync(self, shared: _Pass, name: str) -> Sequence[_End]:
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
            # Others may take hours yet.
            await compute_meanwhile(context, [name])
        except* StoreUnavailable:
            progress.tell("PostgreSQL")
            raise
        ends = [task.result() for task in tasks]
        if not context.stop.is_requested and all(end.error is None for end in ends):
            # Nothing is left: another run asked for the others that were due.
            progress.total = progress.report.seen
        progress.tell("")
        return ends

    async def _sync_as(self, shared: _Pass, platform: Platform, progress: Progress) -> _End:
        """Work through the accounts of one credential; what becomes of others is their affair."""
        context, budget = shared.context, shared.budget
        due = shared.due[platform.name, platform.credential]
        try:
            platform.check_size(budget.most(due))
        except RunError as refusal:
            return _End(platform=platform, due=due, error=refusal)
        work = Work(
            platform=platform,
            selection=replace(
                shared.selection, platforms=(platform.name,), credential=platform.credential
            ),
            claim=self.options.claim,
            attempts=self.options.attempts,
            budget=budget,
            sweeps=self._sweeps(context, platform),
        )
        fanout = Fanout(context, work, progress)
        error = await pass_after_pass(context, fanout, progress, platform)
        if not context.run.options.dry_run:
            await self._confirm_missing(context, work.selection, platform.name)
        return _End(platform=platform, due=due, error=error, alarm=fanout.alarm)

    def _sweeps(self, context: RunContext, platform: Platform) -> bool:
        """Tell whether to sweep: not where a person wants answers about these accounts now."""
        asked_for = context.run.options.full or context.run.options.only
        return self.options.sweep and not asked_for and platform.can_sweep

    async def _confirm_missing(self, context: RunContext, selection: Selection, name: str) -> None:
        gone = await context.around.stores.accounts.confirm_missing(selection, name, CONFIRM_APART)
        for account in gone:
            context.around.bus.emit(
                AccountChanged(
                    platform=name,
                    account_id=account["id"],
                    user_key=account["user_key"],
                    change="gone",
                    detail=f"{account['handle']} was not found twice, 12 h apart",
                )
            )

    async def next_retry(self, context: Surroundings, cycle_start: datetime) -> datetime | None:
        """Return when something the last pass left undone may be tried again."""
        soon = context.clock.now() + timedelta(minutes=15)
        return await context.stores.accounts.next_retry(
            _KIND,
            self.needed_since(cycle_start),
            {
                (name, platform.credential): max(soon, platform.paused_until() or soon)
                for name in self.platforms
                for platform in context.platforms[name]
            },
            (self.name, cycle_start - self.options.fresh_for),
        )


def _outlets(around: Surroundings, platforms: Sequence[str]) -> Sequence[Outlet]:
    return [
        (name, platform.credential) for name in platforms for platform in around.platforms[name]
    ]


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


def _ending(ends: Sequence[_End]) -> Ending:
    """Tell how the run ended: failed where everybody refused, partial where one did."""
    halted = [end for end in ends if end.error is not None]
    errors = [end.error for end in halted if end.error is not None]
    alarms = [end.platform.naming(str(end.alarm)) for end in ends if end.alarm is not None]
    if not errors:
        # Who failed makes the run partial; what is alarming about it is said in words.
        return Ending(outcome=Outcome.SUCCEEDED, error="; ".join(alarms))
    refused = [error for error in errors if not isinstance(error, RateLimited)]
    # Who had nothing to ask for has proved nothing.
    asked = [end for end in ends if end.due or end.error is not None]
    hints = [error.hint for error in errors if error.hint]
    return Ending(
        outcome=Outcome.FAILED if len(refused) == len(asked) else Outcome.PARTIAL,
        error="; ".join([*map(_in_words, halted), *alarms]),
        hint=hints[0] if hints else "what was not asked stays due",
        retryable=any(error.retryable for error in errors),
    )


def _in_words(end: _End) -> str:
    # A refusal names the credential by itself, and is told in the same words everywhere.
    words = str(end.error)
    is_refusal = isinstance(end.error, CredentialsRejected)
    return words if is_refusal else end.platform.naming(words)
