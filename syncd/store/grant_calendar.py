"""The calendar of grants: a consent lasts six months, and its user is told before it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence

NOTICE_DAYS = (30, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the calendar did.

    `expired` are consents that ended (`account_id user_key handle reason granted_at
    refresh_expires_at`), `ungranted` counts accounts that stopped for want of a grant, `notices`
    are consents that end soon (`account_id user_key handle days refresh_expires_at`). `taken_back`
    counts what was decided under a clock that was ahead, and counts no more.
    """

    expired: Sequence[dict[str, Any]] = ()
    ungranted: int = 0
    notices: Sequence[dict[str, Any]] = ()
    taken_back: int = 0


class GrantCalendar:
    """Ends consents and gives notice, for a whole platform at once."""

    def __init__(self, database: Database, fence: Fence) -> None:
        self._database = database
        self._fence = fence
        self._sql = load_blocks("grants")

    async def settle(self, platform: str, at: datetime) -> Settled:
        """See `GrantStore.settle`; a notice that was given is not given again."""
        return await self._database.repeat(lambda: self._settle_once(platform, at))

    async def _settle_once(self, platform: str, at: datetime) -> Settled:
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["drop_revoked"], platform)
            taken_back = await connection.execute(self._sql["forget_ahead"], platform, at)
            expired = await connection.fetch(self._sql["end_consents"], platform, at)
            await connection.execute(self._sql["stop_dead"], platform, at)
            stopped = await connection.execute(self._sql["stop_ungranted"], platform, at)
            notices = await connection.fetch(
                self._sql["notice_ends"], platform, at, list(NOTICE_DAYS)
            )
        return Settled(
            expired=[dict(row) for row in expired],
            ungranted=_count(stopped),
            taken_back=_count(taken_back),
            notices=sorted((dict(row) for row in notices), key=lambda row: row["user_key"]),
        )


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
