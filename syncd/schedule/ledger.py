"""What the scheduler asks of the ledger of runs, and no more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from syncd.model.run import Fire, Outcome, Run, RunId
from syncd.model.schedule import Known, Registered


class Ledger(Protocol):
    """Keeps every run that was decided; all that the scheduler knows is in it.

    Every method may raise `StoreUnavailable`, and may be repeated then.
    """

    async def settle(
        self, jobs: Sequence[Registered], now: datetime, *, catch_up: Collection[str] = ()
    ) -> Mapping[str, Known]:
        """Keep what config.toml says of each job, and return what is known of it.

        A job that is new, whose schedule changed or that was switched on counts from `now`; not
        so those named in `catch_up`, whose past is still to be decided. A job that is not named is
        off.
        """

    async def claim(self, fires: Sequence[Fire], now: datetime) -> Sequence[Run]:
        """Write down what was decided about fire times, all at once; return those of ours as runs.

        A fire time that another process has, or that began, is left out.
        """

    async def create(self, run: Run) -> RunId:
        """Add a run that nothing else in the ledger asked for and return its number."""

    async def follow(self, run: Run) -> RunId | None:
        """Add a run that repeats or follows `run.origin`; None when there is one that began.

        With a skip reason it is only written down, also over one that waits: asked again, the
        newest decision stands.
        """

    async def recover(self) -> Sequence[Run]:
        """Mark what a dead process left running as interrupted; return all that waits to go on."""

    async def abandon(
        self, run_id: RunId, at: datetime, why: str, outcome: Outcome = Outcome.ABANDONED
    ) -> None:
        """End a run that nobody will go on with."""

    async def verdicts(self, limits: Mapping[str, int | None]) -> Mapping[str, Run]:
        """Return each job's newest run that ended and was about all; `limits` are the jobs' own."""

    async def cycle_start(self, job: str) -> datetime | None:
        """Return when the job's last whole pass began; None when there was none."""
