from __future__ import annotations

from collections.abc import Mapping

import pytest
from fakes.benches import TARGET

from syncd.store.blocks import fill, load_blocks, subjects
from syncd.store.database import Database
from syncd.store.target import name_target

BLOCKS = [(subject, name) for subject in subjects() for name in load_blocks(subject)]
# What is named only when a statement is about to run.
HOLES = {
    "side": "FULL",
    "rows": "lb_changes",
    "backup": "pomo_leaderboard",
    "columns": "user_id, updated_at",
    "changeable": "user_id, updated_at",
    "board": "pomo_leaderboard",
    "who": "user_id",
    "noted": "runs",
    "words": "error",
    "document": "options",
}


async def filled(database: Database, subject: str) -> Mapping[str, str]:
    """The blocks of a subject, about syncd's own table where they are about any."""
    async with database.connection() as connection:
        names = await name_target(connection, TARGET, database.settings.schema)
    table = {**names.table, **HOLES}
    return {name: fill(text, table, names.boards) for name, text in load_blocks(subject).items()}


@pytest.mark.parametrize(("subject", "name"), BLOCKS)
async def test_every_sql_block_is_understood_by_the_migrated_schema(
    database: Database, subject: str, name: str
) -> None:
    blocks = await filled(database, subject)
    own = list(blocks.values())
    if subject.startswith("leaderboard"):
        own = [
            block
            for each in ("leaderboard_stage", "leaderboard_recall")
            for block in (await filled(database, each)).values()
        ]
    async with database.connection() as connection:
        for block in own:
            if "CREATE TEMP TABLE" in block and block != blocks[name]:
                await connection.execute(block)
        statement = await connection.prepare(blocks[name])

        assert statement.get_query()
