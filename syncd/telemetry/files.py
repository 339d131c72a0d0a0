"""Dated files, one per purpose and day: `github-2026-11-22.log`, then `.1.log` when it is full.

The date in the name makes rotation a matter of opening another file: nothing is renamed, copied or
cut, so no line is lost and no midnight timer is needed. `<purpose>-current.log` points to the file
being written. A file or directory that vanishes is made again with the next line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from syncd.telemetry.purpose import Purpose

_NAME = re.compile(rf"({'|'.join(Purpose)})-(\d{{4}}-\d\d-\d\d)(?:\.([1-9]\d{{0,5}}))?\.log")
_WRITE_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DatedName:
    """The name of a dated file; names sort by age, oldest first. Numbers begin at 0 each day."""

    day: date
    number: int = 0
    purpose: Purpose

    @classmethod
    def parse(cls, text: str) -> DatedName | None:
        """Read a file name; None when it is not one of ours."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        try:
            day = date.fromisoformat(found[2])
        except ValueError:
            return None
        return cls(day=day, number=int(found[3] or 0), purpose=Purpose(found[1]))

    def __str__(self) -> str:
        """Return the file name."""
        number = f".{self.number}" if self.number else ""
        return f"{self.purpose}-{self.day}{number}.log"


def dated_files(directory: Path | int) -> Iterator[tuple[DatedName, int]]:
    """Yield the dated files of a directory and their sizes; nothing else that lies there.

    Raises:
        OSError: the directory cannot be read.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            name = DatedName.parse(entry.name)
            if name is not None and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield name, entry.stat(follow_symlinks=False).st_size


class _OpenFile:
    """A dated file being written."""

    def __init__(self, name: DatedName, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor
        self._is_cut = False

    def takes(self, day: date, max_size: int) -> bool:
        """Tell whether the next line of `day` belongs here: not full, and still in a directory."""
        if self.name.day != day:
            return False
        state = os.fstat(self._descriptor)
        return state.st_nlink > 0 and state.st_size < max_size

    def write(self, line: bytes) -> None:
        """Append a line in one write; raises OSError when the disk does not take it whole."""
        if self._is_cut:
            line = b"\n" + line
        written = os.write(self._descriptor, line)
        self._is_cut = written < len(line)
        if self._is_cut:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.name))

    def close(self) -> None:
        """Close the file; what a full disk has to say at that point is of no use any more."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class DatedFiles:
    """Write lines into the dated files of a directory and keep the directory within bounds.

    Whenever a file is begun, dated files older than `keep` and, beyond `max_total` bytes, the
    oldest ones are deleted. Files are 0640, the directory 0750, both narrowed by the umask.
    Symbolic links are refused, so that nobody who can write here can redirect us.
    """

    def __init__(self, directory: Path, *, keep: timedelta, max_size: int, max_total: int) -> None:
        self._directory = directory
        self._keep = keep
        self._max_size = max_size
        self._max_total = max_total
        self._open: dict[Purpose, _OpenFile] = {}

    def write(self, purpose: Purpose, day: date, line: bytes) -> None:
        """Append a line to the file of that purpose and day.

        Raises:
            OSError: it could not be written; the next call tries afresh.
        """
        file = self._open.get(purpose)
        if file is None or not file.takes(day, self._max_size):
            file = self._begin(purpose, day)
        file.write(line)

    def close(self) -> None:
        """Close every file; the next line opens its file again, wherever the directory is then."""
        while self._open:
            self._open.popitem()[1].close()

    def _begin(self, purpose: Purpose, day: date) -> _OpenFile:
        if purpose in self._open:
            self._open.pop(purpose).close()
        with self._opened_directory() as directory:
            found = sorted(dated_files(directory))
            name = self._name_for(purpose, day, found)
            file = _OpenFile(name, _open_for_append(directory, str(name)))
            self._open[purpose] = file
            _point_current(directory, name)
            if name not in dict(found):
                self._retire(directory, day, found)
        return file

    @contextlib.contextmanager
    def _opened_directory(self) -> Iterator[int]:
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        if self._directory.is_symlink():
            raise OSError(errno.ELOOP, "the log directory is a symbolic link", self._directory)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            yield directory
        finally:
            os.close(directory)

    def _name_for(
        self, purpose: Purpose, day: date, found: list[tuple[DatedName, int]]
    ) -> DatedName:
        """Return the last file of that purpose and day, or the one after it when it is full."""
        mine = [(name, size) for name, size in found if (name.purpose, name.day) == (purpose, day)]
        if not mine:
            return DatedName(purpose=purpose, day=day)
        last, size = mine[-1]
        number = last.number + (size >= self._max_size)
        return DatedName(purpose=purpose, day=day, number=number)

    def _retire(self, directory: int, today: date, found: list[tuple[DatedName, int]]) -> None:
        """Delete what is too old or too much; a file being written is never deleted."""
        in_use = {file.name for file in self._open.values()}
        total = 0
        for name, size in reversed(found):
            total += size
            is_old = name.day < today - self._keep
            if (is_old or total > self._max_total) and name not in in_use:
                with contextlib.suppress(OSError):
                    os.unlink(str(name), dir_fd=directory)


def _open_for_append(directory: int, name: str) -> int:
    descriptor = os.open(name, _WRITE_FLAGS, 0o640, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return descriptor


def _point_current(directory: int, name: DatedName) -> None:
    """Let `<purpose>-current.log` point to the file, unless something else has that name.

    The link is a convenience: when it cannot be made, the lines are written all the same.
    """
    link, fresh = f"{name.purpose}-current.log", f".{name.purpose}-current.new"
    with contextlib.suppress(OSError):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISLNK(os.lstat(link, dir_fd=directory).st_mode):
                return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=directory)
        os.symlink(str(name), fresh, dir_fd=directory)
        os.replace(fresh, link, src_dir_fd=directory, dst_dir_fd=directory)
