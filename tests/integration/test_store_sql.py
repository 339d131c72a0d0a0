from __future__ import annotations

import pytest

from syncd.store.blocks import load_blocks, subjects
from syncd.store.database import Database

BLOCKS = [(subject, name) for subject in subjects() for name in load_blocks(subject)]


@pytest.mark.parametrize(("subject", "name"), BLOCKS)
async def test_every_sql_block_is_understood_by_the_migrated_schema(
    database: Database, subject: str, name: str
) -> None:
    async with database.connection() as connection:
        for block in load_blocks(subject).values():
            if "CREATE TEMP TABLE" in block and block != load_blocks(subject)[name]:
                await connection.execute(block)
        statement = await connection.prepare(load_blocks(subject)[name])

        assert statement.get_query()
