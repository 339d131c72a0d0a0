"""Forgetting a user everywhere, and saying where syncd cannot reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncd.daemon.answers import Json
from syncd.daemon.core import Core
from syncd.daemon.drift import KIND
from syncd.errors import NotKnown
from syncd.jobs.boards import LeaderboardOptions
from syncd.model.leaderboard import Target
from syncd.model.pause import PauseScope
from syncd.store.forget import ForgetStore, Forgotten
from syncd.store.traces import Traces


class Forgetting:
    """Takes a user out of running work and out of every table; safe to be cut off and repeated."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._around = core.around
        self._store = ForgetStore(core.database, core.around.stores.runs.fence, core.users)

    async def forget(self, key: str, *, dry_run: bool) -> Json:
        """Remove everything that is stored about a user, or count it.

        Raises:
            NotKnown: nothing is.
        """
        traces = await self._store.find(key)
        if traces.user_id is not None and not dry_run:
            await self._stop(traces)
            await self._around.stores.listening.forget_history(key)
        forgotten = await self._store.forget(traces, self._boards(), dry_run=dry_run)
        removed = {table: count for table, count in forgotten.removed.items() if count}
        if not removed and traces.user_id is None:
            raise NotKnown(
                f"there is no user {key!r}",
                hint="`syncd users list` shows whom syncd knows; mind capitals",
            )
        if not dry_run:
            for place in traces.places:
                self._around.admission.resume(PauseScope.ACCOUNT, place)
        return {
            "key": key,
            "dry_run": dry_run,
            "deleted": not dry_run,
            "accounts": len(traces.accounts),
            "removed": removed,
            "not_reached": list(self._beyond(traces, forgotten)),
        }

    async def _stop(self, traces: Traces) -> None:
        """Let running work stop at the next item, and keep no answer to a refresh."""
        await self._store.stop(traces.key)
        self._around.admission.withdraw(traces.accounts)
        await self._around.grants.forget(traces.accounts)

    def _boards(self) -> Mapping[str, Target]:
        """Return the table of each leaderboard job of config.toml."""
        return {
            schedule.job.name: schedule.job.work.options.target()
            for schedule in self._core.scheduler.schedules()
            if schedule.job.kind == KIND
            and isinstance(schedule.job.work.options, LeaderboardOptions)
        }

    def _beyond(self, traces: Traces, forgotten: Forgotten) -> Iterator[str]:
        """Say where the user may still stand, and who can do something about it."""
        if traces.is_kept:
            yield (
                "key and opt-out stay: the query of [users] named the user, and would bring them "
                "back without the opt-out; take them out there, and forget them again once it ran"
            )
        elif traces.is_mirrored:
            yield "the query of [users] names the user: take them out there, or they are back"
        boards = self._boards()
        if boards:
            yield "Redis: a user who stands on a board is back in the table with the next run"
        for job, target in boards.items():
            if target.schema:
                yield f"table {target} of job {job} is your own: delete the row there"
        for copy in forgotten.kept_copies:
            yield f"table {copy}: config.toml has no job any more that says who stands in it"
        keep = self._core.config.logging
        where = keep.dir or "standard output, and wherever it is kept"
        yield f"log lines that named the user: {where}"
        yield "backups of the database, exports and import files that you made"
