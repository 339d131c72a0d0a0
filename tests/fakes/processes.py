"""Which processes are there, and how large: those of a folder, the servers of a data directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from fakes.waiting import until

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
    """Return the pids of the servers, `postgres` or `valkey`, that run on a state directory.

    What a server forks has its command line until it says what it is: it is not one itself.
    """
    marker = (MARKERS[server], str(state_dir / server))
    found = [pid for pid, _, _ in _processes() if serves(pid, marker)]
    return [pid for pid in found if _parent(pid) not in {None, *found}]


async def one_server_each(state_dir: Path) -> None:
    """Wait until what was killed before it had written down that it is there has ended as well."""

    async def are_alone() -> bool:
        return [len(servers_of(state_dir, server)) for server in MARKERS] == [1, 1]

    await until(are_alone, what=f"one server each in {state_dir}")


def peak_megabytes(pid: int) -> float:
    """Return the most memory a process ever had in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} is gone")


def _parent(pid: int) -> int | None:
    """Return the parent of a process; None where it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything.
    state, parent, *_ = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(parent)


def _processes() -> Iterator[tuple[int, str, Path]]:
    for entry in Path("/proc").iterdir():
        # Processes end while we look.
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                home = (entry / "cwd").readlink() if line else Path("/")
                yield int(entry.name), line.replace("\0", " "), home
