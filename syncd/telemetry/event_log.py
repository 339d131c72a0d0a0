"""The bus subscriber that turns every event into a log line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from syncd.model.run import Outcome, Report, Run, RunOptions
from syncd.telemetry.events import (
    Event,
    ItemFailed,
    JobRegistered,
    Level,
    PlatformThrottled,
    PlaysStored,
    RunFinished,
    RunHeldUp,
    RunStarted,
    SweepSuspended,
)
from syncd.telemetry.logs import LEVEL_NUMBERS, Logs
from syncd.telemetry.phrases import Phrases, is_silent

_LOUDNESS = {
    Outcome.PARTIAL: Level.WARNING,
    Outcome.HELD: Level.WARNING,
    Outcome.INTERRUPTED: Level.WARNING,
    Outcome.FAILED: Level.ERROR,
    Outcome.ABANDONED: Level.ERROR,
}
_NO_TIMEZONES: Mapping[str, str] = {}


class EventLog:
    """Write a line for every event of the bus: its name, its level, its fields as keys.

    A run is written out in the words of the log (`run_id job cause ...`); what is empty is left
    out. The time zone in which a run's sentence names its fire time is that of `JobRegistered`.

    Args:
        logs: where to.
        timezones: of jobs that nobody registers, as where one runs without a daemon.
    """

    def __init__(self, logs: Logs, timezones: Mapping[str, str] = _NO_TIMEZONES) -> None:
        self._logs = logs
        self._timezones: dict[str, tzinfo] = {
            job: ZoneInfo(timezone) for job, timezone in timezones.items()
        }
        self._phrases = Phrases()

    def __call__(self, event: Event) -> None:
        """Write the line of one event, when its level is loud enough."""
        if isinstance(event, JobRegistered):
            self._timezones[event.job] = ZoneInfo(event.timezone)
        self._phrases.learn(event)
        level = self._level_of(event)
        if self._logs.is_enabled(level):
            keys = self._keys_of(event)
            self._logs.logger.log(LEVEL_NUMBERS[level], event.name, **keys)

    def _keys_of(self, event: Event) -> dict[str, Any]:
        """Return the keys of an event's line, the sentence that begins it first."""
        sentence = self._phrases.of(event, self._zone_of(event))
        message = {"message": sentence} if sentence else {}
        if isinstance(event, RunStarted):
            return message | _identity(event.run)
        if isinstance(event, RunFinished):
            duration = {"duration_seconds": round(event.duration_seconds, 3)}
            return message | _identity(event.run) | _ending(event.run) | duration
        return message | _flat(event)

    def _zone_of(self, event: Event) -> tzinfo:
        if isinstance(event, RunStarted):
            return self._timezones.get(event.run.job, UTC)
        return UTC

    def _level_of(self, event: Event) -> Level:
        # Who followed the replaced service's log looks for its failures among the errors.
        if isinstance(event, RunHeldUp) and self._phrases.is_leaderboard(event.job):
            return Level.ERROR
        return _level_of(event)


def _level_of(event: Event) -> Level:
    if isinstance(event, RunStarted | RunFinished) and is_silent(event):
        return Level.DEBUG
    if isinstance(event, RunFinished):
        return _LOUDNESS.get(event.run.outcome, Level.INFO)
    if isinstance(event, ItemFailed | SweepSuspended) and event.stack:
        return Level.ERROR
    if isinstance(event, PlatformThrottled) and event.is_long:
        return Level.ERROR
    if isinstance(event, PlaysStored) and event.error:
        return Level.WARNING
    return event.level


def _identity(run: Run) -> dict[str, Any]:
    """Return which run it is and why it exists."""
    keys = _kept(
        run_id=run.id,
        job=run.job,
        kind=run.kind,
        cause=run.cause,
        fire_time=run.fire_time,
        attempt=run.attempt,
        resumed=run.resumed or None,
    )
    return keys | _narrowing(run.options)


def _narrowing(options: RunOptions) -> dict[str, Any]:
    """Return only the options that narrow or change the run."""
    return {
        option.name: value
        for option in fields(options)
        if (value := getattr(options, option.name)) not in ((), "", None, False)
    }


def _ending(run: Run) -> dict[str, Any]:
    """Return how the run ended, with every count of its report, zero or not."""
    keys = _kept(outcome=run.outcome, skip_reason=run.skip_reason, started_at=run.started_at)
    return keys | _counts(run.report) | _kept(error=run.error, hint=run.hint)


def _counts(report: Report) -> dict[str, Any]:
    counts = {
        count.name: getattr(report, count.name)
        for count in fields(report)
        if count.name != "failures"
    }
    failures = {"failures": dict(report.failures)} if report.failures else {}
    return {"seen": report.seen} | counts | failures


def _flat(event: Event) -> dict[str, Any]:
    """Return an event's fields as keys; a report becomes its counts."""
    keys: dict[str, Any] = {}
    for part in fields(event):
        value = getattr(event, part.name)
        keys |= _counts(value) if isinstance(value, Report) else _kept(**{part.name: value})
    return keys


def _kept(**keys: Any) -> dict[str, Any]:
    """Drop what is empty and write instants as text."""
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in keys.items()
        if value not in (None, "")
    }
