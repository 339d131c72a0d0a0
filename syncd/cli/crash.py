"""What a crash leaves behind: stacks on standard error, and nothing of our memory on disk."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

_FILTER = Path("/proc/self/coredump_filter")


def leave_no_core() -> None:
    """Let a core dump of this process, and of the servers it starts, hold nothing.

    Memory holds tokens. The limit is for files; where a program takes the dump (a pipe in
    `core_pattern`) only the filter counts. What may not be changed was set by the unit.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        _FILTER.write_text("0", "ascii")
