"""The outbox: deliveries that are due, claimed, sent, and kept as what was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from syncd.model.contest import Occasion
from syncd.model.delivery import Claimed, Delivery, Refusal, Settled, report_of
from syncd.model.notification import ContestNotice, DeliveryState
from syncd.model.run import Report, RunId
from syncd.store.arming import ArmStore, quiet_of
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row
from syncd.store.runs import RunStore

_CONTESTS_IN_DIGEST = 30
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a claim is about: at most `rows` of what may be sent over a channel at `at`.

    `only` and `only_to` as in `Arming`.
    """

    run_id: RunId
    channel: str
    rows: int
    at: datetime
    only: Sequence[str] | None = None
    only_to: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """A delivery that nobody works on any more; `is_resent`: it is sent once more."""

    id: int
    user_key: str
    channel: str
    occasion: Occasion
    is_resent: bool


class NotificationStore(ArmStore):
    """Owns the table `notifications`, and what refusals make of `notify_addresses`.

    What it writes is refused with `LeaseLost` once somebody else leads, or has the run.
    """

    def __init__(self, database: Database, runs: RunStore) -> None:
        super().__init__(database, runs.fence)
        self._runs = runs
        self._sql = load_blocks("notifications")

    async def claim(self, wanted: Wanted) -> Claimed:
        """Claim what is to be sent next; what is not to be sent any more is set aside.

        A claim that was cut off is found by `recover`.
        """
        return await self._database.repeat(lambda: self._claim(wanted))

    async def put_back(self, run_id: RunId, channel: str, under_way: Sequence[int]) -> int:
        """Let what a run holds over a channel wait as before, but for these; none of it was sent.

        Whoever claimed and had no answer does not know what it holds.
        """
        async with self._fence.transaction(self._database) as connection:
            done = await connection.execute(self._sql["put_back"], run_id, channel, list(under_way))
        return int(done.rpartition(" ")[2])

    async def settle(
        self, run_id: RunId, settled: Sequence[Settled], at: datetime
    ) -> Sequence[Settled]:
        """Store what came of deliveries, with the counts of the run; all or nothing.

        Safe to repeat: what is stored already counts no more.

        Returns:
            Those by which an address is dead now.

        Raises:
            LeaseLost: the run is not ours any more; nothing was written.
        """
        return await self._database.repeat(lambda: self._settle(run_id, settled, at))

    async def expire(self, run_id: RunId, at: datetime) -> int:
        """Set aside what waits and is not true any more, or too late; return how many there were.

        Rows of users who went while they were made go too.
        """
        total = 0
        for block in ("expire_outdated", "expire_overdue"):
            step = partial(self._expire, block, run_id, at)
            while count := await self._database.repeat(step):
                total += count
        await self._database.repeat(self._forget_orphans)
        return total

    async def recover(
        self, run_id: RunId, at: datetime, resends: Sequence[str]
    ) -> Sequence[LeftOver]:
        """Take note of deliveries that were cut off; those over `resends` are sent once more."""
        found: list[LeftOver] = []
        while True:
            rows = await self._database.repeat(lambda: self._recover(run_id, at, resends))
            found += [
                LeftOver(
                    id=row["id"],
                    user_key=row["user_key"],
                    channel=row["channel"],
                    occasion=Occasion(row["occasion"]),
                    is_resent=row["state"] == DeliveryState.PENDING,
                )
                for row in rows
            ]
            if len(rows) < _ROWS_AT_ONCE:
                return found

    async def next_attempts(
        self, channels: Sequence[str], after: datetime
    ) -> Mapping[str, datetime]:
        """Return, by channel, when the first may be tried of what may not at `after`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["next_attempts"], list(channels), after)
        return {row["channel"]: row["at"] for row in rows}

    async def count_waiting(
        self, channels: Sequence[str], at: datetime, only: Sequence[str] | None = None
    ) -> Mapping[str, int]:
        """Count, by channel, what waits and may be tried now."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["count_waiting"], list(channels), at, only)
        return {row["channel"]: row["deliveries"] for row in rows}

    async def outbox(self, at: datetime) -> list[dict[str, Any]]:
        """Count what is not settled, by channel and state, with the instant the first was due.

        None: nothing of it is due yet.
        """
        return await self._all("outbox", at)

    async def dead_addresses(self) -> Mapping[str, int]:
        """Count, by channel, the addresses at which nobody is any more."""
        return {row["channel"]: row["addresses"] for row in await self._all("dead_addresses")}

    async def _all(self, block: str, *values: object) -> list[dict[str, Any]]:
        async with self._database.connection() as connection:
            return [dict(row) for row in await connection.fetch(self._sql[block], *values)]

    async def _claim(self, wanted: Wanted) -> Claimed:
        async with self._fence.transaction(self._database) as connection:
            picked = await connection.fetch(
                self._sql["pick"],
                *(wanted.at, wanted.channel, wanted.rows, wanted.only, wanted.only_to),
            )
            numbers = [row["id"] for row in picked]
            if not numbers:
                return Claimed(deliveries=())
            rows = await connection.fetch(self._sql["claim"], wanted.at, numbers, wanted.run_id)
            sending = [row for row in rows if row["state"] == DeliveryState.SENDING]
            digests = await self._digest_contests(connection, sending, wanted.at)
            expired = sum(row["state"] == DeliveryState.EXPIRED for row in rows)
            aside = {"expired": expired, "dropped": len(rows) - len(sending) - expired}
            await self._count_aside(connection, wanted, aside)
        return Claimed(
            deliveries=[_delivery(row, digests) for row in sending],
            expired=aside["expired"],
            dropped=aside["dropped"],
        )

    async def _count_aside(
        self, connection: Connection, wanted: Wanted, aside: Mapping[str, int]
    ) -> None:
        words = {word: count for word, count in aside.items() if count}
        if words:
            report = Report(skipped=sum(words.values()), failures=words)
            await self._runs.add_report(connection, wanted.run_id, report, wanted.at)

    async def _digest_contests(
        self, connection: Connection, rows: Sequence[Row], at: datetime
    ) -> Mapping[int, Sequence[ContestNotice]]:
        found: dict[int, list[ContestNotice]] = {
            row["id"]: [] for row in rows if row["occasion"] == Occasion.DIGEST
        }
        if found:
            told = await connection.fetch(
                self._sql["digest_contests"], list(found), at, _CONTESTS_IN_DIGEST
            )
            for row in told:
                found[row["id"]].append(
                    ContestNotice(**{name: row[name] for name in _NOTICE_COLUMNS})
                )
        return found

    async def _settle(
        self, run_id: RunId, settled: Sequence[Settled], at: datetime
    ) -> Sequence[Settled]:
        async with self._fence.transaction(self._database) as connection:
            rows = await connection.fetch(
                self._sql["settle"],
                run_id,
                at,
                [each.delivery.id for each in settled],
                [each.state for each in settled],
                [each.next_attempt_at for each in settled],
                [each.reference for each in settled],
                [each.error for each in settled],
                [each.hint for each in settled],
                [each.is_attempt for each in settled],
                [each.is_unknown for each in settled],
            )
            stored = {row["id"] for row in rows}
            new = [each for each in settled if each.delivery.id in stored]
            dead = await self._note_addresses(connection, new, at)
            await self._runs.add_report(connection, run_id, report_of(new), at)
        return dead

    async def _note_addresses(
        self, connection: Connection, settled: Sequence[Settled], at: datetime
    ) -> Sequence[Settled]:
        """Let refusals for good count against addresses, and deliveries for them."""
        dead: list[Settled] = []
        for channel in {each.delivery.channel for each in settled}:
            here = [each for each in settled if each.delivery.channel == channel]
            # One row an address: who is told of two contests refuses twice, the worse one counts.
            refused = {
                each.delivery.user_id: each
                for each in sorted(here, key=lambda each: each.refusal is Refusal.DEAD)
                if each.refusal is not Refusal.NONE
            }
            if refused:
                rows = await connection.fetch(
                    self._sql["note_refusals"],
                    *(channel, at, list(refused)),
                    [each.delivery.address for each in refused.values()],
                    [each.refusal is Refusal.DEAD for each in refused.values()],
                    [each.error for each in refused.values()],
                )
                dead += [refused[row["user_id"]] for row in rows if row["state"] == "dead"]
            sent = {
                each.delivery.user_id: each.delivery.address
                for each in here
                if each.state is DeliveryState.SENT
            }
            if sent:
                await connection.execute(
                    self._sql["forgive"], channel, list(sent), list(sent.values())
                )
        return dead

    async def _expire(self, block: str, run_id: RunId, at: datetime) -> int:
        async with self._fence.transaction(self._database) as connection:
            done = await connection.execute(self._arm_sql[block], at, _ROWS_AT_ONCE)
            if count := int(done.rpartition(" ")[2]):
                report = Report(skipped=count, failures={"expired": count})
                await self._runs.add_report(connection, run_id, report, at)
        return count

    async def _forget_orphans(self) -> None:
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._arm_sql["forget_orphans"], _ROWS_AT_ONCE)

    async def _recover(self, run_id: RunId, at: datetime, resends: Sequence[str]) -> Sequence[Row]:
        async with self._fence.transaction(self._database) as connection:
            rows: list[Row] = await connection.fetch(
                self._sql["recover"], run_id, at, list(resends), _ROWS_AT_ONCE
            )
        return rows


_NOTICE_COLUMNS = ("platform", "name", "url", "starts_at", "ends_at")


def _delivery(row: Row, digests: Mapping[int, Sequence[ContestNotice]]) -> Delivery:
    own = ContestNotice(
        platform=row["platform"],
        name=row["contest_name"],
        url=row["contest_url"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        previous_starts_at=row["previous_starts_at"],
    )
    same = ("id", "user_id", "user_key", "channel", "lead_hours", "address", "due_at", "expires_at")
    more = ("attempts", "unknowns", "timezone", "language")
    return Delivery(
        **{name: row[name] for name in (*same, *more)},
        occasion=Occasion(row["occasion"]),
        contests=digests.get(row["id"], [own]),
        quiet=quiet_of(row),
    )
