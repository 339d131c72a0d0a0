"""Contests: what sources tell of them, what changed, and which do not take place any more.

A row belongs to a platform and its own id. What the platform tells itself always counts; what a
list of many platforms tells counts where the platform is not heard: of contests it never told of,
and of those to come that it has not named for a day, unless it took them back. Only who told what
is stored can take it back: a contest that a whole list leaves out is one that this source named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from syncd.model.contest import MOVED, ContestList, Occasion
from syncd.model.run import Report, RunId
from syncd.store.blocks import load_blocks
from syncd.store.contest_rows import Rows, rows_of
from syncd.store.database import Connection, Database, Row, undo
from syncd.store.runs import RunStore, Share

# Any number will do as long as nobody else locks it.
_LOCK = 0x5C8F3D2C
_TRUSTED = timedelta(hours=24)
_AT_ONCE = 5_000
_FEW = 5
_JUST_BEGUN = timedelta(hours=1)
_FIRST_RETRY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a source of contests, for a run: when it began, ended, and what it cost.

    `source` is a platform, or a list of many. Contests of other `platforms`, where any are named,
    and those that ended before `since` are not stored. With `is_trusted` a list that takes much
    back is believed: a person says that it is right.
    """

    run_id: RunId
    source: str
    began_at: datetime
    at: datetime
    platforms: Sequence[str] = ()
    since: datetime | None = None
    calls: int = 0
    saved: int = 0
    seconds: float = 0.0
    is_trusted: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why nothing could be read; with `retryable` it may be tried again, not before `until`.

    `is_skipped`: nothing was asked.
    """

    outcome: str
    error: str
    retryable: bool = False
    until: datetime | None = None
    is_skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A contest whose schedule took a turn: moved, cancelled, or on again."""

    platform: str
    external_id: str
    name: str
    occasion: Occasion
    starts_at: datetime
    previous_starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording a look came to; `doubt` says why nothing was taken back, if so.

    `unread` says what could not be read, a sentence each.
    """

    report: Report
    turns: Sequence[Turn] = ()
    doubt: str = ""
    unread: Sequence[str] = ()


class ContestStore:
    """Owns the tables `contests`, `contest_changes` and `contest_looks`."""

    def __init__(self, database: Database, runs: RunStore) -> None:
        self._database = database
        self._runs = runs
        self._sql = load_blocks("contests")

    async def record(self, look: Look, found: ContestList) -> Recorded:
        """Store a list and count it in its run, in one transaction; of a dry run only the counts.

        A start that differs by `MOVED` or more makes reminders begin anew; other changes are
        noted. A coming contest that a whole list leaves out twice in a row is cancelled, unless the
        list looks like an accident. Rows that cannot be stored fail alone.

        Raises:
            LeaseLost: the run is not ours any more; nothing was written.
            StoreUnavailable: nothing was written, or (a reply cut off) all of it was: then the run
                has counts for this source.
        """
        rows = await rows_of(found, look.platforms, look.since)
        return await self._database.repeat(lambda: self._record(look, found, rows))

    async def note_failure(self, look: Look, failed: Failed) -> Report:
        """Count in a run that a source could not be read; what is stored stays as it is."""
        return await self._database.repeat(lambda: self._note_failure(look, failed))

    async def near(self, platforms: Sequence[str], at: datetime, within: timedelta) -> set[str]:
        """Return those platforms of whom something starts soon, or should have a moment ago."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["near_platforms"], list(platforms), at - _JUST_BEGUN, at + within
            )
        return {row["platform"] for row in rows}

    async def failing(self, sources: Sequence[str]) -> Mapping[str, datetime]:
        """Return which sources' last look failed in a way that may pass, and when to try again."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["failing"], list(sources))
        return {row["source"]: row["retry_at"] for row in rows}

    async def count(self, at: datetime) -> Mapping[tuple[str, ...], int]:
        """Count contests by platform and state: coming, running, ended or cancelled."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["count_contests"], at)
        return {(row["platform"], row["state"]): row["contests"] for row in rows}

    async def looks(self) -> list[dict[str, Any]]:
        """Return how each source stands: when it was tried, when it last told a good list."""
        async with self._database.connection() as connection:
            return [dict(row) for row in await connection.fetch(self._sql["read_looks"])]

    async def _record(self, look: Look, found: ContestList, rows: Rows) -> Recorded:
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                recorded = await self._write(connection, look, found, rows)
                if look.dry_run:
                    await transaction.rollback()
                    transaction = connection.transaction()
                    await transaction.start()
                await self._count(connection, look, recorded.report)
            except BaseException:
                await undo(connection, transaction)
                raise
            await transaction.commit()
        return recorded

    async def _write(
        self, connection: Connection, look: Look, found: ContestList, rows: Rows
    ) -> Recorded:
        await self._runs.fence.show(connection)
        await connection.execute(self._sql["wait_for_turn"], _LOCK)
        doubt, cancelled, unread = "", list[Turn](), rows.unread
        if not found.contests and not unread:
            doubt = await self._doubt_empty(connection, look)
        elif found.is_whole and not unread:
            doubt, cancelled = await self._take_back(connection, look, rows)
        told = await self._store(connection, look, rows)
        report = _report(told, len(cancelled), len(unread), is_doubted=bool(doubt))
        await self._note_look(connection, look, doubt, (bool(doubt), None))
        turns = (*told.turns, *cancelled)
        return Recorded(report=report, turns=turns, doubt=doubt, unread=unread)

    async def _doubt_empty(self, connection: Connection, look: Look) -> str:
        """Say what is odd about an empty list; empty where nothing was known."""
        if not await connection.fetchval(self._sql["has_any"], look.source):
            return ""
        return f"{look.source} listed no contest at all, where it listed some before"

    async def _take_back(
        self, connection: Connection, look: Look, rows: Rows
    ) -> tuple[str, list[Turn]]:
        """Cancel what a whole list leaves out for the second time, unless that looks odd."""
        named = look.source, look.at, look.began_at, rows.ids
        [weight] = await connection.fetch(self._sql["weigh_missing"], *named)
        doubt = "" if look.is_trusted else _doubt(look, rows, weight)
        if doubt or not weight["missing"]:
            return doubt, []
        cancelled = await connection.fetch(self._sql["mark_missing"], *named)
        return "", [_turn(row) for row in cancelled]

    async def _store(self, connection: Connection, look: Look, rows: Rows) -> _Told:
        told = _Told()
        since, seconds = look.at - _TRUSTED, MOVED.total_seconds()
        for columns in rows.slices(_AT_ONCE):
            stored = await connection.fetch(
                self._sql["store_told"], look.source, look.at, since, seconds, *columns
            )
            told += _Told(
                rows=len(columns[0]),
                created=stored[0]["created"],
                updated=stored[0]["updated"],
                turns=tuple(_turn(row) for row in stored if row["platform"] is not None),
            )
        return told

    async def _note_failure(self, look: Look, failed: Failed) -> Report:
        report = Report(
            skipped=int(failed.is_skipped),
            failed=int(not failed.is_skipped),
            failures={failed.outcome: 1},
        )
        async with self._runs.fence.transaction(self._database) as connection:
            if not (look.dry_run or failed.is_skipped):
                await self._note_look(
                    connection, look, failed.error, (failed.retryable, failed.until)
                )
            await self._count(connection, look, report)
        return replace(report, calls=look.calls, saved=look.saved)

    async def _note_look(
        self, connection: Connection, look: Look, error: str, again: tuple[bool, datetime | None]
    ) -> None:
        """Note how a look ended, and whether and from when on it may be repeated."""
        can_pass, until = again
        asked = look.source, look.at, error, can_pass, _FIRST_RETRY, until or look.at
        await connection.execute(self._sql["note_look"], *asked)

    async def _count(self, connection: Connection, look: Look, report: Report) -> None:
        whole = replace(report, calls=look.calls, saved=look.saved)
        share = Share(look.source, int(bool(look.calls)), look.seconds)
        await self._runs.add_report(connection, look.run_id, whole, look.at, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What became of the rows of a list."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    turns: tuple[Turn, ...] = ()

    def __add__(self, other: _Told) -> _Told:
        return _Told(
            rows=self.rows + other.rows,
            created=self.created + other.created,
            updated=self.updated + other.updated,
            turns=self.turns + other.turns,
        )


def _doubt(look: Look, rows: Rows, weight: Row) -> str:
    """Say why a list is not believed in what it takes back; empty where it is."""
    coming, missing, due = weight["coming"], weight["missing"], weight["due"]
    if missing and rows.newest <= look.at:
        return f"{look.source} listed past contests only, where {coming:,} to come are known"
    most = max(_FEW, coming // 2)
    if due > most:
        return (
            f"{look.source} left out {due:,} of {coming:,} contests to come, "
            f"at most {most:,} are taken for cancelled at once"
        )
    return ""


def _report(told: _Told, cancelled: int, unread: int, *, is_doubted: bool) -> Report:
    failures = {"schema_error": unread, "suspicious": int(is_doubted)}
    return Report(
        created=told.created,
        updated=told.updated + cancelled,
        unchanged=told.rows - told.created - told.updated,
        failed=unread + is_doubted,
        failures={word: count for word, count in failures.items() if count},
    )


def _turn(row: Row) -> Turn:
    occasion = Occasion(row["occasion"])
    return Turn(
        platform=row["platform"],
        external_id=row["external_id"],
        name=row["name"],
        occasion=occasion,
        starts_at=row["starts_at"],
        previous_starts_at=row["old_start"] if occasion is Occasion.MOVED else None,
    )
