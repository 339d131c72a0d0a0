"""Where in config.toml something is, and what is wrong there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""The keys that lead to a value, list positions as numbers from 0."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: `message` reads on from `path.to.key: `, without a full stop."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """Write a path as people do: `platforms.github.credentials[0].token`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else quoted(part)
            text += f".{key}" if text else key
    return text


def quoted(text: str) -> str:
    """Put text that somebody wrote into quotes: what cannot be printed escaped, at most 60 long."""
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return json.dumps(text, ensure_ascii=not text.isprintable())
