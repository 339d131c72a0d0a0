"""Who is to be told of what, decided set-wise: the rows of deliveries that became due."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from syncd.model.contest import Occasion
from syncd.model.delivery import Armed
from syncd.model.quiet import Quiet, latest, zone_of
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row
from syncd.store.fence import Fence

# So many pairs of a user and a contest are looked at in one transaction: about a second's work.
_PAIRS = 1_000_000
# Any number will do as long as nobody else locks it.
_LOCK = 0x5C8F3D2C
_FEWEST_USERS, _MOST_USERS = 2_000, 25_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arming:
    """For whom deliveries are made due, and over which channels.

    `since`: reminders of contests that began since then, and of which nobody was told, are made as
    expired. `only`: user keys, None is everybody; `only_to`: user keys and addresses, None is
    everybody. `digest_hour` by the clock of each user.
    """

    at: datetime
    channels: Sequence[str]
    since: datetime
    only: Sequence[str] | None = None
    only_to: Sequence[str] | None = None
    digest_hour: int = 8
    dry_run: bool = False


class _Rehearsed(Exception):
    """Undoes the transaction of a dry run."""


class ArmStore:
    """Makes the rows of `notifications`; what it writes is refused once somebody else leads."""

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._arm_sql = load_blocks("notifications_arm")

    async def arm(self, arming: Arming) -> Sequence[Armed]:
        """Make every delivery that is due and not there yet; a second time makes none.

        Users are gone through some thousands at a time, each in a transaction of its own. Of a dry
        run nothing is kept.

        Raises:
            LeaseLost: somebody else leads.
        """
        found: dict[tuple[str, str], Armed] = {}
        if arming.channels:
            digests = await self._digests(arming)
            size, last = await self._size(arming.at), 0
            while (end := await self._last_user(last, size)) is not None:
                step = partial(self._arm_users, arming, (last, end), digests)
                for row in await self._database.repeat(step):
                    key, more = (row["channel"], row["occasion"]), _armed(row)
                    found[key] = found[key] + more if key in found else more
                last = end
        return [armed for _, armed in sorted(found.items())]

    async def _arm_users(
        self, arming: Arming, users: tuple[int, int], digests: Mapping[str, datetime]
    ) -> Sequence[Row]:
        rows: list[Row] = []
        with contextlib.suppress(_Rehearsed):
            async with self._fence.transaction(self._database) as connection:
                values = (
                    *(*users, arming.at, min(arming.since, arming.at), list(arming.channels)),
                    *await self._quiet(connection, users, arming.at),
                    *(arming.only, arming.only_to),
                )
                await connection.execute(self._arm_sql["wait_for_turn"], _LOCK)
                await connection.execute(self._arm_sql["plan_well"])
                rows += await connection.fetch(self._arm_sql["arm"], *values)
                if digests:
                    # By the user's own date: seen from elsewhere, summer time has two in a day.
                    days = [
                        instant.astimezone(zone_of(name)).toordinal()
                        for name, instant in digests.items()
                    ]
                    zones = list(digests), list(digests.values()), days
                    rows += await connection.fetch(self._arm_sql["arm_digests"], *values, *zones)
                _undo_rehearsal(arming)
        return rows

    async def _quiet(
        self, connection: Connection, users: tuple[int, int], at: datetime
    ) -> Sequence[Sequence[Any]]:
        """Return which quiet hours among these users are now, and when they end, by column."""
        rows = await connection.fetch(self._arm_sql["read_quiet"], *users)
        now = [
            (*row, ends_at)
            for row in rows
            if (quiet := quiet_of(row)) is not None and (ends_at := quiet.until(at)) is not None
        ]
        return list(zip(*now, strict=True)) or [[], [], [], []]

    async def _digests(self, arming: Arming) -> Mapping[str, datetime]:
        """Return the time zones in which it is time for a digest, and since when."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._arm_sql["digest_zones"])
        found = {
            row["timezone"]: latest(arming.at, arming.digest_hour, row["timezone"]) for row in rows
        }
        return {zone: instant for zone, instant in found.items() if instant is not None}

    async def _size(self, at: datetime) -> int:
        async with self._database.connection() as connection:
            contests: int = await connection.fetchval(self._arm_sql["count_live"], at)
        return min(max(_PAIRS // max(contests, 1), _FEWEST_USERS), _MOST_USERS)

    async def _last_user(self, after: int, size: int) -> int | None:
        async with self._database.connection() as connection:
            found: int | None = await connection.fetchval(self._arm_sql["last_user"], after, size)
        return found


def _armed(row: Row) -> Armed:
    return Armed(
        channel=row["channel"],
        occasion=Occasion(row["occasion"]),
        deliveries=row["deliveries"],
        missed=row["missed"],
        later=row["later"],
    )


def _undo_rehearsal(arming: Arming) -> None:
    if arming.dry_run:
        raise _Rehearsed


def quiet_of(row: Row) -> Quiet | None:
    """Return the quiet hours in a row of preferences, None where there are none."""
    if row["quiet_from"] is None:
        return None
    return Quiet(timezone=row["timezone"], begins_at=row["quiet_from"], ends_at=row["quiet_until"])
