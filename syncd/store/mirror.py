"""Mirroring the platform's own users: staged beside our tables, compared set-wise, stored at once.

A run stages what the query returned in temporary tables of one connection. What differs is found
by a few statements however many users there are; only those users are put, by the very blocks that
the API and imports use, in one transaction with the counts of the run. Orders that were given
meanwhile are newer than what was read: users they are about are left as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.model.account import AccountId, UserEntry
from syncd.model.run import Report, RunId
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, undo
from syncd.store.orders import Notes
from syncd.store.runs import RunStore
from syncd.store.translation import Collided
from syncd.store.users import SLICE, PutResult, UserStore, total

_STAGES = ("stage_users", "stage_links", "stage_changes", "stage_plan")
_LINKS = 2_000
_TRIES = 5
# A million users are compared in seconds; a machine that is busy takes longer.
_COMPARE_SECONDS = 300.0

UserRow = tuple[str, datetime | None, bool | None]
LinkRow = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How much a plan would take away: of `held` there were, `removed` would go."""

    held: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What a mirror run came to; `withdrawn` and `readmitted` as in `PutResult`."""

    report: Report
    withdrawn: frozenset[AccountId]
    readmitted: frozenset[AccountId]


class _Overtaken(Collided):
    """An order came while we wrote; taken again, the write leaves that user alone."""


class MirrorStore:
    """Lends a stage for one mirror run."""

    def __init__(self, database: Database, runs: RunStore, users: UserStore) -> None:
        self._database = database
        self._runs = runs
        self._users = users
        self._sql = load_blocks("mirror")

    @contextlib.asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        """Lend an empty stage on a connection of its own; nothing of it is left afterwards.

        What is read to fill it must be read after this: from here on orders are noted.
        """
        with self._users.orders.noted() as notes:
            async with self._staged(notes) as stage:
                yield stage

    @contextlib.asynccontextmanager
    async def _staged(self, notes: Notes) -> AsyncIterator[Stage]:
        async with self._database.connection(at_leisure=True) as connection:
            try:
                await connection.execute(self._sql["drop_stage"])
                for name in _STAGES:
                    await connection.execute(self._sql[name])
                yield Stage(connection, self._runs, self._users, notes, self._database)
                await connection.execute(self._sql["drop_stage"])
            except BaseException:
                # The temporary tables end with the connection, in whatever state it is.
                connection.terminate()
                raise


class Stage:
    """What the query said, and what that changes. Steps in order: add, plan, weigh, apply."""

    def __init__(
        self,
        connection: Connection,
        runs: RunStore,
        users: UserStore,
        notes: Notes,
        database: Database,
    ) -> None:
        self._connection = connection
        self._database = database
        self._runs = runs
        self._users = users
        self._notes = notes
        self._sql = load_blocks("mirror")

    async def add(self, users: Sequence[UserRow], links: Sequence[LinkRow]) -> None:
        """Stage one page of users, and the links of these users."""
        copy = self._connection.copy_records_to_table
        await copy("mirror_users", records=users, columns=["key", "last_login_at", "opted_out"])
        await copy("mirror_links", records=links, columns=["key", "platform", "handle"])

    async def duplicates(self) -> tuple[Sequence[str], int]:
        """Return up to three keys that were staged more than once, and how many such keys are."""
        await self._connection.execute(self._sql["analyze_stage"])
        rows = await self._compare("find_duplicates")
        return [row["key"] for row in rows], rows[0]["duplicates"] if rows else 0

    async def plan_links(self, platforms: Sequence[str]) -> None:
        """Find the links of these platforms that differ."""
        await self._compare("plan_links", list(platforms))

    async def new_links(self) -> AsyncIterator[Sequence[LinkRow]]:
        """Yield the links that are to be made, page by page."""
        behind = ("", "")
        while rows := await self._compare("next_links", *behind, _LINKS):
            yield [(row["key"], row["platform"], row["handle"]) for row in rows]
            behind = (rows[-1]["key"], rows[-1]["platform"])

    async def refuse(self, links: Sequence[LinkRow]) -> None:
        """Leave the platforms of these users as they are; they count as skipped."""
        keys, platforms = [link[0] for link in links], [link[1] for link in links]
        await self._connection.execute(self._sql["refuse_links"], keys, platforms)

    async def plan_users(self) -> None:
        """Find whom to put, once the links are planned."""
        await self._compare("drop_changes", list(self._notes.keys))
        await self._compare("plan_users")
        await self._connection.execute(self._sql["analyze_plan"])

    async def weigh_users(self) -> tuple[int, Weight]:
        """Return how many users were named, and how many of those mirrored before were not."""
        [row] = await self._compare("weigh_users")
        return row["named"], Weight(held=row["held"], removed=row["removed"])

    async def weigh_opt_outs(self) -> Weight:
        """Return how many of the named users have not opted out, and how many would."""
        [row] = await self._compare("weigh_opt_outs")
        return Weight(held=row["held"], removed=row["removed"])

    async def count_unnamed(self, platforms: Sequence[str]) -> Mapping[str, int]:
        """Return how many links mirrored users have on these platforms; only those with any."""
        rows = await self._compare("count_unnamed", list(platforms))
        return {row["platform"]: row["links"] for row in rows}

    async def weigh_links(self, platforms: Sequence[str]) -> Mapping[str, Weight]:
        """Return for each platform how many links would go or become another account's."""
        rows = await self._compare("weigh_links", list(platforms))
        return {row["platform"]: Weight(held=row["held"], removed=row["removed"]) for row in rows}

    async def apply(self, run_id: RunId, at: datetime, *, dry_run: bool) -> Mirrored:
        """Store the plan with the counts of the run, all or nothing.

        Of a dry run only the counts are kept.

        Raises:
            LeaseLost: the run is not ours any more; nothing was written.
            Collided: another transaction was in the way; nothing was written.
        """
        await self._database.hasten(self._connection)
        for _ in range(_TRIES - 1):
            with contextlib.suppress(_Overtaken):
                return await self._apply_once(run_id, at, dry_run=dry_run)
        return await self._apply_once(run_id, at, dry_run=dry_run)

    async def _apply_once(self, run_id: RunId, at: datetime, *, dry_run: bool) -> Mirrored:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            mirrored = await self._write(run_id, at)
            if dry_run:
                await transaction.rollback()
                transaction = self._connection.transaction()
                await transaction.start()
            await self._runs.add_report(self._connection, run_id, mirrored.report, at)
        except BaseException:
            await undo(self._connection, transaction)
            raise
        await transaction.commit()
        return mirrored

    async def _write(self, run_id: RunId, at: datetime) -> Mirrored:
        put = total([result async for result in self._put()])
        [counts] = await self._compare("count_plan")
        await self._compare("adopt_users")
        absent = [row["key"] for row in await self._compare("find_absent")]
        ordered = self._notes.among(absent)
        absent = [key for key in absent if key not in ordered]
        with self._not_overtaken(absent):
            deleted, accounts = await self._users.delete_within(
                self._connection, absent, are_named=False
            )
        await self._compare("list_refused", run_id, at)
        skipped = counts["skipped"]
        report = Report(
            created=counts["created"],
            updated=counts["updated"],
            unchanged=counts["unchanged"],
            skipped=skipped,
            deleted=deleted,
            failures={"refused_handle": skipped} if skipped else {},
        )
        return Mirrored(
            report=report, withdrawn=put.withdrawn | accounts, readmitted=put.readmitted
        )

    async def _put(self) -> AsyncIterator[PutResult]:
        behind = ""
        while rows := await self._compare("next_planned", behind, SLICE):
            behind = rows[-1]["key"]
            ordered = self._notes.among(row["key"] for row in rows)
            await self._compare("drop_planned", list(ordered))
            entries = [_to_entry(row) for row in rows if row["key"] not in ordered]
            with self._not_overtaken([entry.key for entry in entries]):
                result = await self._users.put_within(self._connection, entries)
            yield result

    @contextlib.contextmanager
    def _not_overtaken(self, keys: Sequence[str]) -> Iterator[None]:
        """Write about users whom no order is about; from the end on their rows are locked.

        Raises:
            _Overtaken: an order came in between, and may have been stored before our write.
        """
        yield
        if self._notes.among(keys):
            raise _Overtaken("an order about a user came while the mirror wrote about them")

    async def _compare(self, block: str, *values: Any) -> list[Any]:
        return await self._connection.fetch(self._sql[block], *values, timeout=_COMPARE_SECONDS)


def _to_entry(row: Mapping[str, Any]) -> UserEntry:
    """Return whom to put. A user who opted out is not opted in again by a query."""
    return UserEntry(
        key=row["key"],
        accounts=row["accounts"],
        opted_out=True if row["opted_out"] else None,
        last_login_at=row["last_login_at"],
    )
