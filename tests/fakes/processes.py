"""Which processes are there, and how large: those of a folder, the servers of a data directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from syncd.embedded.process import serves

MARKERS = {"postgres": "-D", "valkey": "--dir"}


def processes_of(folder: Path) -> dict[int, str]:
    """Return what runs with the folder in its command line, or in it; by pid."""
    return {
        pid: line
        for pid, line, home in _processes()
        if pid != os.getpid() and (str(folder) in line or home.is_relative_to(folder))
    }


def servers_of(state_dir: Path, server: str) -> list[int]:
    """Return the pids of the servers, `postgres` or `valkey`, that run on a state directory."""
    marker = (MARKERS[server], str(state_dir / server))
    return [pid for pid, _, _ in _processes() if serves(pid, marker)]


def peak_megabytes(pid: int) -> float:
    """Return the most memory a process ever had in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} is gone")


def _processes() -> Iterator[tuple[int, str, Path]]:
    for entry in Path("/proc").iterdir():
        # Processes end while we look.
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                home = (entry / "cwd").readlink() if line else Path("/")
                yield int(entry.name), line.replace("\0", " "), home
