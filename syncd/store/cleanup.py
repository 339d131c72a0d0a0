"""What is old is removed, cleared or marked: rule by rule, page by page, each page by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncd.model.run import Report, RunId
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.runs import RunStore

# Some of these look at a whole table, of millions of rows perhaps.
_SECONDS = 600.0
_RETURNED_AT_ONCE = 1_000

Place = tuple[int, int]
START: Place = (0, 0)
"""Where a rule begins."""


class Rule(StrEnum):
    """What is cleaned up, in this order: outcomes go before the runs that they are of."""

    CONTESTS = "contests"
    READ_NOTIFICATIONS = "read_notifications"
    UNREAD_NOTIFICATIONS = "unread_notifications"
    INACTIVE_USERS = "inactive_users"
    EXPIRED_GRANTS = "expired_grants"
    OUTCOMES = "outcomes"
    RUNS = "runs"
    LETTERS = "letters"
    TOMBSTONES = "tombstones_left"

    @property
    def removes(self) -> bool:
        """Whether rows go; else they are changed."""
        return self not in {Rule.INACTIVE_USERS, Rule.EXPIRED_GRANTS}


# Which rows a rule leaves alone however old they are.
_KEPT = {Rule.OUTCOMES: "open_runs_now", Rule.RUNS: "protected_runs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a rule is about: rows of before an instant, but for those of `exceptions`.

    These are empty, or one list: the numbers of runs that are left alone.
    """

    rule: Rule
    before: datetime
    exceptions: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How many users would be marked as inactive, of how many; `newest_login` of anybody."""

    due: int
    users: int
    newest_login: datetime | None


class CleanupStore:
    """Owns the table `cleanup_counts`, and what is old in others.

    A page is one transaction, with its counts; it shows the fence, so that nothing is written once
    somebody else leads. Killed anywhere, a repeated run goes on with what is left.
    """

    def __init__(self, database: Database, runs: RunStore) -> None:
        self._database = database
        self._runs = runs
        self._sql = load_blocks("cleanup")

    async def reference_time(self, now: datetime, run_id: RunId) -> datetime:
        """Return by which time things are old; earlier than `now` where clocks leapt ahead."""
        async with self._database.connection() as connection:
            found: datetime = await connection.fetchval(self._sql["reference_time"], now, run_id)
        return found

    async def aim(self, rule: Rule, before: datetime) -> Aim:
        """Return what a rule is about now."""
        if rule not in _KEPT:
            return Aim(rule=rule, before=before)
        async with self._database.connection() as connection:
            kept = await connection.fetchval(self._sql[_KEPT[rule]], timeout=_SECONDS)
        return Aim(rule=rule, before=before, exceptions=[kept])

    async def weigh(self, before: datetime) -> Weight:
        """Return how much marking inactive users would come to."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["weigh_inactive"], before, timeout=_SECONDS)
        assert row is not None
        return Weight(**row)

    async def return_users(self, after: datetime) -> None:
        """Count those as active again who logged in after an instant; page by page, as all."""
        place: int | None = 0
        while place is not None:
            async with self._runs.fence.transaction(self._database) as connection:
                place = await connection.fetchval(
                    self._sql["return_users"], after, place, _RETURNED_AT_ONCE, timeout=_SECONDS
                )

    async def count(self, aim: Aim) -> int:
        """Count what a rule would do."""
        async with self._database.connection() as connection:
            items: int = await connection.fetchval(
                self._sql[f"count_{aim.rule}"], aim.before, *aim.exceptions, timeout=_SECONDS
            )
        return items

    async def note(self, counts: Mapping[Rule, int], run_id: RunId, at: datetime) -> None:
        """Write down what a dry run counted."""
        report = sum((_report(rule, items) for rule, items in counts.items()), Report())
        async with self._database.transaction() as connection:
            await self._runs.add_report(connection, run_id, report, at)
            await connection.execute(
                self._sql["add_counts"], run_id, list(counts), list(counts.values())
            )

    async def clear(
        self, aim: Aim, after: Place, limit: int, run: tuple[RunId, datetime]
    ) -> tuple[int, Place | None]:
        """Do a page of a rule, of `limit` rows at most, and count it for a run.

        Returns:
            How many rows it was about, and behind which place the next page begins; None: it was
            the last one.

        Raises:
            LeaseLost: somebody else leads; nothing was written.
        """
        run_id, at = run
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                self._sql[f"clear_{aim.rule}"], aim.before, after, limit, *aim.exceptions
            )
            assert row is not None
            items, last = row["items"], row["last"]
            if items:
                # A page of nothing writes nothing: of a large table nearly all are.
                await self._runs.add_report(connection, run_id, _report(aim.rule, items), at)
                await connection.execute(self._sql["add_counts"], run_id, [aim.rule], [items])
        if last is None or last[0] is None:
            return items, None
        return items, (last[0], last[1])

    async def counts_of(self, runs: Sequence[int]) -> Mapping[int, Mapping[str, int]]:
        """Return what each rule came to in these runs; a run of another kind has none."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_counts"], list(runs))
        found: dict[int, dict[str, int]] = {number: {} for number in runs}
        for row in rows:
            found[row["run_id"]][row["rule"]] = row["items"]
        return found


def _report(rule: Rule, items: int) -> Report:
    return Report(deleted=items) if rule.removes else Report(updated=items)
