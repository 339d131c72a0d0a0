"""Good answers on their way into the store: profiles, and what the next pass needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from syncd.model.account import AccountId, SweepMark
from syncd.model.item import Success
from syncd.model.profile import Alike, Fetched, Unchanged
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection
from syncd.store.listening import ListeningStore, Stored
from syncd.store.profiles import to_columns

if TYPE_CHECKING:
    from syncd.store.sync import Batch

_Value = TypeVar("_Value")

_NO_MARK = SweepMark(key="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What each answer was to us, in a word; `heard` says more of pages of plays."""

    words: dict[AccountId, str] = field(default_factory=dict)
    heard: Sequence[Stored] = ()


class SuccessStore:
    """Writes good answers within the transaction of their batch; part of `SyncStore`."""

    def __init__(self, listening: ListeningStore) -> None:
        self._listening = listening
        self._sql = load_blocks("accounts")

    async def write(
        self, connection: Connection, batch: Batch, items: Sequence[Success]
    ) -> Written:
        """Store the answers and return what each of them was to us."""
        if not items:
            return Written()
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
        heard = await self._write_plays(connection, batch, items)
        words |= {each.account.id: each.word for each in heard}
        for answer, is_detailed in ((Unchanged, True), (Alike, False)):
            same = [item for item in items if isinstance(item.answer, answer)]
            if same:
                told = [item.account.id for item in same], once([item.seen for item in same])
                await connection.execute(
                    self._sql["mark_unchanged"], kind, at, *told, is_detailed, batch.run_id
                )
        await connection.execute(self._sql["revive_accounts"], numbers, at, kind)
        return Written(words=words, heard=heard)

    async def _write_plays(
        self, connection: Connection, batch: Batch, items: Sequence[Success]
    ) -> Sequence[Stored]:
        """Store pages of plays; one with nothing new is an answer like "not changed"."""
        kind, at, run_id = batch.kind, batch.at, batch.run_id
        heard = await self._listening.write_within(connection, batch, items)
        news = {each.account.id: each.word for each in heard if each.counts.inserted}
        if news:
            none = [""] * len(news)
            memory = list(news), list(news.values()), none, [""], none, [b""] * len(news)
            await connection.execute(self._sql["mark_succeeded"], kind, at, *memory, run_id)
        old = [each.account.id for each in heard if not each.counts.inserted]
        if old:
            told = old, [b""], True
            await connection.execute(self._sql["mark_unchanged"], kind, at, *told, run_id)
        await self._listening.mark_hasty(connection, kind, heard)
        return heard


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
