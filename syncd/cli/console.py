"""What goes to the terminal: data to standard output, talk to standard error, nothing raw.

Text that came from elsewhere is shown with its control characters escaped, whoever wrote it.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from syncd.telemetry.render import escape

_GAP = "  "
_COLOURS = (
    ("ok", "green"),
    ("succeeded", "green"),
    ("running", "cyan"),
    ("paused", "yellow"),
    ("partial", "yellow"),
    ("held", "yellow"),
    ("failed", "red"),
    ("abandoned", "red"),
    ("problem", "red"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """How to talk to whoever typed the command, and what they said about all commands.

    `config_path` is the config file to use, None if nothing was named and nothing is there.
    """

    config_path: Path | None = None
    environ: Mapping[str, str]
    is_json: bool = False
    has_colour: bool = True
    is_debug: bool = False

    def show(self, *lines: str) -> None:
        """Write data, one or more lines."""
        for line in lines:
            click.echo(escape(line), color=self._colour)

    def show_json(self, value: Any) -> None:
        """Write data as JSON: indented, ASCII."""
        click.echo(json.dumps(value, indent=2, default=_plain))

    def show_json_line(self, value: Any) -> None:
        """Write one of many data as JSON, on one line."""
        click.echo(json.dumps(value, default=_plain))

    def show_table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write data in columns; a cell that is one of the words for a state gets its colour."""
        colours = dict(_COLOURS)
        shown = [[escape(cell) for cell in row] for row in rows]
        widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
        for row in shown:
            cells = [
                click.style(cell, fg=colours.get(cell.lower())) + " " * (width - _width(cell))
                if cell.lower() in colours
                else cell + " " * (width - _width(cell))
                for cell, width in zip(row, widths, strict=True)
            ]
            click.echo(_GAP.join(cells).rstrip(), color=self._colour)

    def say(self, *lines: str) -> None:
        """Tell something that is no data."""
        for line in lines:
            click.echo(escape(line), err=True, color=self._colour)

    @property
    def _colour(self) -> bool | None:
        """Return click's word for it: None leaves it to whether this is a terminal."""
        return None if self.has_colour and not self.environ.get("NO_COLOR") else False


def _width(text: str) -> int:
    """Return how many columns of a terminal a text fills."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter)
        for letter in text
    )


def _plain(value: Any) -> str:
    """Return what JSON does not know as text."""
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
