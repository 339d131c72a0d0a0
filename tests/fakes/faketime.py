"""Another time for a daemon: what Debian's `faketime` does, without standing before the process."""

from __future__ import annotations

import subprocess


def faked_clock(start: str) -> dict[str, str]:
    """Return the variables with which a process has another time, and its children do not.

    The command itself would stand between us and the daemon, and keep its signals. Durations are
    as they are.
    """
    shown = subprocess.run(
        ["faketime", "-f", start, "printenv", "LD_PRELOAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    library = shown.stdout.strip()
    return {"LD_PRELOAD": library, "FAKETIME": start, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
