"""Another time for a daemon: what Debian's `faketime` does, without standing before the process."""

from __future__ import annotations

import functools
import subprocess

_TRIES = 5


def faked_clock(start: str) -> dict[str, str]:
    """Return the variables with which a process has another time, and its children do not.

    The command itself would stand between us and the daemon, and keep its signals. Durations are
    as they are.
    """
    return {"LD_PRELOAD": _library(), "FAKETIME": start, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@functools.cache
def _library() -> str:
    """Return what the command preloads.

    It names shared memory by its process number and fails where one that was killed under that
    number left some behind: the next has another number.
    """
    command = ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"]
    for _ in range(_TRIES):
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            return shown.stdout.strip()
    raise AssertionError(f"faketime does not start: {shown.stderr.strip()}")
