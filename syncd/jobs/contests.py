"""The `contests` kind: what platforms announce, and what became of it.

`looker` looks at one source. With `within` a run asks only platforms of whom something starts
soon: most contests that move do so shortly before, some are told only after their old start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from syncd.config.duration import Duration, parse_duration
from syncd.errors import BadInput
from syncd.jobs.base import JobKind, RunContext, Surroundings
from syncd.jobs.looker import Looked, Looker
from syncd.model.run import Cause, Ending, Outcome, RunOptions
from syncd.telemetry.events import ContestsSought, PlatformFinished
from syncd.telemetry.purpose import Purpose

SECOND = "clist"


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


class ContestsOptions(BaseModel):
    """What [jobs.NAME] of kind "contests" takes.

    `second_source` tells of contests of all these platforms besides. With `within` only platforms
    are asked of whom something starts so soon. `attempts` is how many requests each is worth at
    most; contests that ended longer than `recent` ago are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platforms: tuple[str, ...] = Field(
        default=("codeforces", "leetcode", "codechef", "atcoder"), min_length=1
    )
    second_source: Literal["", "clist"] = ""
    within: Annotated[Duration | None, BeforeValidator(_none_if_empty)] = None
    attempts: int = Field(default=3, gt=0, le=10)
    recent: Duration = parse_duration("30d")

    @field_validator("platforms")
    @classmethod
    def _are_platforms(cls, platforms: tuple[str, ...]) -> tuple[str, ...]:
        if SECOND in platforms:
            raise ValueError(f'{SECOND} lists the contests of others: second_source = "{SECOND}"')
        return platforms


class Contests(JobKind[ContestsOptions]):
    """Ask every platform what it announces, side by side; none's failure hurts another."""

    Options: ClassVar[type[BaseModel]] = ContestsOptions

    @property
    def purpose(self) -> Purpose:
        """Name the log file."""
        return Purpose.CONTESTS

    @property
    def platforms(self) -> tuple[str, ...]:
        """Name the sources that a run asks, the second one last."""
        second = self.options.second_source
        return (*self.options.platforms, second) if second else self.options.platforms

    def check(self, options: RunOptions) -> None:
        """Refuse to narrow a run to users, or to so many contests."""
        super().check(options)
        if options.only or options.limit is not None:
            raise BadInput(
                f"job {self.name} is about contests: it cannot be narrowed to users or by a limit",
                hint="trigger it without --only and --limit; --platform P asks one platform only",
            )

    async def run(self, context: RunContext) -> Ending:
        """Look at each source once; a run that is gone on with leaves out those it is through with.

        The second source comes after the platforms: theirs is the first word.
        """
        run, around = context.run, context.around
        sources = await self._sources(context)
        if not sources:
            return Ending(outcome=Outcome.SUCCEEDED)
        around.bus.emit(
            ContestsSought(
                run_id=run.id,
                job=run.job,
                cause=run.cause,
                sources=tuple(sources),
                dry_run=run.options.dry_run,
            )
        )
        looked = await _looked_before(context, sources)
        done = {each.source for each in looked}
        left = [name for name in sources if name not in done]
        second = [name for name in left if name == self.options.second_source]
        looked += await self._look(context, [name for name in left if name not in second])
        looked += await self._look(context, second)
        await _tell_shares(context)
        return _ending(looked)

    async def next_retry(self, context: Surroundings, cycle_start: datetime) -> datetime | None:
        """Return when the first platform may be tried again whose last look failed."""
        del cycle_start
        failing = await context.stores.contests.failing(self.platforms)
        return min(failing.values(), default=None)

    async def _sources(self, context: RunContext) -> list[str]:
        """Name who is asked, in the order of config.toml."""
        run, contests = context.run, context.around.stores.contests
        sources = [run.options.platform] if run.options.platform else list(self.platforms)
        if run.cause is Cause.RETRY and run.origin is None:
            failing = await contests.failing(sources)
            sources = [name for name in sources if name in failing]
        if self.options.within is None:
            return sources
        now = context.around.clock.now()
        near = await contests.near(self.options.platforms, now, self.options.within)
        if near and self.options.second_source:
            near.add(self.options.second_source)
        return [name for name in sources if name in near]

    async def _look(self, context: RunContext, sources: Sequence[str]) -> list[Looked]:
        """Look at sources side by side; once the run should stop, none has longer than a grace."""
        lookers = [Looker(context, name, self.options) for name in sources]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(looker.look()) for looker in lookers]
            watcher = group.create_task(_cancel_after_grace(context, tasks))
            await asyncio.wait(tasks) if tasks else None
            watcher.cancel()
        return [
            Looked(source=name) if task.cancelled() else task.result()
            for name, task in zip(sources, tasks, strict=True)
        ]


async def _looked_before(context: RunContext, sources: Sequence[str]) -> list[Looked]:
    """Return what the run is through with already, before whatever cut it off."""
    stores, run = context.around.stores, context.run
    done = (await stores.runs.platform_reports([run.id]))[run.id]
    if not done:
        return []
    errors = {look["source"]: look["error"] for look in await stores.contests.looks()}
    return [
        Looked(source=name, error=errors.get(name, "") if done[name].report.failed else "")
        for name in sources
        if name in done
    ]


async def _cancel_after_grace(context: RunContext, tasks: Sequence[asyncio.Task[Looked]]) -> None:
    await context.stop.wait()
    await context.around.clock.sleep(context.stop.grace_seconds)
    for task in tasks:
        task.cancel()


async def _tell_shares(context: RunContext) -> None:
    """Tell what the run came to at each source, all its parts together."""
    run, around = context.run, context.around
    for name, share in (await around.stores.runs.platform_reports([run.id]))[run.id].items():
        around.bus.emit(
            PlatformFinished(
                run_id=run.id,
                job=run.job,
                platform=name,
                report=share.report,
                profiles=share.profiles,
                success_rate=share.success_rate,
                mean_seconds=share.mean_seconds,
            )
        )


def _ending(looked: Sequence[Looked]) -> Ending:
    """Tell how the run ended: failed where nobody could be asked, partial where somebody could."""
    bad = [each for each in looked if each.error]
    remarks = "; ".join(each.remark for each in looked if each.remark)
    if not bad:
        # Rows that failed make the run partial.
        return Ending(outcome=Outcome.SUCCEEDED, error=remarks)
    good = len(looked) - len(bad)
    told = "; ".join([*(each.error for each in bad), *filter(None, [remarks])])
    return Ending(
        outcome=Outcome.PARTIAL if good else Outcome.FAILED,
        error=f"{good} of {len(looked)} platforms: {told}" if len(looked) > 1 else told,
        hint=next((each.hint for each in bad if each.hint), ""),
        retryable=any(each.retryable for each in bad),
    )
