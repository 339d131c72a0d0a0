"""What gates must remember: kept here, so that a restart in the middle of a pause keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from syncd.model.gate import GateState
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence

# The columns that the block `write_gates` takes first, in its order.
_COLUMNS = (
    "platform",
    "credential",
    "fingerprint",
    "paused_until",
    "pause_cause",
    "pauses_in_a_row",
    "openings",
    "opened_at",
    "open_until",
    "failure",
    "error",
)


class GateStore:
    """Owns the table `gates`.

    Every write is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("gates")

    async def write(self, states: Sequence[GateState]) -> None:
        """Keep what gates are like now, one state for each; safe to repeat."""
        columns = [[getattr(state, name) for state in states] for name in _COLUMNS]
        used_up = [
            {name: until.isoformat() for name, until in state.used_up.items()} for state in states
        ]
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["write_gates"], *columns, used_up)

    async def read(self) -> Sequence[GateState]:
        """Return what every gate was like when it was last written."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_gates"])
        return [GateState(**{**row, "used_up": _instants(row["used_up"])}) for row in rows]


def _instants(used_up: Mapping[str, str]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(until) for name, until in used_up.items()}
