"""The `cleanup` kind: what is old goes, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from syncd.config.duration import Duration, PositiveDuration, parse_duration
from syncd.config.values import EMPTY_IS_NONE
from syncd.errors import BadInput
from syncd.jobs.base import JobKind, RunContext
from syncd.model.run import Ending, Outcome, RunOptions
from syncd.store.cleanup import START, Aim, Place, Rule, Weight
from syncd.telemetry.events import ConditionNoticed, ItemsCleaned
from syncd.telemetry.purpose import Purpose

_LEAST_GUARD = 20
_GUARD_SHARE = 0.01
# When nobody's login was told for so long, it is not the users who stay away.
_LOGINS_STALE = timedelta(days=30)
_SHORTEST = timedelta(days=1)


def _a_day_at_least(age: timedelta) -> timedelta:
    if age < _SHORTEST:
        raise ValueError('must be at least "1d"')
    return age


Age = Annotated[PositiveDuration, AfterValidator(_a_day_at_least)]
MaybeAge = Annotated[Age | None, EMPTY_IS_NONE]


class KeepOptions(BaseModel):
    """How long things are kept; what has no age is kept for good.

    `logins` is how long a user counts as active after the last one, `grants` how long the tokens of
    a grant are kept after it ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contests: MaybeAge = parse_duration("30d")
    read_notifications: MaybeAge = parse_duration("90d")
    unread_notifications: MaybeAge = None
    logins: MaybeAge = parse_duration("180d")
    grants: Annotated[Duration | None, EMPTY_IS_NONE] = parse_duration("0s")
    outcomes: MaybeAge = parse_duration("30d")
    runs: MaybeAge = parse_duration("90d")
    letters: MaybeAge = parse_duration("90d")
    tombstones: MaybeAge = parse_duration("90d")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.runs is not None and (self.outcomes is None or self.outcomes > self.runs):
            raise ValueError("outcomes must not be kept longer than runs: they go with them")
        return self

    def ages(self) -> Mapping[Rule, timedelta]:
        """Return the age of each rule that has one, in the order in which they are followed."""
        ages = {
            Rule.CONTESTS: self.contests,
            Rule.READ_NOTIFICATIONS: self.read_notifications,
            Rule.UNREAD_NOTIFICATIONS: self.unread_notifications,
            Rule.INACTIVE_USERS: self.logins,
            Rule.EXPIRED_GRANTS: self.grants,
            Rule.OUTCOMES: self.outcomes,
            Rule.RUNS: self.runs,
            Rule.LETTERS: self.letters,
            Rule.TOMBSTONES: self.tombstones,
        }
        return {rule: age for rule, age in ages.items() if age is not None}


