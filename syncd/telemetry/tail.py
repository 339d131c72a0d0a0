"""Reading the dated files again: `syncd logs`, on its own or following what is being written."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Self

from syncd.clock import Clock
from syncd.errors import BadInput
from syncd.telemetry.events import Level
from syncd.telemetry.files import DatedName, dated_files
from syncd.telemetry.purpose import Purpose
from syncd.telemetry.render import escape

_POLL_SECONDS = 0.2
_HEAD = re.compile(r"(\S+Z) ([A-Z]+) ")
_RUN = re.compile(r" run=(\d+)$")
_LOUDNESS = {level.upper(): loudness for loudness, level in enumerate(Level)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines are asked for; `purpose` None means all of them, merged by time."""

    purpose: Purpose | None = None
    run: int | None = None
    level: Level = Level.DEBUG

    @classmethod
    def parse(cls, purpose: str, run: int | None, level: str) -> Self:
        """Make a query of what a person typed; empty words mean everything.

        Raises:
            BadInput: there is no such purpose or level.
        """
        if purpose and purpose not in set(Purpose):
            raise BadInput(f"no logs of purpose '{purpose}'", hint=f"one of {', '.join(Purpose)}")
        level = level.lower() or Level.DEBUG
        if level not in set(Level):
            raise BadInput(f"no log level '{level}'", hint=f"one of {', '.join(Level)}")
        return cls(purpose=Purpose(purpose) if purpose else None, run=run, level=Level(level))


class LogReader:
    """Read the lines that a query asks for, each once, free of control characters.

    The lines of a stack follow the line they belong to and share its fate.

    Args:
        directory: `[logging] dir` of the configuration.
        query: which lines.

    Raises:
        BadInput: there are no files to read.
    """

    def __init__(self, directory: Path | None, query: LogQuery) -> None:
        if directory is None:
            raise BadInput(
                "the logs are not kept in files",
                hint="set [logging] dir, or read the journal with journalctl -u syncd",
            )
        self._directory = directory
        self._query = query
        self._readers: dict[DatedName, _FileReader] = {}
        try:
            self._listing()
        except OSError as error:
            raise BadInput(
                f"cannot read the log directory {directory}: {error.strerror}",
                hint="the daemon makes it with the first line it writes; its group may read it",
            ) from error

    def history(self, last: int | None = None) -> Iterable[str]:
        """Return what is in the files by now, oldest first; only the `last` lines when given.

        Asked for the last lines it reads no more days than it needs.
        """
        days = self._days()
        if last is None:
            return chain.from_iterable(map(self._new_lines, days))
        found: list[str] = []
        while days and len(found) < last:
            found = [*self._new_lines(days.pop()), *found]
        for name, size in chain.from_iterable(days):
            self._reader(name).skip_to(size)
        return found[-last:] if last > 0 else []

    async def follow(self, clock: Clock) -> AsyncIterator[str]:
        """Yield new lines as they are written, past midnight and full files, until closed."""
        while True:
            # A directory that was removed comes back with the daemon's next line.
            with contextlib.suppress(FileNotFoundError):
                for line in chain.from_iterable(map(self._new_lines, self._days())):
                    yield line
            await clock.sleep(_POLL_SECONDS)

    def _listing(self) -> list[tuple[DatedName, int]]:
        """Return the files of the query's purposes and their sizes, oldest first."""
        wanted = self._query.purpose
        found = sorted(dated_files(self._directory))
        return [(name, size) for name, size in found if wanted in (None, name.purpose)]

    def _days(self) -> list[list[tuple[DatedName, int]]]:
        """Return the listing day by day."""
        by_day = groupby(self._listing(), key=lambda file: file[0].day)
        return [list(files) for _, files in by_day]

    def _reader(self, name: DatedName) -> _FileReader:
        if name not in self._readers:
            self._readers[name] = _FileReader(self._directory / str(name), self._query)
        return self._readers[name]

    def _new_lines(self, day: list[tuple[DatedName, int]]) -> Iterator[str]:
        """Yield what the files of one day hold beyond what was read, merged by time."""
        readers = [self._reader(name).new_lines(size) for name, size in day]
        for _, line in merge(*readers, key=itemgetter(0)):
            yield line


class _FileReader:
    """Reads one dated file from where it stopped the last time."""

    def __init__(self, path: Path, query: LogQuery) -> None:
        self._path = path
        self._query = query
        self._offset = 0
        self._time = ""
        self._is_wanted = False

    def skip_to(self, offset: int) -> None:
        """Take everything before `offset` (bytes) as read."""
        self._offset = offset

    def new_lines(self, size: int) -> Iterator[tuple[str, str]]:
        """Yield the wanted whole lines beyond what was read, with the time that sorts them."""
        if size < self._offset:
            self._offset = 0
        if size == self._offset:
            return
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                self._offset += len(raw)
                line = escape(raw[:-1].decode(errors="backslashreplace"))
                if self._wants(line):
                    yield self._time, line

    def _wants(self, line: str) -> bool:
        head = _HEAD.match(line)
        if head is not None:
            self._time = head[1]
            run = _RUN.search(line)
            is_loud = _LOUDNESS.get(head[2], 0) >= _LOUDNESS[self._query.level.upper()]
            is_mine = self._query.run is None or (
                run is not None and int(run[1]) == self._query.run
            )
            self._is_wanted = is_loud and is_mine
        return self._is_wanted
