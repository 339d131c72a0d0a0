"""Good answers on their way into the store: profiles, and what the next pass needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from syncd.model.account import AccountId, SweepMark
from syncd.model.item import Success
from syncd.model.profile import Alike, Fetched, Unchanged
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection
from syncd.store.profiles import to_columns

if TYPE_CHECKING:
    from syncd.store.sync import Batch

_Value = TypeVar("_Value")

_NO_MARK = SweepMark(key="")


class SuccessStore:
    """Writes good answers within the transaction of their batch; part of `SyncStore`."""

    def __init__(self) -> None:
        self._sql = load_blocks("accounts")

    async def write(
        self, connection: Connection, batch: Batch, items: Sequence[Success]
    ) -> dict[AccountId, str]:
        """Store the answers and return in a word what each of them was to us."""
        if not items:
            return {}
        kind, at = batch.kind, batch.at
        numbers = [item.account.id for item in items]
        words = dict.fromkeys(numbers, "unchanged")
        fetched = [(item, item.answer) for item in items if isinstance(item.answer, Fetched)]
        if fetched:
            columns = to_columns([(item.account.id, answer.profile) for item, answer in fetched])
            rows = await connection.fetch(
                self._sql["upsert_profiles"], *columns, batch.mapper_version, at
            )
            for row in rows:
                words[row["account_id"]] = "created" if row["is_new"] else "updated"
            memory = _memory_of(fetched, words)
            await connection.execute(self._sql["mark_succeeded"], kind, at, *memory, batch.run_id)
        for answer, is_detailed in ((Unchanged, True), (Alike, False)):
            same = [item for item in items if isinstance(item.answer, answer)]
            if same:
                told = [item.account.id for item in same], once([item.seen for item in same])
                await connection.execute(
                    self._sql["mark_unchanged"], kind, at, *told, is_detailed, batch.run_id
                )
        await connection.execute(self._sql["revive_accounts"], numbers, at, kind)
        return words


def once(column: list[_Value]) -> list[_Value]:
    """Return a column's one value alone where all are the same, for statements that know of it."""
    return column[:1] if column.count(column[0]) == len(column) else column


def _memory_of(
    fetched: Sequence[tuple[Success, Fetched]], words: dict[AccountId, str]
) -> tuple[list[AccountId] | list[str] | list[bytes], ...]:
    """Return what the next pass needs, in the columns of `mark_succeeded`.

    What a sweep itself said goes before what was guessed from another answer: should the two
    differ in something for good, one more question settles it.
    """
    marks = [answer.mark or _NO_MARK for _, answer in fetched]
    return (
        [item.account.id for item, _ in fetched],
        once([words[item.account.id] for item, _ in fetched]),
        [answer.etag for _, answer in fetched],
        once([answer.etag_credential for _, answer in fetched]),
        [mark.key for mark in marks],
        [item.seen or mark.digest for (item, _), mark in zip(fetched, marks, strict=True)],
    )
