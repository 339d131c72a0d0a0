"""Users and the accounts they linked, as the platform tells us about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from syncd.errors import BadInput
from syncd.model.account import AccountId, UserEntry
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row, undo
from syncd.store.fence import Fence
from syncd.store.orders import Orders
from syncd.store.preferences import PreferenceStore
from syncd.store.translation import RowRefused

# What a statement takes at once; preparing more would hold up everything else on the loop.
SLICE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """What putting users changed.

    `withdrawn` are accounts that must not be asked for any more, `readmitted` those of users who
    opted in again.
    """

    created: int
    changed: int
    same: int
    linked: int
    unlinked: int
    withdrawn: frozenset[AccountId]
    readmitted: frozenset[AccountId]


class UserStore:
    """Owns the table `users` and who is linked to what in `accounts`.

    Every order about users is noted in `orders`, so that a mirror run does not undo it; it is
    refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self.orders = Orders()
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("users")
        self.preferences = PreferenceStore(database)

    async def put(
        self, entries: Sequence[UserEntry], *, dry_run: bool = False, revives: bool = False
    ) -> PutResult:
        """Create or update users with their links, all or nothing; safe to repeat.

        A platform that an entry does not name is left as it is; an empty handle disconnects it. A
        dry run does everything inside a transaction that is rolled back. `revives`: see
        `PreferenceStore`.

        Raises:
            BadInput: a key, a handle or a date cannot be stored.
        """
        # In one order: two callers who tell of the same users must not wait for each other.
        ordered = sorted(entries, key=attrgetter("key"))
        if not dry_run:
            self.orders.note([entry.key for entry in ordered])
        try:
            return await self._database.repeat(
                lambda: self._put_once(ordered, dry_run=dry_run, revives=revives)
            )
        except RowRefused as exc:
            raise BadInput(
                "the database refuses a key, a handle or a date of these users",
                hint="look for one that is very long or holds unusual characters",
            ) from exc

    async def _put_once(
        self, entries: Sequence[UserEntry], *, dry_run: bool, revives: bool
    ) -> PutResult:
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                if not dry_run:
                    await self._fence.show(connection)
                results = [
                    await self.put_within(
                        connection, entries[start : start + SLICE], revives=revives
                    )
                    for start in range(0, len(entries), SLICE)
                ]
            except BaseException:
                await undo(connection, transaction)
                raise
            if dry_run:
                await transaction.rollback()
            else:
                await transaction.commit()
        return total(results)

    async def put_within(
        self, connection: Connection, entries: Sequence[UserEntry], *, revives: bool = False
    ) -> PutResult:
        """Put at most `SLICE` users inside a transaction of the caller, in the order of keys."""
        rows = await connection.fetch(
            self._sql["put_users"],
            [entry.key for entry in entries],
            [entry.opted_out for entry in entries],
            [entry.last_login_at for entry in entries],
        )
        created = {row["key"] for row in rows if row["is_new"]}
        changed = {row["key"] for row in rows}
        unlinked, unlinked_keys = await self._unlink(connection, entries)
        linked, replaced, linked_keys = await self._link(connection, entries)
        out_keys, opted_out = await self._opt(connection, entries, opted_out=True)
        in_keys, opted_in = await self._opt(connection, entries, opted_out=False)
        notify_keys = await self.preferences.put_within(connection, entries, revives=revives)
        changed |= unlinked_keys | linked_keys | out_keys | in_keys | notify_keys
        changed -= created
        return PutResult(
            created=len(created),
            changed=len(changed),
            same=len(entries) - len(created) - len(changed),
            linked=linked,
            unlinked=len(unlinked),
            withdrawn=frozenset(opted_out | unlinked | replaced),
            readmitted=frozenset(opted_in),
        )

    async def _opt(
        self, connection: Connection, entries: Sequence[UserEntry], *, opted_out: bool
    ) -> tuple[set[str], set[AccountId]]:
        keys = [entry.key for entry in entries if entry.opted_out is opted_out]
        rows = await connection.fetch(self._sql["set_opted_out"], keys, opted_out)
        touched = {AccountId(number) for row in rows for number in row["accounts"]}
        return {row["key"] for row in rows}, touched

    async def _unlink(
        self, connection: Connection, entries: Sequence[UserEntry]
    ) -> tuple[set[AccountId], set[str]]:
        gone = [
            (entry.key, platform)
            for entry in entries
            for platform, handle in entry.accounts.items()
            if not handle
        ]
        if not gone:
            return set(), set()
        keys, platforms = zip(*gone, strict=True)
        rows = await connection.fetch(self._sql["unlink_accounts"], keys, platforms)
        return {AccountId(row["id"]) for row in rows}, {row["key"] for row in rows}

    async def _link(
        self, connection: Connection, entries: Sequence[UserEntry]
    ) -> tuple[int, set[AccountId], set[str]]:
        wanted = [
            (entry.key, platform, handle)
            for entry in entries
            for platform, handle in entry.accounts.items()
            if handle
        ]
        if not wanted:
            return 0, set(), set()
        keys, platforms, handles = zip(*wanted, strict=True)
        rows = await connection.fetch(self._sql["link_accounts"], keys, platforms, handles)
        await connection.execute(
            self._sql["add_accounts"],
            [row["user_id"] for row in rows],
            [row["opted_out"] for row in rows],
            [row["platform"] for row in rows],
            [row["handle"] for row in rows],
        )
        replaced = {AccountId(row["old_id"]) for row in rows if row["old_id"] is not None}
        return len(rows), replaced, {row["key"] for row in rows}

    async def set_opted_out(self, key: str, *, opted_out: bool) -> set[AccountId]:
        """Opt a user out of everything, or in again; return the accounts whose state changed."""
        self.orders.note([key])
        async with self._fence.transaction(self._database) as connection:
            rows = await connection.fetch(self._sql["set_opted_out"], [key], opted_out)
        return {AccountId(number) for row in rows for number in row["accounts"]}

    async def delete(self, key: str) -> frozenset[AccountId] | None:
        """Delete a user with all accounts and profiles; None when there was no such user.

        Of a user who opted out and is mirrored that much is kept: the query would bring them back.
        """
        self.orders.note([key])
        async with self._fence.transaction(self._database) as connection:
            users, accounts = await self.delete_within(connection, [key], are_named=True)
        return accounts if users else None

    async def delete_within(
        self, connection: Connection, keys: Sequence[str], *, are_named: bool
    ) -> tuple[int, frozenset[AccountId]]:
        """Delete users inside a transaction of the caller; return how many, and their accounts.

        `are_named` tells whether the query of [users] still names them.
        """
        row = await connection.fetchrow(self._sql["delete_users"], keys, are_named)
        assert row is not None
        return row["users"], frozenset(map(AccountId, row["accounts"]))

    async def read_page(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return users, accounts and preferences in the order of keys, those behind `after`."""
        async with self._database.connection() as connection:
            return await self._read(connection, after, None, limit)

    async def read(self, key: str) -> dict[str, Any] | None:
        """Return one user with their accounts and preferences, or None."""
        async with self._database.connection() as connection:
            found = await self._read(connection, "", [key], 1)
        return found[0] if found else None

    async def _read(
        self, connection: Connection, after: str, keys: Sequence[str] | None, limit: int
    ) -> list[dict[str, Any]]:
        rows = await connection.fetch(self._sql["read_users"], after, keys, limit)
        told = await self.preferences.read_within(connection, [row["key"] for row in rows])
        return [{**_to_user(row), **told[row["key"]]} for row in rows]

    async def unknown(self, keys: Sequence[str]) -> list[str]:
        """Return those of these keys that no user has."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["unknown_keys"], list(keys))
        return [row["key"] for row in rows]

    async def count(self) -> int:
        """Return how many users are known."""
        async with self._database.connection() as connection:
            found: int = await connection.fetchval(self._sql["count_users"])
        return found


def total(results: Sequence[PutResult]) -> PutResult:
    """Add up what several slices changed."""
    return PutResult(
        created=sum(result.created for result in results),
        changed=sum(result.changed for result in results),
        same=sum(result.same for result in results),
        linked=sum(result.linked for result in results),
        unlinked=sum(result.unlinked for result in results),
        withdrawn=frozenset().union(*(result.withdrawn for result in results)),
        readmitted=frozenset().union(*(result.readmitted for result in results)),
    )


def _to_user(row: Row) -> dict[str, Any]:
    """Return a user whose accounts' instants, texts in JSON, are instants like the user's own."""
    user = dict(row)
    for account in user["accounts"]:
        for name in ("fresh_at", "attempted_at"):
            if account[name] is not None:
                account[name] = datetime.fromisoformat(account[name])
    return user