class CleanupOptions(BaseModel):
    """What [jobs.NAME] of kind "cleanup" takes.

    `batch` is how many rows one transaction looks at. `max_inactive` is how many users one run may
    mark as inactive; None: the larger of 20 and 1 %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: KeepOptions = KeepOptions()
    batch: int = Field(default=1_000, ge=1, le=5_000)
    max_inactive: Annotated[int | None, EMPTY_IS_NONE] = Field(default=None, ge=0)


class Cleanup(JobKind[CleanupOptions]):
    """Follow each rule in turn; what is cut off goes on where it was at the next run."""

    Options: ClassVar[type[BaseModel]] = CleanupOptions

    @property
    def purpose(self) -> Purpose:
        """Name the log file."""
        return Purpose.CLEANUP

    def check(self, options: RunOptions) -> None:
        """Refuse to clean up after some users only."""
        if options.only or options.platform:
            raise BadInput(
                f"job {self.name} cannot be narrowed to users or platforms: its rules are about "
                "everybody",
                hint="trigger it without --only and --platform; --dry-run counts what would go",
            )

    async def run(self, context: RunContext) -> Ending:
        """Follow the rules until all are done, somebody asks to end, or the limit is reached."""
        run, around = context.run, context.around
        if run.options.dry_run and run.report.seen:
            # The process died between the counts and the end of the run.
            return Ending(outcome=Outcome.SUCCEEDED)
        now = around.clock.now()
        reference = await around.stores.cleanup.reference_time(now, run.id)
        _tell_clock(context, now, reference)
        held = await self._follow_all(context, reference)
        if context.stop.is_requested:
            return Ending(outcome=Outcome.PARTIAL)
        if not held:
            return Ending(outcome=Outcome.SUCCEEDED)
        hint = (
            "see that logins are told as they should; if it is right, let it pass by "
            f"max_inactive in [jobs.{self.name}], and take that out afterwards"
        )
        return Ending(outcome=Outcome.HELD, error=held, hint=hint)

    async def _follow_all(self, context: RunContext, reference: datetime) -> str:
        """Follow the rules in turn; say what waits for a person, if anything does."""
        store, options = context.around.stores.cleanup, context.run.options
        left, held = options.limit, ""
        counts: dict[Rule, int] = {}
        for rule, age in self.options.keep.ages().items():
            before = reference - age
            if rule is Rule.INACTIVE_USERS:
                may_mark, held = await self._judge_logins(context, before)
                if not may_mark:
                    continue
            aim = await store.aim(rule, before)
            counts[rule] = await self._follow(context, aim, left)
            left = None if left is None else max(0, left - counts[rule])
            if context.stop.is_requested or left == 0:
                break
        if options.dry_run:
            await store.note(counts, context.run.id, context.around.clock.now())
        return held

    async def _follow(self, context: RunContext, aim: Aim, left: int | None) -> int:
        """Do all pages of a rule (of a dry run: count), and tell what that came to."""
        run, around = context.run, context.around
        is_dry = run.options.dry_run
        if is_dry:
            items = await around.stores.cleanup.count(aim)
        else:
            items = await self._turn_pages(context, aim, left)
        around.bus.emit(
            ItemsCleaned(
                run_id=run.id,
                job=run.job,
                rule=aim.rule,
                items=items,
                before=aim.before,
                dry_run=is_dry,
            )
        )
        return items

    async def _turn_pages(self, context: RunContext, aim: Aim, left: int | None) -> int:
        done, place, batch = 0, START, self.options.batch
        while not context.stop.is_requested and (left is None or done < left):
            limit = batch if left is None else min(batch, left - done)
            items, following = await _page(context, aim, place, limit)
            done += items
            if following is None:
                break
            place = following
        return done

    async def _judge_logins(self, context: RunContext, before: datetime) -> tuple[bool, str]:
        """Return whether users may be marked as inactive, and what a person is to decide."""
        store, now = context.around.stores.cleanup, context.around.clock.now()
        if not context.run.options.dry_run:
            await store.return_users(before)
        weight = await store.weigh(before)
        newest = weight.newest_login
        if newest is None or newest < now - _LOGINS_STALE:
            if weight.due:
                _notice(
                    context,
                    f"nobody becomes inactive: nobody's login was told since {newest:%Y-%m-%d}",
                    "see that [users], or PUT /api/users/KEY, tells last_login_at",
                )
            return False, ""
        held = self._excess(weight)
        return not held, held

    def _excess(self, weight: Weight) -> str:
        most = self.options.max_inactive
        if most is None:
            most = max(_LEAST_GUARD, int(weight.users * _GUARD_SHARE))
        if weight.due <= most:
            return ""
        return (
            f"{weight.due:,} of {weight.users:,} users would become inactive at once (at most "
            f"{most:,} may); nobody was marked"
        )


def _tell_clock(context: RunContext, now: datetime, reference: datetime) -> None:
    if now - reference > _SHORTEST:
        _notice(
            context,
            f"nothing ran between {reference:%Y-%m-%d} and lately, or the clock leapt: only what "
            "was old by then is cleaned up",
            "if the clock is right nothing is to be done: a day later all is cleaned up",
        )


async def _page(
    context: RunContext, aim: Aim, place: Place, limit: int
) -> tuple[int, Place | None]:
    stores, run = context.around.stores, (context.run.id, context.around.clock.now())
    return await stores.database.repeat(lambda: stores.cleanup.clear(aim, place, limit, run))


def _notice(context: RunContext, condition: str, hint: str) -> None:
    context.around.bus.emit(ConditionNoticed(condition=condition, hint=hint))
