"""The `leaderboard` kind: make a table of PostgreSQL what the sorted sets of Redis say.

`boards` are its options, `guard` decides what waits for a person, `reconciling` is one pass from
Redis to PostgreSQL, `rehydrating` the way back.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel

from syncd.errors import BadInput
from syncd.jobs.base import JobKind, RunContext
from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.reconciling import reconcile
from syncd.jobs.rehydrating import rehydrate, restore, undo
from syncd.jobs.stop import until_stopped
from syncd.model.run import Ending, Outcome, RunOptions
from syncd.telemetry.purpose import Purpose


class Leaderboard(JobKind[LeaderboardOptions]):
    """Reconcile boards and table, behind a guard."""

    Options: ClassVar[type[BaseModel]] = LeaderboardOptions

    @property
    def purpose(self) -> Purpose:
        """Name the log file."""
        return Purpose.LEADERBOARD

    def check(self, options: RunOptions) -> None:
        """Refuse to reconcile some users only."""
        if options.only or options.platform or options.limit is not None:
            raise BadInput(
                f"job {self.name} cannot be narrowed: boards are reconciled as a whole",
                hint="trigger it without --only, --platform and --limit; --dry-run (or `syncd plan "
                f"{self.name}`) shows what would change",
            )

    async def run(self, context: RunContext) -> Ending:
        """Do what the run is asked for; a stop before the end leaves whole transactions only."""
        acts = {"": reconcile, "rehydrate": rehydrate, "undo": undo, "restore": restore}
        act = acts[context.run.options.act]
        repeat = context.around.stores.database.repeat
        ending = await until_stopped(context.stop, repeat(lambda: act(context, self.options)))
        return ending or Ending(outcome=Outcome.PARTIAL)
