"""Forgetting a user: whatever tables know goes, the counts of runs stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.model.account import AccountId
from syncd.model.leaderboard import Target
from syncd.store.blocks import fill, load_blocks
from syncd.store.database import Connection, Database, Row, undo
from syncd.store.fence import Fence
from syncd.store.traces import FORGOTTEN, Traces, cleaned
from syncd.store.users import UserStore

# Some of these read a whole table, of millions of rows perhaps.
_SECONDS = 600.0

# Texts in which somebody may be named, of whomever they are told.
_TEXTS = (
    ("runs", "error"),
    ("runs", "hint"),
    ("gates", "error"),
    ("pauses", "why"),
    ("job_overrides", "why"),
    ("accounts", "state_reason"),
    ("sync_state", "error"),
    ("item_outcomes", "error"),
    ("dead_letters", "error"),
    ("dead_letters", "payload"),
)
_DOCUMENTS = (
    ("runs", "options"),
    ("plans", "reasons"),
    ("plans", "sample"),
    ("reconciliations", "numbers"),
    ("alert_states", "detail"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was removed (of a dry run: what would be), by table; `kept_copies` could not be read."""

    removed: Mapping[str, int]
    kept_copies: tuple[str, ...]


class ForgetStore:
    """Removes one user from every table, whoever owns it.

    Everything may be cut off and repeated: `stop` first, then plays batch by batch (their store
    does that), then the rest in one transaction. What a run under way commits after that names
    nobody: see `SyncStore`.
    """

    def __init__(self, database: Database, fence: Fence, users: UserStore) -> None:
        self._database = database
        self._fence = fence
        self._users = users
        self._sql = load_blocks("forget")

    async def find(self, key: str) -> Traces:
        """Return what a user is called, also of one who was deleted."""
        async with self._database.connection() as connection:
            user = await connection.fetchrow(self._sql["find_user"], key)
            accounts = await connection.fetch(self._sql["find_accounts"], key)
            former = await connection.fetch(self._sql["find_former"], key, timeout=_SECONDS)
            addresses = await connection.fetch(self._sql["find_addresses"], key)
            rows = await connection.fetchrow(self._sql["count_rows"], key, timeout=_SECONDS)
        assert rows is not None
        is_kept = user is not None and user["is_kept"]
        told = ("handle", "linked_as", "external_id")
        names = {key, *(row["handle"] for row in former)}
        names |= {row[column] for row in accounts for column in told}
        names |= {row["address"] for row in addresses}
        return Traces(
            key=key,
            user_id=None if user is None else user["id"],
            is_mirrored=user is not None and user["is_mirrored"],
            is_kept=is_kept,
            rows={**rows, "users": 0 if is_kept else rows["users"]},
            accounts=tuple(AccountId(row["id"]) for row in accounts),
            names=frozenset(names - {""}),
            places=tuple(f"{row['platform']}:{row['handle']}" for row in (*accounts, *former)),
        )

    async def stop(self, key: str) -> None:
        """Remove what the user granted, and let nobody ask for the accounts any more."""
        self._users.orders.note([key])
        reason = f"the user is being forgotten; `syncd users forget {key}` goes on with it"
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["stop_asking"], key, reason)

    async def forget(
        self, traces: Traces, boards: Mapping[str, Target], *, dry_run: bool
    ) -> Forgotten:
        """Remove everything else, all or nothing; a dry run takes it back and tells the counts.

        Args:
            traces: who.
            boards: the table of each leaderboard job; one in a schema of the platform is left.
            dry_run: only count.
        """
        self._users.orders.note([traces.key])
        return await self._database.repeat(lambda: self._forget(traces, boards, dry_run))

    async def _forget(
        self, traces: Traces, boards: Mapping[str, Target], dry_run: bool
    ) -> Forgotten:
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._fence.show(connection)
                removed = Counter(traces.rows)
                await self._users.delete_within(connection, [traces.key], are_named=True)
                kept = await self._forget_copies(connection, traces.key, boards, removed)
                removed.update(await self._forget_traces(connection, traces))
                removed["texts"] = await self._clean(connection, traces)
            except BaseException:
                await undo(connection, transaction)
                raise
            await (transaction.rollback() if dry_run else transaction.commit())
        return Forgotten(removed=removed, kept_copies=kept)

    async def _forget_traces(self, connection: Connection, traces: Traces) -> Mapping[str, int]:
        key, accounts = traces.key, list(traces.accounts)
        places = (
            ("item_outcomes", "forget_outcomes", (key, accounts)),
            ("dead_letters", "forget_letters", (key,)),
            ("score_due", "forget_due", (traces.user_id,)),
            ("pauses", "forget_pauses", (list(traces.places),)),
            ("leaderboard_missing", "forget_missing", (key,)),
            ("plan_rows", "forget_planned", (key,)),
            ("leaderboard_tombstones", "forget_tombstones", (key,)),
        )
        return {
            table: await self._execute(connection, block, *values)
            for table, block, values in places
        }

    async def _forget_copies(
        self,
        connection: Connection,
        key: str,
        boards: Mapping[str, Target],
        removed: Counter[str],
    ) -> tuple[str, ...]:
        """Remove the user's row from syncd's own tables of scores and their copies."""
        kept: list[str] = []
        own = {
            (target.table, target.user_column) for target in boards.values() if not target.schema
        }
        for copy in await connection.fetch(self._sql["find_copies"]):
            if copy["job"] in boards:
                own.add((copy["table_name"], boards[copy["job"]].user_column))
            else:
                kept.append(copy["table_name"])
        for table, column in sorted(own):
            for named in await connection.fetch(self._sql["find_table"], "", table, column):
                removed[table] += await self._execute(connection, "forget_row", key, **named)
        return tuple(kept)

    async def _clean(self, connection: Connection, traces: Traces) -> int:
        """Take the names out of texts about others, and out of the options of runs."""
        total = 0
        for table, column in _TEXTS:
            holes = {"noted": table, "words": column}
            total += await self._execute(
                connection, "clean_texts", traces.pattern, FORGOTTEN, **holes
            )
        for table, column in _DOCUMENTS:
            holes = {"noted": table, "document": column}
            find = fill(self._sql["find_noted"], holes, [])
            rows = await connection.fetch(find, traces.pattern, timeout=_SECONDS)
            total += await self._clean_documents(connection, rows, traces, holes)
        return total

    async def _clean_documents(
        self, connection: Connection, rows: Sequence[Row], traces: Traces, holes: Mapping[str, str]
    ) -> int:
        changed = [
            (row["place"], clean)
            for row in rows
            if (clean := _clean(row["document"], traces)) != row["document"]
        ]
        if not changed:
            return 0
        places, documents = zip(*changed, strict=True)
        return await self._execute(
            connection, "clean_noted", list(places), list(documents), **holes
        )

    async def _execute(
        self, connection: Connection, block: str, *values: object, **holes: str
    ) -> int:
        sql = fill(self._sql[block], holes, []) if holes else self._sql[block]
        done = await connection.execute(sql, *values, timeout=_SECONDS)
        return int(done.rpartition(" ")[2])


def _clean(document: object, traces: Traces) -> object:
    return cleaned(document, traces, about_people=isinstance(document, list))
