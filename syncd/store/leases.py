"""The lease of the leader: one row, taken, renewed and released by the database's clock."""

from __future__ import annotations

from datetime import timedelta

from syncd.model.lease import LEADER, Candidate, Lease
from syncd.store.blocks import load_blocks
from syncd.store.database import Database


class LeaseStore:
    """Owns the table `leases`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("leases")

    async def read(self) -> Lease | None:
        """Return who leads, or led last and was not stopped in order; None where nobody does."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["read_lease"], LEADER)
        return None if row is None else Lease(**row)

    async def take(self, candidate: Candidate, ttl: timedelta) -> int | None:
        """Lead from now on, and return the epoch; None while somebody else does.

        Exactly one of those who ask gets it. A lost reply costs an epoch: ask again.
        """
        async with self._database.transaction() as connection:
            await connection.fetchval(self._sql["lock_lease"], LEADER)
            epoch: int | None = await connection.fetchval(
                self._sql["take_lease"],
                LEADER,
                candidate.holder,
                candidate.instance,
                candidate.listen,
                candidate.version,
                ttl,
            )
        return epoch

    async def renew(self, epoch: int, ttl: timedelta) -> bool:
        """Lead for another `ttl`; False where somebody else does."""
        async with self._database.connection() as connection:
            found = await connection.fetchval(self._sql["renew_lease"], LEADER, epoch, ttl)
        return found is not None

    async def release(self, epoch: int) -> None:
        """Let anybody take it at once; changes nothing where somebody else leads."""
        async with self._database.connection() as connection:
            await connection.execute(self._sql["release_lease"], LEADER, epoch)
