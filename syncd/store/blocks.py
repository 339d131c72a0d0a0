"""Named SQL blocks: `sql/<subject>.sql` holds them, each under a line `-- name: what_it_does`."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


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
