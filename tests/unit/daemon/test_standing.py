"""How a process stands, as probes are told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from syncd.daemon.standing import Standing


class Other(Standing):
    """A process that stands by: its database answers, and another syncd leads."""

    def __init__(self) -> None:
        reached = asyncio.Event()
        reached.set()
        core: Any = SimpleNamespace(
            health=SimpleNamespace(ready=reached, error=""),
            leadership=SimpleNamespace(leader="another", is_leading=False, refusal="it leads"),
        )
        self._core = core


def test_who_stands_by_is_no_standby_once_its_end_has_begun() -> None:
    other = Other()
    before = other.is_standby()
    other.is_stopping = True

    assert (before, other.is_standby()) == (True, False)
    assert other.is_ready() == (False, "syncd is stopping")
