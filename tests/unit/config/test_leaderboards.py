from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config.load import load
from syncd.errors import ConfigError

TWO = '[jobs.x]\nkind = "leaderboard"\n[jobs.y]\nkind = "leaderboard"\n'
OTHER = TWO + 'prefix = "p:"\n'
TABLE = 'y.table: job "x" fills it from other boards; name another table'
DIRTY = 'y.dirty: job "x" reads other boards and takes users out of it as well; name another set'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TWO, ""),
        (TWO + 'mode = "incremental"\n', ""),
        (TWO + 'boards = ["yearly", "monthly", "weekly", "daily"]\n', ""),
        (TWO + 'boards = ["daily"]\n', TABLE),
        (OTHER, TABLE),
        (OTHER + 'schema = "syncd"\n', TABLE),
        (OTHER + 'schema = "app"\n', ""),
        (OTHER + 'table = "lb"\n', ""),
        (OTHER + 'table = "lb"\nmode = "incremental"\n', DIRTY),
        (OTHER + 'table = "lb"\nmode = "incremental"\ndirty = "p:dirty"\n', ""),
        (
            TWO + "limit = 5\n",
            "y.limit: is of no use here: boards are read as a whole; leave it out",
        ),
    ],
)
def test_leaderboards_of_other_boards_share_neither_table_nor_set(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    told = ""
    try:
        load(path, {})
    except ConfigError as error:
        told = str(error)

    assert told.partition("jobs.")[2] == said
