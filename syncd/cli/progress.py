"""How far a run is: bars on a terminal, plain lines elsewhere, one line when it is done."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from syncd.cli.console import Console
from syncd.cli.words import in_words, tally
from syncd.clock import Clock, SystemClock
from syncd.telemetry.render import escape

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY_SECONDS = 10.0
# What a run under way waits for all the time, one after the other: its own limits.
_ORDINARY_WAITS = (" bucket: ", " slots: ")

Told = Mapping[str, Any]
"""What `run.progressed` tells: `platform done total report rate eta_seconds waits_for`."""


class _Display(Protocol):
    def update(self, told: Told) -> None: ...

    def close(self) -> None: ...


class ProgressView:
    """Shows the progress of one run as long as the context lasts, on standard error.

    Args:
        console: where to.
        is_terminal: whether bars can be drawn; None asks standard error.
        clock: decides how often a plain line is written.
    """

    def __init__(
        self, console: Console, *, is_terminal: bool | None = None, clock: Clock | None = None
    ) -> None:
        self._console = console
        self._is_terminal = sys.stderr.isatty() if is_terminal is None else is_terminal
        self._clock = clock or SystemClock()
        self._display: _Display = _Lines(console, self._clock)

    def __enter__(self) -> Self:
        """Take the terminal."""
        if self._is_terminal:
            self._display = _Bars(self._console)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state standing and give the terminal back."""
        self._display.close()

    def update(self, told: Told) -> None:
        """Show how far the run is on one platform."""
        self._display.update(told)


def summary(run: Mapping[str, Any]) -> str:
    """Write what came of a run in one line: `done in 1.9 s: 1 updated, 1 unchanged`."""
    took = run.get("duration_seconds")
    how = "done" if run["outcome"] == "succeeded" else run["outcome"]
    what = tally(run) if run["seen"] or not run["error"] else run["error"]
    return f"{how}{'' if took is None else f' in {in_words(took)}'}: {what}"


class _Lines:
    """Plain lines: one each ten seconds and platform at most.

    The last one is written in any case, and at once what is new about what a platform waits for.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._written_at: dict[str, float] = {}
        self._latest: dict[str, Told] = {}
        self._last: dict[str, str] = {}
        self._waits: dict[str, str] = {}

    def update(self, told: Told) -> None:
        """Write a line, or keep it for later."""
        platform = str(told["platform"])
        self._latest[platform] = told
        if self._is_worth_a_line(platform, told):
            self._written_at[platform] = self._clock.monotonic()
            self._waits[platform] = _wait(told)
            self._say(platform, self._latest.pop(platform))

    def _is_worth_a_line(self, platform: str, told: Told) -> bool:
        since = self._clock.monotonic() - self._written_at.get(platform, float("-inf"))
        is_news = _has_ended(told) or self._waits.get(platform) != _wait(told)
        return is_news or since >= _EVERY_SECONDS

    def close(self) -> None:
        """Write what is left to be told."""
        for platform, told in self._latest.items():
            self._say(platform, told)
        self._latest.clear()

    def _say(self, platform: str, told: Told) -> None:
        """Write a line, unless it is the platform's last one again."""
        # Of a platform that is done the rate falls by itself, which is no news.
        news = _line({**told, "rate": 0} if _has_ended(told) else told)
        if self._last.get(platform) != news:
            self._last[platform] = news
            self._console.say(_line(told))


class _Bars:
    """A bar per platform, drawn by rich."""

    def __init__(self, console: Console) -> None:
        from rich.console import Console as Terminal  # noqa: PLC0415 - only where bars are drawn
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - the same
        from rich.table import Column  # noqa: PLC0415 - the same

        has_colour = console.has_colour and not console.environ.get("NO_COLOR")
        self._progress: Progress = Progress(
            # Where the line is too narrow, the end of the numbers is cut, not the name.
            TextColumn(
                "{task.description}", markup=False, table_column=Column(min_width=10, no_wrap=True)
            ),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=Terminal(stderr=True, no_color=not has_colour),
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def update(self, told: Told) -> None:
        """Move the platform's bar."""
        platform = escape(str(told["platform"]))
        if platform not in self._tasks:
            self._tasks[platform] = self._progress.add_task(platform, total=None, numbers="")
        self._progress.update(
            self._tasks[platform],
            completed=told["done"],
            total=max(told["total"], told["done"], 1),
            numbers=escape(_numbers(told)),
        )

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()


def _has_ended(told: Told) -> bool:
    return bool(told["done"] >= told["total"])


def _wait(told: Told) -> str:
    """Return what a platform waits for, the same as long as only numbers in it change."""
    words = str(told["waits_for"])
    is_ordinary = any(ordinary in words for ordinary in _ORDINARY_WAITS)
    return "" if is_ordinary else re.sub(r"[\d.,:]+", "#", words)


def _line(told: Told) -> str:
    return f"{told['platform']}  {_numbers(told)}"


def _numbers(told: Told) -> str:
    """Write `620/1,000  failed 3  10.2/s  eta 38 s  waits for ...`."""
    words = [f"{told['done']:,}/{told['total']:,}", f"failed {_failed(told):,}"]
    if told["rate"]:
        words.append(f"{told['rate']:,.1f}/s")
    if told["eta_seconds"] is not None and told["done"] < told["total"]:
        words.append(f"eta {in_words(told['eta_seconds'])}")
    if told["waits_for"]:
        words.append(f"waits for {told['waits_for']}")
    return "  ".join(words)


def _failed(told: Told) -> int:
    """Return the failures; the event nests them in its report, the control port does not."""
    return int(told["report"]["failed"] if "report" in told else told["failed"])
