"""What is due, and the claiming of it: the reading side of `sync_state`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from syncd.model.account import Account, AccountId, SweepMark
from syncd.model.item import Claim
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row
from syncd.store.fence import Fence

Outlet = tuple[str, str]
"""A platform and one of its credentials."""

Covered = tuple[str, datetime | None]
"""A job, and since when an account that another one got is left to that one; None: it never is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which accounts a run is about.

    `began_at` is when the run first started: what was attempted since then is done.
    `without_success_since` leaves out accounts that are fresher, unless they are to be looked at
    sooner; `rested` leaves out those that
    failed and still rest; `only` (None: everybody) holds user keys. `credential` (None: whichever)
    leaves out accounts that are bound to another one. `covered_since` leaves out accounts that
    another job than `job` had a good answer about since then.
    """

    kind: str
    platforms: tuple[str, ...]
    began_at: datetime
    without_success_since: datetime | None = None
    rested: bool = False
    only: tuple[str, ...] | None = None
    credential: str | None = None
    job: str = ""
    covered_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the claiming has come on one platform."""

    attempted_at: datetime
    account_id: int


# Smaller than every instant that can be stored; asyncpg writes it as -infinity.
START = Position(attempted_at=datetime.min, account_id=0)  # noqa: DTZ901 - asyncpg's -infinity


class AccountStore:
    """Reads which accounts are due; `SyncStore` writes what came of them.

    What it writes itself is refused with `LeaseLost` once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("accounts")

    async def enroll(self, kind: str, credentials: Sequence[Outlet]) -> None:
        """Give every account of these platforms its state row and its credential.

        Safe to repeat: an account stays with its credential as long as that is there.
        """
        columns = _columns(credentials)

        async def enroll() -> None:
            async with self._fence.transaction(self._database) as connection:
                await connection.execute(self._sql["enroll_accounts"], kind, *columns)

        await self._database.repeat(enroll)

    async def forget_ahead(self, now: datetime) -> int:
        """Forget instants that a clock that was ahead wrote down; return for how many accounts.

        Those that are later than `now` and than PostgreSQL's clock; safe to repeat.
        """
        async with self._fence.transaction(self._database) as connection:
            status: str = await connection.execute(self._sql["forget_ahead"], now)
        return int(status.rpartition(" ")[2])

    async def count_due(self, selection: Selection) -> Counter[Outlet]:
        """Count what the selection still holds, whatever its credential; zero elsewhere."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["count_due"],
                selection.kind,
                list(selection.platforms),
                *_narrowing(selection),
                selection.job,
                selection.covered_since,
            )
        return Counter({(row["platform"], row["credential"]): row["due"] for row in rows})

    async def claim(
        self, selection: Selection, platform: str, run_id: int, behind: Position, limit: int
    ) -> list[Claim]:
        """Return the next accounts due on a platform, oldest attempt first.

        Claiming writes nothing: who claimed and died leaves nothing to clean up.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["claim_due"],
                selection.kind,
                platform,
                *_narrowing(selection),
                behind.attempted_at,
                behind.account_id,
                limit,
                run_id,
                selection.credential,
                selection.job,
                selection.covered_since,
            )
        return [_to_claim(row) for row in rows]

    async def claim_retries(
        self, run_id: int, platform: str, limit: int, credential: str | None = None
    ) -> list[tuple[datetime, Claim]]:
        """Return accounts the run will try again, with when, soonest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["claim_retries"], run_id, platform, limit, credential
            )
        return [(row["due_at"], _to_claim(row)) for row in rows]

    async def next_retry(
        self,
        kind: str,
        cycle_start: datetime,
        open_at: Mapping[Outlet, datetime],
        covered: Covered = ("", None),
    ) -> datetime | None:
        """Return when something left of the cycle may be tried again.

        Args:
            kind: the job kind.
            cycle_start: since when an account must have had a success to be left out.
            open_at: the soonest for each platform and credential.
            covered: the job, and since when a success of another one is enough.
        """
        async with self._database.connection() as connection:
            found: datetime | None = await connection.fetchval(
                self._sql["next_retry"],
                kind,
                cycle_start,
                *_columns(list(open_at)),
                list(open_at.values()),
                *covered,
            )
        return found

    async def next_look(self, kind: str, open_at: Mapping[Outlet, datetime]) -> datetime | None:
        """Return when somebody is to be looked at again in spite of a good answer.

        `open_at` is the soonest for each platform and credential.
        """
        async with self._database.connection() as connection:
            found: datetime | None = await connection.fetchval(
                self._sql["next_look"], kind, *_columns(list(open_at)), list(open_at.values())
            )
        return found

    async def confirm_missing(
        self, selection: Selection, platform: str, apart: timedelta
    ) -> list[dict[str, Any]]:
        """Call accounts gone that were not found twice, `apart` or more; return those.

        Does nothing unless the platform answered for somebody since the run began, asked with the
        same credential.
        """
        async with self._fence.transaction(self._database) as connection:
            rows = await connection.fetch(
                self._sql["confirm_missing"],
                selection.kind,
                platform,
                selection.began_at,
                apart,
                selection.credential,
            )
        return [dict(row) for row in rows]

    async def freshness(
        self, kind: str, platforms: Sequence[str], since: datetime
    ) -> dict[str, dict[str, Any]]:
        """Return followed, fresh and oldest success per platform, `fresh` meaning since `since`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["freshness"], kind, list(platforms), since)
        return {row["platform"]: dict(row) for row in rows}

    async def count_by_state(self) -> list[dict[str, Any]]:
        """Count accounts per platform and state."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["count_by_state"])
        return [dict(row) for row in rows]


def _columns(outlets: Sequence[Outlet]) -> tuple[list[str], list[str]]:
    return [platform for platform, _ in outlets], [credential for _, credential in outlets]


def _narrowing(selection: Selection) -> tuple[Any, ...]:
    return (
        selection.began_at,
        selection.without_success_since,
        selection.rested,
        None if selection.only is None else list(selection.only),
    )


def _to_claim(row: Row) -> Claim:
    mark = SweepMark(key=row["sweep_key"], digest=row["sweep_digest"])
    return Claim(
        account=Account(
            id=AccountId(row["id"]),
            user_key=row["user_key"],
            platform=row["platform"],
            handle=row["handle"],
            external_id=row["external_id"],
            etag=row["etag"],
            etag_credential=row["etag_credential"],
            mark=mark if row["is_sweepable"] else None,
        ),
        attempted_at=row["attempted_at"],
        attempts=row["attempts"],
    )
