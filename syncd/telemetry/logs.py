"""Log lines: one write each, at once, on stdout and in dated files; a failed one fails nobody."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import structlog

from syncd.clock import Clock
from syncd.telemetry.events import Level
from syncd.telemetry.files import DatedFiles
from syncd.telemetry.purpose import Purpose, purpose_of_line
from syncd.telemetry.redact import Secrets
from syncd.telemetry.render import Line, Renderer, TextRenderer, render_json
from syncd.telemetry.stream import Stream

STDOUT = 1
_STDERR = 2
_COMPLAINT_SECONDS = 60.0
_MESSAGE_WIDTH = 24

LEVEL_NUMBERS = {level: logging.getLevelNamesMapping()[level.upper()] for level in Level}
"""How loud each level is, as the standard library counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How and where lines are written.

    `dir` None writes to stdout only. `timezone` decides on which day a line's file is dated;
    time stamps are UTC. A file that passes `max_size` bytes is continued in the next one; when a
    file is begun, dated files older than `keep` and the oldest beyond `max_total` bytes go.
    """

    level: Level = Level.INFO
    format: Literal["json", "console"] = "json"
    dir: Path | None = None
    timezone: tzinfo = UTC
    keep: timedelta = timedelta(days=30)
    max_size: int = 64 * 1024 * 1024
    max_total: int = 2 * 1024 * 1024 * 1024


class Logs:
    """The way of every line from the code to stdout and the files; made by `configure_logs`.

    `logger` is the bound logger for those who write many lines; `secrets` masks what is added to
    it. A line that could not be written is counted in `lines_dropped`, reported on stderr at most
    once a minute, and never raised: no run fails because a disk is full.
    """

    def __init__(self, settings: LogSettings, clock: Clock, *, output: int = STDOUT) -> None:
        self.secrets = Secrets()
        self.lines_dropped = 0
        self.logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
        self._threshold = LEVEL_NUMBERS[settings.level]
        self._stamp = _Stamp(clock, settings.timezone)
        self._clock = clock
        self._jobs: dict[str, Purpose] = {}
        self._render = _renderer(settings, output)
        self._render_text = TextRenderer()
        self._output = Stream(output)
        self._complaints = Stream(_STDERR)
        self._complained_at: float | None = None
        self._library_lines = _LibraryLines(self)
        self._files: DatedFiles | None = None
        if settings.dir is not None:
            self._files = DatedFiles(
                settings.dir,
                keep=settings.keep,
                max_size=settings.max_size,
                max_total=settings.max_total,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(
        self, _logger: object, method: str, keys: MutableMapping[str, Any]
    ) -> tuple[tuple[str], dict[str, Any]]:
        """Write one line: structlog's last processor."""
        stamp, day = self._stamp.now()
        purpose = purpose_of_line(keys, self._jobs)
        keys.pop("purpose", None)
        if "exc_info" in keys:
            keys["stack"] = _stack_of(keys.pop("exc_info"))
        line = {"timestamp": stamp, "level": method, "event": keys.pop("event"), **keys}
        self._deliver(self._output.write, self._rendered(self._render, line))
        if self._files is not None:
            text = self._rendered(self._render_text, line)
            self._deliver(partial(self._files.write, purpose, day), text)
        return ("",), {}

    def set_level(self, level: Level) -> None:
        """Write lines of this level and louder ones from now on."""
        if self._threshold == LEVEL_NUMBERS[level]:
            return
        self._threshold = LEVEL_NUMBERS[level]
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(self._threshold))
        self.logger = structlog.get_logger().bind()

    def is_enabled(self, level: Level) -> bool:
        """Tell whether a line of that level would be written."""
        return LEVEL_NUMBERS[level] >= self._threshold

    def route(self, job: str, purpose: Purpose) -> None:
        """Send the lines that are about a job to the files of that purpose."""
        self._jobs[job] = purpose

    def reopen(self) -> None:
        """Close the files; each is opened again with its next line (for SIGUSR1)."""
        if self._files is not None:
            self._files.close()

    def attach(self) -> None:
        """Take over the warnings and errors that libraries write through `logging`."""
        logging.getLogger().addHandler(self._library_lines)

    def close(self) -> None:
        """Close the files and give `logging` and structlog back. Safe to repeat."""
        logging.getLogger().removeHandler(self._library_lines)
        structlog.reset_defaults()
        self.reopen()

    def _rendered(self, render: Renderer, line: Line) -> bytes:
        text = render(line)
        if self.secrets.appear_in(text):
            text = render(self.secrets.masked_line(line))
        return (text + "\n").encode()

    def _deliver(self, write: Callable[[bytes], None], line: bytes) -> None:
        try:
            write(line)
        except OSError as error:
            self.lines_dropped += 1
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        now = self._clock.monotonic()
        last = self._complained_at
        if last is not None and now - last < _COMPLAINT_SECONDS:
            return
        self._complained_at = now
        words = f"syncd: log lines are being lost ({self.lines_dropped} so far): {error}\n"
        with contextlib.suppress(OSError):
            self._complaints.write(words.encode(errors="backslashreplace"))


def configure_logs(settings: LogSettings, clock: Clock, *, output: int = STDOUT) -> Logs:
    """Make structlog write through a new `Logs`, which the caller closes.

    Args:
        settings: how and where.
        clock: gives each line its time.
        output: the descriptor that stands for stdout; a command whose stdout is data gives 2.
    """
    logs = Logs(settings, clock, output=output)
    # Loggers are not cached: those made when a module was imported follow the next configuration.
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, logs],
        wrapper_class=structlog.make_filtering_bound_logger(LEVEL_NUMBERS[settings.level]),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    logs.logger = structlog.get_logger().bind()
    logs.attach()
    return logs


class _Stamp:
    """The time as lines carry it; what lasts a second is computed once a second."""

    def __init__(self, clock: Clock, timezone: tzinfo) -> None:
        self._clock = clock
        self._timezone = timezone
        self._second = datetime.min.replace(tzinfo=UTC)
        self._text = ""
        self._day = date.min

    def now(self) -> tuple[str, date]:
        """Return the time stamp (UTC, milliseconds) and the day it belongs to."""
        now = self._clock.now()
        second = now.replace(microsecond=0)
        if second != self._second:
            self._second = second
            self._text = second.strftime("%Y-%m-%dT%H:%M:%S")
            self._day = now.astimezone(self._timezone).date()
        return f"{self._text}.{now.microsecond // 1000:03}Z", self._day


class _LibraryLines(logging.Handler):
    """Turns what libraries say through `logging`, warnings and worse, into lines of ours."""

    def __init__(self, logs: Logs) -> None:
        super().__init__(level=logging.WARNING)
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line for the record."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        keys: dict[str, Any] = {"message": message, "library": record.name}
        if record.exc_info:
            keys["exc_info"] = record.exc_info
        self._logs.logger.log(record.levelno, "library.warned", **keys)


def _renderer(settings: LogSettings, output: int) -> Renderer:
    if settings.format == "json":
        return render_json
    is_plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return TextRenderer(width=_MESSAGE_WIDTH, colour=os.isatty(output) and not is_plain)


def _stack_of(exc_info: Any) -> str:
    """Return the traceback that `exc_info` stands for: an exception, a triple, or True."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    error = exc_info if isinstance(exc_info, BaseException) else sys.exception()
    return "" if error is None else "".join(traceback.format_exception(error))
