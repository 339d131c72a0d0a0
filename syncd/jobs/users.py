"""The `users` kind: make syncd's users what the platform's own database says.

The job `users` exists when [users] has a query. What the query says is applied as a whole or not
at all: a result that cannot be right, or that would remove more than the guard allows, changes
nothing and fails the run with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel

from syncd.config.models import Users as UsersOptions
from syncd.errors import BadInput, SuspiciousPlan
from syncd.jobs.base import JobKind, RunContext
from syncd.jobs.columns import KEY, Columns, Keys
from syncd.jobs.scoring import compute_scores
from syncd.jobs.stop import until_stopped
from syncd.model.run import Ending, Outcome, Report, RunOptions
from syncd.platforms.base import Platform
from syncd.store.mirror import Mirrored, Stage, Weight
from syncd.store.source import Source, SourceQuery
from syncd.telemetry.events import RunProgressed
from syncd.telemetry.purpose import Purpose

_LEAST_GUARD = 20
_GUARD_SHARE = 0.01
# Of few users twenty are all: beyond this many held, a share bounds too.
_FEW = 5
_MOST_SHARE = 0.2


class Users(JobKind[UsersOptions]):
    """Mirror sign-ups, links, last logins and disconnects."""

    Options: ClassVar[type[BaseModel]] = UsersOptions

    @property
    def purpose(self) -> Purpose:
        """Name the log file."""
        return Purpose.CRON

    async def run(self, context: RunContext) -> Ending:
        """Read, compare and apply; a stop before the end leaves everything as it was."""
        if context.run.report.seen:
            # The process died between the commit and the end of the run.
            return Ending(outcome=Outcome.SUCCEEDED)
        repeat = context.around.stores.database.repeat
        ending = await until_stopped(context.stop, repeat(lambda: self._mirror(context)))
        if ending is None:
            return Ending(outcome=Outcome.PARTIAL)
        if not context.run.options.dry_run:
            await compute_scores(context.around)
        return ending

    def check(self, options: RunOptions) -> None:
        """Refuse to mirror some users only."""
        if options.only or options.platform or options.limit is not None:
            raise BadInput(
                "job users cannot be narrowed: its query is about everybody",
                hint="trigger it without --only, --platform and --limit; "
                "--dry-run shows what changes",
            )

    async def _mirror(self, context: RunContext) -> Ending:
        platforms = {name: group[0] for name, group in context.around.platforms.items()}
        async with context.around.stores.mirror.stage() as stage:
            named = await self._read(context, stage, platforms)
            await _refuse_impossible(stage, platforms)
            await stage.plan_users()
            await self._guard(stage, named)
            unnamed = await stage.count_unnamed([name for name in platforms if name not in named])
            run, clock = context.run, context.around.clock
            mirrored = await stage.apply(run.id, clock.now(), dry_run=run.options.dry_run)
        return _settle(context, mirrored, unnamed)

    async def _read(
        self, context: RunContext, stage: Stage, platforms: Mapping[str, Platform]
    ) -> list[str]:
        """Stage everything the query returns; return the platforms it tells about."""
        keys, rows = Keys(), 0
        async with Source(self._query(context)) as source:
            columns = Columns(source.columns, platforms)
            async for page in source.pages():
                keyed = [(key, row) for row in page if (key := keys.checked(row[KEY])) is not None]
                await stage.add(
                    [columns.user(row, key) for key, row in keyed],
                    [link for key, row in keyed for link in columns.links(row, key)],
                )
                rows += len(page)
                _tell(context, rows, "")
        _tell(context, rows, "the database to store what changed")
        keys.check(*await stage.duplicates())
        await stage.plan_links(columns.platforms)
        return columns.platforms

    def _query(self, context: RunContext) -> SourceQuery:
        own = context.around.stores.database.settings.address
        return SourceQuery(
            place="[users]",
            text=self.options.query,
            address=self.options.address() or own,
            timeout=self.options.timeout,
        )

    async def _guard(self, stage: Stage, platforms: list[str]) -> None:
        """Refuse a plan that looks like an accident.

        Raises:
            SuspiciousPlan: the query named nobody, or too much would be removed.
        """
        named, users = await stage.weigh_users()
        if not named and users.held:
            raise SuspiciousPlan(
                f"[users] query returned nobody, {users.held:,} users are mirrored; "
                "nothing was changed",
                hint="mend query or its source; to end the mirror, empty query in [users]",
            )
        found = self._excess("remove", "users", users)
        found += self._excess("opt out", "users", await stage.weigh_opt_outs())
        for platform, weight in (await stage.weigh_links(platforms)).items():
            found += self._excess("remove", f"{platform} links", weight)
        if found:
            most = max(weight for _, weight in found)
            raise SuspiciousPlan(
                f"[users] query would {' and '.join(words for words, _ in found)}; "
                "nothing was changed",
                hint="mend query or its source; if it is right, let it pass by "
                f"max_removed = {most} in [users], and take that out afterwards",
            )

    def _excess(self, verb: str, what: str, weight: Weight) -> list[tuple[str, int]]:
        """Say what a plan would remove beyond the allowed number; empty where it would not."""
        most = self.options.max_removed
        if most is None:
            most = max(_LEAST_GUARD, int(weight.held * _GUARD_SHARE))
            if weight.held > _FEW:
                most = min(most, int(weight.held * _MOST_SHARE))
        if weight.removed <= most:
            return []
        share = f"{weight.removed:,} of {weight.held:,} {what}"
        return [(f"{verb} {share} (at most {most:,} are allowed)", weight.removed)]


async def _refuse_impossible(stage: Stage, platforms: Mapping[str, Platform]) -> None:
    """Set aside links to handles that cannot exist on their platform."""
    async for links in stage.new_links():
        refused = [link for link in links if not platforms[link[1]].accepts(link[2])]
        if refused:
            await stage.refuse(refused)


def _settle(context: RunContext, mirrored: Mirrored, unnamed: Mapping[str, int]) -> Ending:
    """Let what is stored reach running work; say what a person should look at."""
    is_dry = context.run.options.dry_run
    if not is_dry:
        context.around.admission.withdraw(mirrored.withdrawn)
        context.around.admission.readmit(mirrored.readmitted)
    hints = [
        f"query has no column {name}, {_some(links, 'mirrored user is', 'mirrored users are')} "
        "linked there and stay so"
        for name, links in unnamed.items()
    ]
    if not mirrored.report.seen:
        # Where somebody is mirrored already the guard has refused it.
        hints.append("query returned nobody, and nobody is mirrored yet: is it right?")
    skipped = mirrored.report.skipped
    if skipped:
        # What a dry run wrote down is undone with the rest.
        which = "" if is_dry else f": /api/runs/{context.run.id}/items lists them"
        some = _some(skipped, "user has", "users have")
        hints.append(f"{some} a handle that cannot exist on its platform{which}")
    return Ending(outcome=Outcome.SUCCEEDED, hint="; ".join(hints))


def _some(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _tell(context: RunContext, rows: int, waits_for: str) -> None:
    context.around.bus.emit(
        RunProgressed(
            run_id=context.run.id,
            job=context.run.job,
            platform="users",
            done=rows,
            total=rows,
            report=Report(),
            rate=0.0,
            eta_seconds=None,
            waits_for=waits_for,
        )
    )
