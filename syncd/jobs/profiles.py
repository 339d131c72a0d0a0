"""The `profiles` kind: keep every linked account's profile fresh."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel

from syncd.config.duration import PositiveDuration, parse_duration
from syncd.jobs.base import RunContext, Surroundings
from syncd.jobs.following import Following, FollowingOptions, open_at, pass_of
from syncd.jobs.judgement import CONFIRM_APART
from syncd.jobs.scoring import compute_meanwhile, compute_scores, computing_meanwhile
from syncd.jobs.work import Work
from syncd.store.accounts import Selection
from syncd.telemetry.events import AccountChanged
from syncd.telemetry.purpose import Purpose


class ProfilesOptions(FollowingOptions):
    """What [jobs.NAME] of kind "profiles" takes.

    `sweep` tells whether a platform that can tell of many accounts at once is asked for single ones
    only where it must.
    """

    mode: Literal["full", "catch_up"] = "full"
    fresh_for: PositiveDuration = parse_duration("12h")
    sweep: bool = True


class Profiles(Following[ProfilesOptions]):
    """Fetch, map and store the profiles of every account that is due."""

    Options: ClassVar[type[BaseModel]] = ProfilesOptions
    kind: ClassVar[str] = "profiles"

    @property
    def purpose(self) -> Purpose:
        """Name the log file: GitHub alone has one of its own, as the system it replaces had."""
        is_github = set(self.options.platforms) == {"github"}
        return Purpose.GITHUB if is_github else Purpose.PROFILE_UPDATE

    def select(self, context: RunContext) -> Selection:
        """Say which accounts a run is about: what another job got is as good, while it is fresh."""
        options = context.run.options
        selection = super().select(context)
        _, pass_began_at = pass_of(context)
        if self.options.mode == "catch_up" and not options.full:
            needed_since = self.needed_since(pass_began_at)
            selection = replace(selection, without_success_since=needed_since)
        if options.full or options.only:
            return selection
        return replace(selection, covered_since=pass_began_at - self.options.fresh_for)

    def needed_since(self, began_at: datetime, by: str = "") -> datetime:
        """Return since when an account must have had a success for a pass to be through with it.

        What another job over the same accounts got is as good as long as it is fresh.
        """
        is_spared = self.options.mode == "catch_up" or by not in {"", self.name}
        return began_at - self.options.fresh_for if is_spared else began_at

    def work_on(self, context: RunContext, work: Work) -> Work:
        """Sweep, but not where a person wants answers about these accounts now."""
        asked_for = context.run.options.full or context.run.options.only
        sweeps = self.options.sweep and not asked_for and work.platform.can_sweep
        return replace(work, sweeps=sweeps)

    def meanwhile(
        self, context: RunContext, platforms: Sequence[str]
    ) -> AbstractAsyncContextManager[None]:
        """Compute scores: one slow platform must not hold back what the others said."""
        return computing_meanwhile(context, platforms)

    async def after_platform(self, context: RunContext, platform: str) -> None:
        """Compute scores."""
        await compute_meanwhile(context, [platform])

    async def after_all(self, context: RunContext) -> None:
        """Compute scores."""
        if not context.run.options.dry_run:
            await compute_scores(context.around)

    async def after_credential(self, context: RunContext, work: Work) -> None:
        """Call accounts gone that were not found twice."""
        name = work.platform.name
        accounts = context.around.stores.accounts
        for account in await accounts.confirm_missing(work.selection, name, CONFIRM_APART):
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
        return await context.stores.accounts.next_retry(
            self.kind,
            self.needed_since(cycle_start),
            open_at(context, self.platforms),
            (self.name, cycle_start - self.options.fresh_for),
        )
