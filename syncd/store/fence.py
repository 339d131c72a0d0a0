"""The fence: what writes for a run shows the epoch of the lease, or writes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn

from syncd.errors import LeaseLost
from syncd.model.lease import LEADER, Lease
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row


class Fence:
    """The epoch in which this process leads, as every write of a run shows it.

    None: it does not lead, and writes nothing. It begins with 0, the epoch of a database on which
    nobody ever led: whoever takes the lease there makes it 1.
    """

    def __init__(self) -> None:
        self._epoch: int | None = 0
        self._sql = load_blocks("leases")
        # Set by whoever finds that somebody else leads.
        self.refused = asyncio.Event()

    @property
    def epoch(self) -> int | None:
        """Return the epoch in which this process leads, None while it does not."""
        return self._epoch

    def open(self, epoch: int) -> None:
        """Let writes through as long as this epoch leads."""
        self._epoch = epoch
        self.refused.clear()

    def close(self) -> None:
        """Let no write through any more; asks nobody."""
        self._epoch = None

    @contextlib.asynccontextmanager
    async def transaction(self, database: Database) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction that has shown the epoch.

        Raises:
            LeaseLost: somebody else leads; nothing was written.
        """
        if self._epoch is None:
            raise _lost()
        async with database.transaction() as connection:
            await self.show(connection)
            yield connection

    async def write(self, database: Database, statement: str, *values: Any) -> Sequence[Row]:
        """Run one statement that shows the epoch by itself: one trip instead of four.

        Its last two values are the lease and the epoch; it has a row, if only of NULLs, as long as
        this epoch leads, and writes nothing otherwise.

        Raises:
            LeaseLost: somebody else leads; nothing was written.
        """
        if self._epoch is None:
            raise _lost()
        async with database.connection() as connection:
            return await self.written(connection, statement, *values)

    async def written(self, connection: Connection, statement: str, *values: Any) -> Sequence[Row]:
        """Do the same on a connection that is there.

        Raises:
            LeaseLost: somebody else leads; nothing was written.
        """
        epoch = self._epoch
        rows = [] if epoch is None else await connection.fetch(statement, *values, LEADER, epoch)
        if not rows:
            await self._refuse(connection)
        return rows

    async def show(self, connection: Connection) -> None:
        """Show the epoch inside a transaction; nobody takes the lease over before its end.

        Raises:
            LeaseLost: somebody else leads; the transaction must not commit.
        """
        epoch = self._epoch
        found = None
        if epoch is not None:
            found = await connection.fetchval(self._sql["show_epoch"], LEADER, epoch)
        if found is None or epoch != self._epoch:
            await self._refuse(connection)

    async def _refuse(self, connection: Connection) -> NoReturn:
        """Say who leads instead."""
        self.refused.set()
        leader = await connection.fetchrow(self._sql["read_lease"], LEADER)
        raise _lost(None if leader is None else Lease(**leader))


def _lost(leader: Lease | None = None) -> LeaseLost:
    hint = "`syncd status` names the one that leads"
    if leader is not None and leader.listen:
        hint = f"ask the one that leads, {leader.holder}: its control port is {leader.listen}"
    return LeaseLost("this syncd does not lead any more; nothing was written", hint=hint)
