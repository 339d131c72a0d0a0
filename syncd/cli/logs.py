"""`syncd logs`: the dated files, merged and filtered, also while they are being written."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import config_file
from syncd.config.interpolation import expand_table
from syncd.config.source import read_source

if TYPE_CHECKING:
    from syncd.telemetry.tail import LogReader

_HEAD = re.compile(r"(\S+Z) ([A-Z]+) +(.*)")
_LAST_WHEN_FOLLOWING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs(Command):
    """Show the log files.

    All of them, or those of one PURPOSE (cron, profile-update, github, http, audit). They are read
    where they lie, so this works without the daemon. With --json one object a line.
    """

    parameters = (
        click.Argument(["purpose"], default=""),
        click.Option(["--follow", "-f"], is_flag=True, help="Go on with what is being written."),
        click.Option(["--run", "run_id"], type=click.IntRange(1), metavar="RUN", help="Of a run."),
        click.Option(["--level"], default="", metavar="LEVEL", help="This level and above."),
        click.Option(["--last", "-n"], type=click.IntRange(0), help="Only the last lines."),
    )
    purpose: str
    follow: bool
    run_id: int | None
    level: str
    last: int | None

    def run(self, console: Console) -> Exit:
        """Read until the end; when following, until interrupted."""
        from syncd.telemetry.tail import LogQuery, LogReader  # noqa: PLC0415 - asyncio is heavy

        query = LogQuery.parse(self.purpose, self.run_id, self.level)
        reader = LogReader(_log_dir(console), query)
        last = _LAST_WHEN_FOLLOWING if self.follow and self.last is None else self.last
        for line in reader.history(last):
            _show(console, line)
        if self.follow:
            _follow(console, reader)
        return Exit.OK


def _follow(console: Console, reader: LogReader) -> None:
    import asyncio  # noqa: PLC0415 - most commands do without

    from syncd.clock import SystemClock  # noqa: PLC0415 - it imports asyncio

    async def show_new() -> None:
        async for line in reader.follow(SystemClock()):
            _show(console, line)
            sys.stdout.flush()

    asyncio.run(show_new())


def _log_dir(console: Console) -> Path | None:
    """Return `[logging] dir`, whatever else may be wrong with the file: logs are read in need."""
    source = read_source(config_file(console), console.environ)
    document, _ = expand_table(source.document, source.environ)
    logging: Any = document.get("logging")
    folder = logging.get("dir") if isinstance(logging, Mapping) else None
    return source.folder / folder if folder and isinstance(folder, str) else None


def _show(console: Console, line: str) -> None:
    if not console.is_json:
        console.show(line)
        return
    head = _HEAD.fullmatch(line)
    console.show_json_line(
        {"at": head[1], "level": head[2].lower(), "line": head[3]} if head else {"line": line}
    )
