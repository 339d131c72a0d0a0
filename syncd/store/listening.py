"""What users listened to: every play once, and where some may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from syncd.errors import StoreUnavailable
from syncd.model.account import Account, AccountId
from syncd.model.item import Success
from syncd.model.play import Heard, Play, PlayCounts
from syncd.model.run import RunId
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row
from syncd.store.fence import Fence
from syncd.store.translation import RowRefused

if TYPE_CHECKING:
    from syncd.store.sync import Batch

# Who leaves a gap is looked at again after half the time that the page spans, within these bounds.
_SOONEST, _LATEST = timedelta(minutes=10), timedelta(hours=24)
_MONTHS_AHEAD = 3
# Any number will do as long as nobody else locks it.
_LOCK = 0x5C8F3D2B
_FORGOTTEN_AT_ONCE = 5_000
_GAPS_SHOWN = 100
_BETWEEN_ARTISTS = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Plays between these instants may be lost; the account is looked at again at `due_at`."""

    after: datetime
    before: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What storing a page of plays came to; `was_empty`: nothing of the user was stored before.

    `unread` says what could not be read of it.
    """

    account: Account
    counts: PlayCounts
    was_empty: bool = False
    gap: Gap | None = None
    unread: Sequence[str] = ()

    @property
    def word(self) -> str:
        """Say in a word what the page was to us."""
        if not self.counts.inserted:
            return "unchanged"
        return "created" if self.was_empty else "updated"


@dataclass(slots=True)
class _Page:
    account: Account
    heard: Heard
    instants: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.instants = [play.played_at for play in self.heard.plays]

    def due_at(self, at: datetime) -> datetime:
        half = (max(self.instants) - min(self.instants)) / 2
        return at + min(max(half, _SOONEST), _LATEST)


class ListeningStore:
    """Owns the tables `listening_data`, `listening_runs` and `listening_gaps`.

    What it writes itself is refused with `LeaseLost` once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("listening")

    async def cursors(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, datetime]:
        """Return the newest play that is stored of each account; who has none is left out."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_cursors"], list(accounts))
        return {AccountId(row["account_id"]): row["played_at"] for row in rows}

    async def write_within(
        self, connection: Connection, batch: Batch, items: Sequence[Success]
    ) -> Sequence[Stored]:
        """Store pages of plays in the transaction of their batch; safe to repeat."""
        pages = {
            item.account.id: _Page(item.account, item.answer)
            for item in items
            if isinstance(item.answer, Heard)
        }
        if not pages:
            return []
        rows = await connection.fetch(
            self._sql["store_plays"],
            list(pages),
            [page.heard.is_full for page in pages.values()],
            [min(page.instants, default=None) for page in pages.values()],
            *_columns(
                [(page.account, play) for page in pages.values() for play in page.heard.plays]
            ),
            batch.run_id,
            batch.at,
        )
        return [_stored(pages[AccountId(row["account_id"])], row, batch.at) for row in rows]

    async def mark_hasty(self, connection: Connection, kind: str, stored: Sequence[Stored]) -> None:
        """Let those be looked at sooner of whom plays may be lost."""
        due = {each.account.id: each.gap.due_at for each in stored if each.gap is not None}
        if due:
            await connection.execute(self._sql["mark_hasty"], kind, list(due), list(due.values()))

    async def add_counts(
        self, connection: Connection, run_id: RunId, stored: Sequence[Stored]
    ) -> None:
        """Add to a run what it came to in plays."""
        total = sum((each.counts for each in stored), PlayCounts())
        if total != PlayCounts():
            counts = total.inserted, total.repeated, total.skipped, total.gaps
            await connection.execute(self._sql["add_counts"], run_id, *counts)

    async def counts(self, run_id: int) -> PlayCounts:
        """Return what a run came to in plays so far."""
        return (await self.counts_of([run_id])).get(run_id, PlayCounts())

    async def counts_of(self, runs: Sequence[int]) -> Mapping[int, PlayCounts]:
        """Return what runs came to in plays; one that has none is left out."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_counts"], list(runs))
        return {
            row["run_id"]: PlayCounts(**{k: v for k, v in row.items() if k != "run_id"})
            for row in rows
        }

    async def gaps(self, user_key: str, limit: int = _GAPS_SHOWN) -> list[dict[str, Any]]:
        """Return where plays of a user may be lost, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_gaps"], user_key, limit)
        return [dict(row) for row in rows]

    async def forget_history(self, user_key: str) -> int:
        """Forget all plays of a user and return how many there were; safe to repeat.

        They go some thousands at a time, so that nobody waits for the rest.
        """
        forgotten = 0
        while True:
            async with self._fence.transaction(self._database) as connection:
                status: str = await connection.execute(
                    self._sql["forget_plays"], user_key, _FORGOTTEN_AT_ONCE
                )
                gone = int(status.rpartition(" ")[2])
                if not gone:
                    await connection.execute(self._sql["forget_gaps"], user_key)
                    return forgotten
            forgotten += gone

    async def keep_partitions(self, at: datetime) -> int:
        """Make the months from `at` on that plays will fall into; return how many were missing.

        Where others are in the way it is left to the next time: plays fall into the first partition
        until then, and stay there.
        """
        try:
            async with self._fence.transaction(self._database) as connection:
                await connection.execute(self._sql["wait_briefly"])
                await connection.execute(self._sql["wait_for_turn"], _LOCK)
                rows = await connection.fetch(self._sql["missing_partitions"], at, _MONTHS_AHEAD)
                for row in rows:
                    await connection.execute(row["statement"])
        except (StoreUnavailable, RowRefused):
            return 0
        return len(rows)


def _columns(plays: Sequence[tuple[Account, Play]]) -> Sequence[Sequence[Any]]:
    return [
        [account.id for account, _ in plays],
        [play.artist_id for _, play in plays],
        [play.track_id for _, play in plays],
        [play.played_at for _, play in plays],
        [_BETWEEN_ARTISTS.join(play.artist_ids) for _, play in plays],
        [play.album_id for _, play in plays],
        [play.duration_ms for _, play in plays],
        [play.context_uri for _, play in plays],
        [play.isrc for _, play in plays],
    ]


def _stored(page: _Page, row: Row, at: datetime) -> Stored:
    heard, gap = page.heard, None
    if row["has_gap"]:
        before = min(page.instants)
        gap = Gap(after=row["newest"], before=before, due_at=page.due_at(at))
    counts = PlayCounts(
        inserted=row["inserted"],
        repeated=len(heard.plays) - row["inserted"],
        skipped=heard.skipped,
        gaps=int(gap is not None),
    )
    return Stored(
        account=page.account,
        counts=counts,
        was_empty=row["newest"] is None,
        gap=gap,
        unread=heard.unread,
    )
