"""Named SQL blocks: `sql/<subject>.sql` holds them, each under a line `-- name: what_it_does`.

A block about a table whose names are configured has holes, `{target}`, that `fill` puts them into.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_HOLE = re.compile(r"\{([a-z_]+)\}")


@functools.cache
def load_blocks(subject: str) -> Mapping[str, str]:
    """Read the blocks of one subject: name to SQL text, in the order of the file."""
    text = resources.files("syncd.store").joinpath("sql", f"{subject}.sql").read_text("utf-8")
    parts = _NAME.split(text)
    names, bodies = parts[1::2], parts[2::2]
    assert len(set(names)) == len(names), f"two blocks of one name in {subject}.sql"
    return MappingProxyType(dict(zip(names, (body.strip() for body in bodies), strict=True)))


def subjects() -> list[str]:
    """Name every subject that has SQL, sorted."""
    folder = resources.files("syncd.store").joinpath("sql")
    return sorted(entry.name[:-4] for entry in folder.iterdir() if entry.name.endswith(".sql"))


def fill(block: str, names: Mapping[str, str], boards: Sequence[Mapping[str, str]]) -> str:
    """Put names, quoted already, into the holes of a block.

    A line with a hole that only boards have a name for is written once for each board.
    """
    lines: list[str] = []
    for line in block.splitlines():
        is_general = names.keys() >= set(_HOLE.findall(line))
        values = [names] if is_general else [{**names, **board} for board in boards]
        lines += [_filled(line, each) for each in values]
    return "\n".join(lines)


def _filled(line: str, names: Mapping[str, str]) -> str:
    return _HOLE.sub(lambda hole: names[hole[1]], line)
