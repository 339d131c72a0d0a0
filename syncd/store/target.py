"""The table that follows the boards: whether it can, and what statements call it.

It may be syncd's own or one that the platform made; nothing is ever changed about its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.errors import TargetUnfit
from syncd.model.leaderboard import Target
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection

_ABOUT_TABLE = ("target", "user", "updated", "told", "longest", "collation")
_ABOUT_BOARD = ("score", "column", "label", "exact", "most", "digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What goes into the holes of statements: of the table, and of each board's column."""

    table: Mapping[str, str]
    boards: Sequence[Mapping[str, str]]


async def name_target(connection: Connection, target: Target, schema: str) -> Names:
    """Look at the table and return what statements call it.

    Raises:
        TargetUnfit: it cannot follow the boards; every reason at once.
    """
    sql = load_blocks("leaderboard_target")
    columns = list(target.columns.values())
    place = (schema, target.table)
    problems = await connection.fetch(
        sql["find_problems"], *place, target.user_column, target.updated_column, columns
    )
    if problems:
        mends = [row["mend"] for row in problems if row["mend"]]
        raise TargetUnfit(
            f"table {schema}.{target.table} cannot follow the boards: "
            + "; ".join(row["sentence"] for row in problems),
            hint=f"as its owner run: {'; '.join(mends)}" if mends else "name another table",
        )
    rows = await connection.fetch(
        sql["name_target"], *place, target.user_column, target.updated_column, columns
    )
    return Names(
        table={name: rows[0][name] for name in _ABOUT_TABLE},
        boards=[{name: row[name] for name in _ABOUT_BOARD} for row in rows],
    )
