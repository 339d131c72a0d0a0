"""The writing side of a sync: a batch's data, item state and run counts, all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from syncd.model.account import AccountId
from syncd.model.item import Failure, Item, Retry, Success, Withdrawn
from syncd.model.letter import DeadLetter
from syncd.model.profile import Fetched, Profile
from syncd.model.run import Report, RunId
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, undo
from syncd.store.letters import LetterStore
from syncd.store.listening import ListeningStore, Stored
from syncd.store.runs import RunStore, Share
from syncd.store.scores import ScoreStore
from syncd.store.successes import SuccessStore, once
from syncd.store.translation import RowRefused

# What changes nothing about the numbers of an account.
_SILENT = frozenset({"unchanged", "withdrawn"})

_T = TypeVar("_T", Success, Failure, Retry, Withdrawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a run learned about some accounts of one platform, to be committed together.

    `asked` counts the answers about single accounts that it holds, `seconds` is how long they took
    together: of a question about many, each account has its share.
    """

    run_id: RunId
    kind: str
    platform: str
    mapper_version: int
    items: Sequence[Item]
    calls: int
    saved: int
    at: datetime
    asked: int = 0
    seconds: float = 0.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit came to: the counts, and the letters it wrote; a dry run writes none.

    `heard` says what each page of plays came to.
    """

    report: Report
    letters: Sequence[DeadLetter] = ()
    heard: Sequence[Stored] = ()


class SyncStore:
    """Owns `profiles`, the writing of `sync_state` and `item_outcomes`."""

    def __init__(self, database: Database, runs: RunStore, scores: ScoreStore) -> None:
        self._database = database
        self._runs = runs
        self._scores = scores
        self._letters = LetterStore(database)
        self._listening = ListeningStore(database, runs.fence)
        self._successes = SuccessStore(self._listening)
        self._sql = load_blocks("accounts")

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch in one transaction; of a dry run only the counts are kept.

        Accounts that were opted out or deleted meanwhile are counted as skipped. A row PostgreSQL
        refuses is found by halving the batch and ends as a failure of its own; the others go in.

        Raises:
            LeaseLost: the run is not ours any more; nothing was written.
            StoreUnavailable: nothing was written, or (a reply cut off) all of it was. Do not
                repeat the batch: claim again, and the accounts that were written are not due.
        """
        try:
            return await self._database.repeat(lambda: self._commitonce(batch))
        except RowRefused as exc:
            return await self._commit_halves(batch, exc)

    async def _commit_halves(self, batch: Batch, refused: RowRefused) -> Committed:
        if len(batch.items) == 1:
            item = batch.items[0]
            failure = Failure(
                account=item.account, outcome="schema_error", error=str(refused), wears_out=True
            )
            if item == failure:
                raise refused
            return await self.commit(replace(batch, items=[failure]))
        middle = len(batch.items) // 2
        first = await self.commit(replace(batch, items=batch.items[:middle]))
        rest = replace(batch, items=batch.items[middle:], calls=0, saved=0, asked=0, seconds=0.0)
        second = await self.commit(rest)
        return Committed(
            report=first.report + second.report,
            letters=[*first.letters, *second.letters],
            heard=[*first.heard, *second.heard],
        )

    async def _commitonce(self, batch: Batch) -> Committed:
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                committed = await self._write(connection, batch)
                if batch.dry_run:
                    await transaction.rollback()
                    committed = replace(committed, letters=())
                    transaction = connection.transaction()
                    await transaction.start()
                share = Share(batch.platform, batch.asked, batch.seconds)
                await self._runs.add_report(
                    connection, batch.run_id, committed.report, batch.at, share
                )
                await self._listening.add_counts(connection, batch.run_id, committed.heard)
            except BaseException:
                await undo(connection, transaction)
                raise
            await transaction.commit()
        return committed

    async def _write(self, connection: Connection, batch: Batch) -> Committed:
        followed = await self._still_followed(connection, batch)
        items = await self._identify(
            connection,
            [
                item if item.account.id in followed else Withdrawn(account=item.account)
                for item in batch.items
            ],
        )
        good = _only(items, Success)
        recovered = await self._find_recovered(connection, batch, good)
        written = await self._successes.write(connection, batch, good)
        words = written.words
        letters = await self._write_failures(connection, batch, _only(items, Failure))
        await self._write_retries(connection, batch, _only(items, Retry))
        await self._write_skips(connection, batch, _only(items, Withdrawn))
        words |= {item.account.id: item.outcome for item in _only(items, Failure)}
        words |= {item.account.id: "withdrawn" for item in _only(items, Withdrawn)}
        await self._record(connection, batch, items, words)
        await self._mark_scores(connection, batch, words, recovered)
        report = _count(items, words, batch)
        return Committed(report=report, letters=letters, heard=written.heard)

    async def _still_followed(self, connection: Connection, batch: Batch) -> set[int]:
        numbers = [item.account.id for item in batch.items]
        rows = await connection.fetch(self._sql["still_followed"], numbers)
        return {row["id"] for row in rows}

    async def _identify(self, connection: Connection, items: Sequence[Item]) -> list[Item]:
        """Store new ids and names; an id somebody else holds turns the item into a failure."""
        news = [
            (item.account.id, profile.external_id, profile.handle)
            for item in _only(items, Success)
            if (profile := _profile_of(item)) is not None
            and (profile.external_id, profile.handle)
            != (item.account.external_id, item.account.handle)
        ]
        if not news:
            return list(items)
        rows = await connection.fetch(self._sql["identify_accounts"], *zip(*news, strict=True))
        holders = {row["account_id"]: row["holder"] for row in rows}
        return [
            Failure(
                account=item.account,
                outcome="unsuitable",
                error=f"the account is linked already, to user {holders[item.account.id]!r}",
                quarantine=True,
            )
            if item.account.id in holders
            else item
            for item in items
        ]

    async def _find_recovered(
        self, connection: Connection, batch: Batch, items: Sequence[Success]
    ) -> set[AccountId]:
        if not items or not self._scores.counts(batch.platform):
            return set()
        numbers = [item.account.id for item in items]
        return await self._scores.find_failing(connection, batch.kind, numbers)

    async def _mark_scores(
        self,
        connection: Connection,
        batch: Batch,
        words: dict[AccountId, str],
        recovered: set[AccountId],
    ) -> None:
        """Let scores be due of whom something is other than before: numbers, or their being so."""
        if self._scores.counts(batch.platform):
            told = {number for number, word in words.items() if word not in _SILENT}
            await self._scores.mark(connection, sorted(told | recovered))

    async def _write_failures(
        self, connection: Connection, batch: Batch, items: Sequence[Failure]
    ) -> Sequence[DeadLetter]:
        if not items:
            return []
        letters = await self._letters.write(
            connection, items, kind=batch.kind, run_id=batch.run_id, at=batch.at
        )
        await connection.execute(
            self._sql["mark_failed"],
            batch.kind,
            batch.at,
            [item.account.id for item in items],
            [item.outcome for item in items],
            [item.error for item in items],
            [item.rest_seconds for item in items],
        )
        return letters

    async def _write_retries(
        self, connection: Connection, batch: Batch, items: Sequence[Retry]
    ) -> None:
        if items:
            await connection.execute(
                self._sql["mark_retrying"],
                batch.kind,
                batch.run_id,
                [item.account.id for item in items],
                [item.outcome for item in items],
                [item.error for item in items],
                [item.due_at for item in items],
                [item.attempts for item in items],
            )

    async def _write_skips(
        self, connection: Connection, batch: Batch, items: Sequence[Withdrawn]
    ) -> None:
        if items:
            numbers = [item.account.id for item in items]
            await connection.execute(self._sql["mark_skipped"], batch.kind, batch.at, numbers)

    async def _record(
        self,
        connection: Connection,
        batch: Batch,
        items: Sequence[Item],
        words: dict[AccountId, str],
    ) -> None:
        told = [item for item in items if words.get(item.account.id, "unchanged") != "unchanged"]
        if told:
            await connection.execute(
                self._sql["record_outcomes"],
                batch.run_id,
                batch.platform,
                batch.at,
                [item.account.id for item in told],
                [item.account.user_key for item in told],
                [item.account.handle for item in told],
                once([words[item.account.id] for item in told]),
                once([item.error if isinstance(item, Failure) else "" for item in told]),
            )


def _only(items: Sequence[Item], wanted: type[_T]) -> list[_T]:
    return [item for item in items if isinstance(item, wanted)]


def _profile_of(item: Success) -> Profile | None:
    return item.answer.profile if isinstance(item.answer, Fetched) else None


def _count(items: Sequence[Item], words: dict[AccountId, str], batch: Batch) -> Report:
    successes = Counter(words[item.account.id] for item in _only(items, Success))
    failures = Counter(item.outcome for item in _only(items, Failure))
    withdrawn = len(_only(items, Withdrawn))
    if withdrawn:
        failures["withdrawn"] = withdrawn
    return Report(
        created=successes["created"],
        updated=successes["updated"],
        unchanged=successes["unchanged"],
        skipped=withdrawn,
        failed=failures.total() - withdrawn,
        calls=batch.calls,
        saved=batch.saved,
        failures=dict(failures),
    )
