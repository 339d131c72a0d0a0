"""Changes of the table: written set-wise, and taken apart where PostgreSQL refuses one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import asyncpg

from syncd.errors import TargetUnfit
from syncd.store.counts import Tally
from syncd.store.database import atomic
from syncd.store.statements import Statements

# What a check, a trigger or another unique index of the table says about one row.
_REFUSED = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.PLPGSQLError,
    asyncpg.WithCheckOptionViolationError,
    asyncpg.ProgramLimitExceededError,
)
_LARGE_SHARE = 0.1
# If it refuses more than that, it is not the users who are at fault.
_MOST_REFUSED = 1_000
_REASON_CHARACTERS = 200
_COUNTED = {
    "create_rows": "created",
    "update_rows": "updated",
    "delete_rows": "deleted",
    "put_back": "created",
    "set_back": "updated",
}

# What to do instead where somebody else came first.
_CAUTIOUS = {"create_rows": "create_others"}

_Place = tuple[int, int]
# Behind every block that a table can have.
_END: _Place = (2**32 - 1, 0)
_T = TypeVar("_T")


class _Spoiled(Exception):
    """Ends a transaction in which a row is refused that no savepoint stands before."""


class Planned(NamedTuple):
    """`number` rows of a temporary table, named by their acts, that a statement is to be about.

    The statement takes where they begin and end, the acts, and `values`.
    """

    block: str
    rows: str
    acts: tuple[str, ...]
    number: int
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stroke:
    """What is written by one statement: of the planned rows those from `first` up to `end`."""

    planned: Planned
    first: _Place
    end: _Place


class Changes:
    """Writes rows of temporary tables, `batch` at most in one transaction where they are many.

    `holes` are those of its statements.
    """

    def __init__(self, statements: Statements, batch: int, **holes: str) -> None:
        self._do = statements
        self._is_careful = False
        self._batch = batch
        self._holes = holes
        self._refused = 0

    async def carry_out(
        self,
        planned: Sequence[Planned],
        base: int,
        count: Callable[[Tally], Awaitable[None]],
        close: Callable[[Tally, Tally], Awaitable[_T]],
    ) -> _T:
        """Write everything in one transaction, or in several where it is much of `base` rows.

        The last one ends with `close`, which is told what was done before it and in it; each other
        one ends with `count`.
        """
        *early, last = await self._batches(planned, base)
        before = Tally()
        for batch in early:
            before += await self._write_once(partial(self._counted, batch, count))

        async def end() -> _T:
            return await close(before, await self._written(last))

        return await self._write_once(end)

    async def _write_once(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Take a step in a transaction; where a row of it is refused, carefully from then on.

        A savepoint for each statement costs two trips, and hardly ever is one needed.
        """
        try:
            return await self._do.write(step)
        except _Spoiled:
            self._is_careful = True
            return await self._do.write(step)

    async def _counted(
        self, strokes: Sequence[_Stroke], count: Callable[[Tally], Awaitable[None]]
    ) -> Tally:
        tally = await self._written(strokes)
        await count(tally)
        return tally

    async def _batches(self, planned: Sequence[Planned], base: int) -> list[list[_Stroke]]:
        """Return what to write in each transaction; there is always a last one."""
        total = sum(each.number for each in planned)
        is_large = total > self._batch and total > base * _LARGE_SHARE
        strokes: list[_Stroke] = []
        for each in planned:
            if each.number:
                strokes += await self._strokes(each, is_large=is_large)
        return [[stroke] for stroke in strokes] if is_large else [strokes]

    async def _strokes(self, planned: Planned, *, is_large: bool) -> list[_Stroke]:
        if not is_large:
            return [_Stroke(planned=planned, first=(0, 0), end=_END)]
        size = await self._do.row("count_blocks", planned.rows, rows=planned.rows)
        blocks = size["blocks"]
        # Rows are addressed by block: steps of whole blocks come close to a batch.
        step = max(1, blocks * self._batch // size["rows"])
        return [
            _Stroke(planned=planned, first=(start, 0), end=(start + step, 0))
            for start in range(0, blocks, step)
        ]

    async def _written(self, strokes: Sequence[_Stroke]) -> Tally:
        tally = Tally()
        for stroke in strokes:
            tally += Tally(**{_COUNTED[stroke.planned.block]: await self._write(stroke)})
        return tally

    async def _write(self, stroke: _Stroke) -> int:
        """Write one stroke, or its halves where a row of it is refused, down to that row."""
        planned = stroke.planned
        values = (stroke.first, stroke.end, planned.acts, *planned.values)
        try:
            if not self._is_careful:
                return await self._do.execute(planned.block, *values, **self._holes)
            return await self._try(planned.block, *values)
        except _REFUSED as exc:
            if not self._is_careful:
                raise _Spoiled from exc
            return await self._halve(stroke, exc)

    async def _try(self, block: str, *values: Any) -> int:
        try:
            async with atomic(self._do.connection):
                return await self._do.execute(block, *values, **self._holes)
        except asyncpg.UniqueViolationError:
            if block not in _CAUTIOUS:
                raise
        async with atomic(self._do.connection):
            return await self._do.execute(_CAUTIOUS[block], *values, **self._holes)

    async def _halve(self, stroke: _Stroke, exc: asyncpg.PostgresError) -> int:
        planned = stroke.planned
        values = (stroke.first, stroke.end, planned.acts)
        middle = await self._do.row("find_middle", *values, rows=planned.rows)
        if middle["rows"] > 1:
            before = await self._write(replace(stroke, end=middle["place"]))
            return before + await self._write(replace(stroke, first=middle["place"]))
        await self._refuse(planned.rows, middle["place"], str(exc)[:_REASON_CHARACTERS])
        return 0

    async def _refuse(self, rows: str, place: _Place, reason: str) -> None:
        self._refused += 1
        if self._refused > _MOST_REFUSED:
            raise TargetUnfit(
                f"table {self._do.place} refuses more than {_MOST_REFUSED} rows, last: {reason}",
                hint="look at the checks and triggers of the table",
            )
        await self._do.execute("refuse_row", place, f"PostgreSQL refuses it: {reason}", rows=rows)
