"""What a log line costs: ours beside structlog's default and the standard library, in one run.

Run it as `python tests/bench/bench_logs.py`. Prints microseconds a line (best of five) and ratios.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import structlog

from syncd.clock import SystemClock
from syncd.model.run import Cause, Outcome, Report, Run, RunId
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import ItemFailed, Level, PlatformRecovered, RunFinished
from syncd.telemetry.logs import Logs, LogSettings, configure_logs

LINES = 10_000
ROUNDS = 5
KEYS = {
    "platform": "github",
    "account": "octocat",
    "outcome": "rate_limited",
    "attempt": 2,
    "delay_seconds": 1.25,
    "error": "cannot read profile 'octocat' on github: HTTP 502",
}


def microseconds(write: Callable[[], object]) -> float:
    """Return the best cost of a call over the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(LINES):
            write()
        best = min(best, time.perf_counter() - start)
    return best / LINES * 1e6


@contextlib.contextmanager
def output(folder: Path) -> Iterator[int]:
    """Open a file that stands for stdout."""
    descriptor = os.open(folder / "stdout", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def ours(folder: Path, write: Callable[[Logs], Callable[[], object]], **settings: object) -> float:
    """Measure one way of using our logs, with the run's keys bound as a run binds them."""
    with output(folder) as descriptor:
        logs = configure_logs(LogSettings(**settings), SystemClock(), output=descriptor)  # type: ignore[arg-type]
        logs.secrets.add("ghp_0123456789abcdef", "a database password", "another one")
        with logs, structlog.contextvars.bound_contextvars(job="github-profiles", run_id=4812):
            return microseconds(write(logs))


def structlog_default(folder: Path) -> float:
    """Measure structlog as it comes, into a file."""
    with (folder / "default").open("a") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        log = structlog.get_logger()
        with structlog.contextvars.bound_contextvars(job="github-profiles", run_id=4812):
            cost = microseconds(lambda: log.info("request.retried", **KEYS))
        structlog.reset_defaults()
    return cost


def standard_library(folder: Path) -> float:
    """Measure structlog on top of the standard library with a rotating file, as often seen."""
    handler = logging.handlers.RotatingFileHandler(
        folder / "standard", maxBytes=10_000_000, backupCount=2
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer())
    )
    logger = logging.getLogger("bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    log = structlog.wrap_logger(
        logger,
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    with structlog.contextvars.bound_contextvars(job="github-profiles", run_id=4812):
        cost = microseconds(lambda: log.info("request.retried", **KEYS))
    handler.close()
    return cost


def event_line(logs: Logs) -> Callable[[], object]:
    """Write a small event through the bus's subscriber."""
    subscriber = EventLog(logs)
    event = PlatformRecovered(platform="github", credential="1f3a")
    return lambda: subscriber(event)


def run_line(logs: Logs) -> Callable[[], object]:
    """Write the canonical line of a run."""
    subscriber, now = EventLog(logs), datetime.now(UTC)
    run = Run(
        id=RunId(4812),
        job="github-profiles",
        kind="profiles",
        cause=Cause.SCHEDULE,
        outcome=Outcome.SUCCEEDED,
        fire_time=now,
        claimed_at=now,
        started_at=now,
        report=Report(created=3, updated=41, unchanged=9_000, calls=9_044, saved=9_000),
    )
    event = RunFinished(run=run, duration_seconds=581.2)
    return lambda: subscriber(event)


def silent_event(logs: Logs) -> Callable[[], object]:
    """Tell an event that is not loud enough to be written."""
    subscriber = EventLog(logs)
    event = ItemFailed(
        run_id=1, job="j", platform="github", account="a", outcome="o", error="e", attempt=1
    )
    return lambda: subscriber(event)


def plain_line(logs: Logs) -> Callable[[], object]:
    """Write a line through the bound logger."""
    return lambda: logs.logger.info("request.retried", **KEYS)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = {
            "structlog on the standard library, rotating": standard_library(folder),
            "structlog default": structlog_default(folder),
            "ours, JSON on stdout": ours(folder, plain_line),
            "ours, text on stdout": ours(folder, plain_line, format="console"),
            "ours, JSON on stdout and a dated file": ours(folder, plain_line, dir=folder / "logs"),
            "ours, small event, JSON on stdout": ours(folder, event_line),
            "ours, run.finished, JSON on stdout": ours(folder, run_line),
            "ours, an event below the level": ours(folder, silent_event, level=Level.INFO),
        }
    base = rows["structlog default"]
    for title, cost in rows.items():
        sys.stdout.write(f"{title:<46}{cost:8.1f} us  {cost / base:5.2f}x\n")


if __name__ == "__main__":
    main()
