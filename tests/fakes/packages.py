"""An installation in which a Python package is missing."""

from __future__ import annotations

import site
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def packages_without(*prefixes: str, into: Path) -> Path:
    """Return a folder that holds what is installed here but for some wheels."""
    into.mkdir()
    for entry in Path(site.getsitepackages()[0]).iterdir():
        if not entry.name.startswith(prefixes):
            (into / entry.name).symlink_to(entry)
    return into
