"""How long a text may be, where a service counts in its own way."""

from __future__ import annotations

import json
from collections.abc import Callable


def in_bytes(text: str) -> int:
    """Return how many bytes a text has."""
    return len(text.encode())


def in_json(text: str) -> int:
    """Return how many bytes a text has in JSON that is plain ASCII."""
    return len(json.dumps(text))


def in_units(text: str) -> int:
    """Return how many UTF-16 units a text has: what JavaScript calls its length."""
    return len(text.encode("utf-16-le")) // 2


def shortened(text: str, limit: int, length: Callable[[str], int] = len) -> str:
    """Return a text that is no longer than `limit`; what was cut off leaves `…`."""
    if length(text) <= limit:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if length(text[:middle] + "…") <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"
