"""Scores: whose are due, and the computing of them out of stored numbers, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic_core import to_json

from syncd.model.account import AccountId
from syncd.model.score import (
    Numbers,
    Parameters,
    parameters_json,
    score_part,
    total,
    version_of,
)
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row
from syncd.store.fence import Fence

_PAGE = 1_000
# Users that are computed before others get their turn on the loop.
_AT_ONCE = 100
_START = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """How far a computation has come: `done` of `total` users, of whom so many scores are others.

    `removed` users have no part left, and no score any more.
    """

    total: int = 0
    done: int = 0
    changed: int = 0
    removed: int = 0


@dataclass(slots=True)
class _Page:
    """Scores of some users who were due, on their way into the store."""

    first: int
    last: int
    users: int = 0
    marks: list[int] = field(default_factory=list)
    scores: list[tuple[int, float, str]] = field(default_factory=list)
    without: list[int] = field(default_factory=list)


class ScoreStore:
    """Owns `user_scores`, `score_formulas` and `score_due`.

    What changes a score marks its user in the same transaction, so that nothing is lost if the
    process ends before `compute`. All writes but marks are refused with `LeaseLost` once somebody
    else leads.

    Args:
        database: where.
        parameters: of the formula; `adopt` takes others.
        fence: that of this process.
    """

    def __init__(
        self, database: Database, parameters: Parameters, fence: Fence | None = None
    ) -> None:
        self._database = database
        self._parameters = parameters
        self._fence = fence or Fence()
        # Two computations at a time could put an older score over a newer one.
        self._turn = asyncio.Lock()
        self._sql = load_blocks("scores")

    @property
    def version(self) -> str:
        """Return the name of the formula with its parameters."""
        return version_of(self._parameters)

    def adopt(self, parameters: Parameters) -> None:
        """Compute with other parameters from the next page on."""
        self._parameters = parameters

    def counts(self, platform: str) -> bool:
        """Tell whether a platform is a part of the score."""
        return platform in self._parameters

    async def find_failing(
        self, connection: Connection, kind: str, accounts: Sequence[AccountId]
    ) -> set[AccountId]:
        """Return which of these accounts failed with their last attempt, in a transaction."""
        rows = await connection.fetch(self._sql["find_failing"], kind, accounts)
        return {AccountId(row["account_id"]) for row in rows}

    async def mark(self, connection: Connection, accounts: Iterable[AccountId]) -> None:
        """Let the scores of these accounts' users be due, with what changes them."""
        if numbers := list(accounts):
            await connection.execute(self._sql["mark_due"], numbers)

    async def mark_everybody(self) -> None:
        """Let every score be due, except those of users who opted out."""
        await self._mark_other_than("")

    async def mark_outdated(self) -> None:
        """Let every score be due that was computed with other parameters, or never."""
        await self._mark_other_than(self.version)

    async def _mark_other_than(self, version: str) -> None:
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["mark_outdated"], version, list(self._parameters))

    async def compute(
        self, at: datetime, on_page: Callable[[Computed], None] = lambda _: None
    ) -> Computed:
        """Compute every score that is due, a thousand at a time; one after the other caller.

        A page that was written is done with, whatever becomes of the rest; safe to repeat.

        Raises:
            LeaseLost: somebody else leads; nothing was written since.
        """
        async with self._turn:
            async with self._database.connection() as connection:
                due: int = await connection.fetchval(self._sql["count_due"])
            computed, behind = Computed(total=due), _START
            on_page(computed)
            while rows := await self._read_due(behind):
                was_counted = rows[0]["user_id"] == behind[0]
                computed = await self._compute_page(rows, at, computed, was_counted)
                behind = rows[-1]["user_id"], max(rows[-1]["marks"])
                on_page(computed)
            return computed

    async def _read_due(self, behind: tuple[int, int]) -> list[Row]:
        async with self._database.connection() as connection:
            return await connection.fetch(
                self._sql["read_due"], *behind, _PAGE, list(self._parameters)
            )

    async def _compute_page(
        self, rows: Sequence[Row], at: datetime, before: Computed, was_counted: bool
    ) -> Computed:
        """Compute a page; whether its first user had marks on the last one is in `was_counted`."""
        parameters = self._parameters
        page = _Page(first=rows[0]["user_id"], last=rows[-1]["user_id"])
        for user, accounts in _by_user(rows):
            _score(page, user, accounts, parameters)
            if page.users % _AT_ONCE == 0:
                await asyncio.sleep(0)
        changed, removed = await self._database.repeat(lambda: self._write(page, parameters, at))
        done = before.done + page.users - was_counted
        return Computed(
            total=max(before.total, done),
            done=done,
            changed=before.changed + changed,
            removed=before.removed + removed,
        )

    async def _write(self, page: _Page, parameters: Parameters, at: datetime) -> tuple[int, int]:
        version = version_of(parameters)
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(
                self._sql["keep_formula"], version, parameters_json(parameters), at
            )
            columns = [[score[place] for score in page.scores] for place in range(3)]
            changed = await connection.fetch(self._sql["upsert_scores"], *columns, version, at)
            removed = await connection.fetch(self._sql["drop_scores"], page.without)
            await connection.execute(self._sql["settle_due"], page.first, page.last, page.marks)
        return len(changed), len(removed)

    async def read(self, key: str) -> dict[str, Any] | None:
        """Return a user's score as it is stored, with the parameters behind it, and if it is due.

        None where there is no such user; without a score `total` is None.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["read_score"], key)
        return None if row is None else dict(row)

    async def highest(self, limit: int | None) -> dict[str, float]:
        """Return the users with the highest totals by key, the highest first; None: everybody."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["highest_totals"], limit)
        return {row["key"]: row["total"] for row in rows}


def _by_user(rows: Sequence[Row]) -> Iterator[tuple[int, list[Row]]]:
    for user, group in groupby(rows, key=itemgetter("user_id")):
        yield user, list(group)


def _score(page: _Page, user: int, accounts: Sequence[Row], parameters: Parameters) -> None:
    """Add a user's score to a page; who is not followed stays as they are."""
    page.users += 1
    page.marks += accounts[0]["marks"]
    if not accounts[0]["is_followed"]:
        return
    parts = {
        row["platform"]: part
        for row in accounts
        if row["platform"] is not None
        and (part := score_part(parameters[row["platform"]], _numbers(row))) is not None
    }
    if not parts:
        page.without.append(user)
        return
    text = to_json({name: part.as_json() for name, part in parts.items()}).decode()
    page.scores.append((user, total(parts), text))


def _numbers(row: Row) -> Numbers:
    return Numbers(
        rating=row["rating"],
        solved=row["solved"],
        solved_by=row["solved_by"],
        as_of=row["as_of"],
        is_stale=row["is_stale"],
    )
