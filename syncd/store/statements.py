"""Statements about a configured table, on one connection that is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import asyncpg

from syncd.errors import SourceUnfit
from syncd.model.leaderboard import LONGEST_ID, Target
from syncd.store.blocks import fill, load_blocks
from syncd.store.database import Connection, Database, Row, atomic
from syncd.store.fence import Fence
from syncd.store.target import Names, name_target
from syncd.store.translation import translated

_SUBJECTS = ("stage", "apply", "books", "recall")
# A million rows take seconds; a machine that is busy takes longer.
_SECONDS = 600.0
# The deadlines of a COPY are its pages'; this is asyncpg's for all of it.
_COPY_SECONDS = 86_400.0

_T = TypeVar("_T")


class Statements:
    """Runs the blocks of the leaderboards by their names.

    `names` are those of the table, once it was looked at.
    """

    def __init__(
        self, connection: Connection, database: Database, fence: Fence, target: Target
    ) -> None:
        self.connection = connection
        self.database = database
        self.target = target
        self.schema = target.schema or database.settings.schema
        self.place = f"{self.schema}.{target.table}"
        self._fence = fence
        self._names: Names | None = None
        self._sql: dict[str, str] = {}
        for subject in _SUBJECTS:
            self._sql |= load_blocks(f"leaderboard_{subject}")

    @property
    def table(self) -> str:
        """Return the table as statements name it."""
        assert self._names is not None
        return self._names.table["target"]

    @property
    def scores(self) -> list[str]:
        """Return what staged columns of scores are called, in the order of the boards."""
        assert self._names is not None
        return [board["score"] for board in self._names.boards]

    async def look(self) -> None:
        """Look at the table.

        Raises:
            TargetUnfit: it cannot follow the boards.
        """
        self._names = await name_target(self.connection, self.target, self.schema)

    async def hasten(self) -> None:
        """Let the connection be idle inside a transaction no longer."""
        await self.database.hasten(self.connection)

    async def execute(self, block: str, *values: Any, **holes: str) -> int:
        """Run a block and return how many rows it was about."""
        sql = self._filled(block, holes)
        done = await self.connection.execute(sql, *values, timeout=_SECONDS)
        last = done.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def stage(self, *blocks: str) -> None:
        """Run blocks about temporary tables, in one trip: all or none of them.

        Nothing of theirs outlasts the connection, so that no disk is waited for.
        """
        waits = () if self.database.is_pooled else ("wait_for_no_disk",)
        await self._script(*waits, *blocks)

    async def leave(self) -> None:
        """Drop all that was staged, and leave the session as any other is; in one trip."""
        own = () if self.database.is_pooled else ("let_go", "forget_settings", "wait_for_no_disk")
        await self._script(*own, "drop_stage")

    async def row(self, block: str, *values: Any, **holes: str) -> Row:
        """Run a block that has one row, and return it."""
        [row] = await self.rows(block, *values, **holes)
        return row

    async def rows(self, block: str, *values: Any, **holes: str) -> list[Row]:
        """Run a block and return its rows."""
        sql = self._filled(block, holes)
        rows: list[Row] = await self.connection.fetch(sql, *values, timeout=_SECONDS)
        return rows

    async def copy(self, rows: str, lines: AsyncIterator[bytes]) -> None:
        """Fill a temporary table of this transaction with users, in COPY's text format.

        Raises:
            SourceUnfit: an id has more characters than any is to have.
        """
        try:
            await self.connection.copy_to_table(
                rows,
                source=lines,
                columns=["user_id", *self.scores, "told_at"],
                format="text",
                freeze=True,
                timeout=_COPY_SECONDS,
            )
        except asyncpg.StringDataRightTruncationError as exc:
            raise SourceUnfit(
                f"the boards have an id of more than {LONGEST_ID} characters",
                hint=f"set id_length to {LONGEST_ID} or less: who has a longer one is set aside",
            ) from exc

    async def write(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Take a step in a fenced transaction; again where others were in its way.

        Raises:
            LeaseLost: somebody else leads; nothing was written.
        """

        async def once() -> _T:
            with translated(self.database.settings.address):
                async with atomic(self.connection):
                    await self._fence.show(self.connection)
                    return await step()

        return await self.database.repeat(once)

    async def _script(self, *blocks: str) -> None:
        script = "; ".join(self._filled(block, {}).rstrip(";") for block in blocks)
        await self.connection.execute(script, timeout=_SECONDS)

    async def note(self, block: str, *values: Any) -> None:
        """Run a block that shows the epoch, as a transaction of its own; again as with `write`.

        After `values` it is told whether it may end before it is on disk: through a pooler it is
        part of a transaction that may not.

        Raises:
            LeaseLost: somebody else leads; nothing was written.
        """
        sql, is_alone = self._filled(block, {}), not self.database.is_pooled

        async def once() -> None:
            with translated(self.database.settings.address):
                async with nullcontext() if is_alone else atomic(self.connection):
                    await self._fence.written(self.connection, sql, *values, is_alone)

        await self.database.repeat(once)

    def _filled(self, block: str, holes: dict[str, str]) -> str:
        names = self._names
        if names is None:
            return self._sql[block]
        return fill(self._sql[block], {**names.table, **holes}, names.boards)
