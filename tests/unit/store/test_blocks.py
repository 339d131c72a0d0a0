from __future__ import annotations

import re

import pytest

from syncd.store.blocks import fill, load_blocks, subjects
from syncd.store.migrate import load_migrations


@pytest.mark.parametrize("subject", subjects())
def test_no_block_is_empty_and_none_reads_every_column(subject: str) -> None:
    for name, text in load_blocks(subject).items():
        words = re.sub(r"--.*", "", text).strip()
        assert words, name
        assert not re.search(r"SELECT \* FROM (?!runs|jsonb|unnest|\()", words), name


def test_migrations_are_numbered_without_a_gap() -> None:
    versions = [migration.version for migration in load_migrations()]

    assert versions == list(range(1, len(versions) + 1))


def test_a_migration_is_known_by_its_content() -> None:
    checksums = {migration.checksum for migration in load_migrations()}

    assert all(len(checksum) == 64 for checksum in checksums)


def test_a_line_about_a_board_is_written_once_for_each() -> None:
    block = "SELECT {user},\n    {score} AS {column},\n    '{}'::jsonb\nFROM {target};"

    text = fill(
        block,
        {"user": '"id"', "target": "public.t"},
        [{"score": "score_1", "column": '"{user}"'}, {"score": "score_2", "column": "b"}],
    )

    assert text.splitlines() == [
        'SELECT "id",',
        '    score_1 AS "{user}",',
        "    score_2 AS b,",
        "    '{}'::jsonb",
        "FROM public.t;",
    ]


def test_a_hole_that_nobody_fills_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("SELECT {nothing}", {}, [{"score": "score_1"}])
