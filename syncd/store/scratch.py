"""A schema that is made to be thrown away, and what a trial finds in it."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.store.blocks import load_blocks
from syncd.store.database import Database

SCRATCH = "syncd_selftest_"
"""What the name of such a schema begins with; no other is ever dropped."""


class ScratchSchema:
    """The schema of a `Database`, which `migrate` made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("scratch")

    async def is_there(self) -> bool:
        """Tell whether anything of it is left."""
        async with self._database.connection() as connection:
            return bool(
                await connection.fetchval(self._sql["is_there"], self._database.settings.schema)
            )

    async def drop(self) -> None:
        """Drop it with everything in it; safe to repeat."""
        async with self._database.transaction() as connection:
            schema = self._database.settings.schema
            statement = await connection.fetchval(self._sql["drop_statement"], schema)
            assert statement, f"{schema} was not made to be thrown away"
            await connection.execute(statement)

    async def scores(self) -> Sequence[float]:
        """Return the daily scores in the leaderboard's table, in the order of the users."""
        async with self._database.connection() as connection:
            return [row["daily_pomo"] for row in await connection.fetch(self._sql["scores"])]
