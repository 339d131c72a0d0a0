"""The sentences that people of the replaced systems search their logs for.

They begin the line of an event in its purpose file; the event's keys follow them.
"""

from __future__ import annotations

from datetime import tzinfo

from syncd.model.run import Cause, Outcome, Run
from syncd.telemetry.events import (
    Event,
    JobRegistered,
    NotificationsDispatched,
    PhaseFinished,
    PlaysStored,
    RunFinished,
    RunHeldUp,
    RunStarted,
    UsersFound,
)

_CAUSE_WORDS = {
    Cause.SCHEDULE: "scheduled",
    Cause.MANUAL: "manual",
    Cause.CATCH_UP: "catch-up",
    Cause.CHAINED: "chained",
    Cause.RETRY: "repeated",
}
_NO_POSTGRESQL = "Failed to get PostgreSQL users"
_FAILED = {"redis": "Redis cache unavailable", "postgresql": _NO_POSTGRESQL}
_WAYS = {
    "rehydrate": "PostgreSQL -> Redis rehydrate",
    "undo": "undo of deletions",
    "restore": "restore of a backup",
}


class Phrases:
    """Knows which jobs sync leaderboards: by their registration, or else by their runs."""

    def __init__(self) -> None:
        self._leaderboards: set[str] = set()

    def learn(self, event: Event) -> None:
        """Take note of a job's kind, also where nobody asks for a sentence."""
        match event:
            case JobRegistered(job=job, kind=kind) | RunStarted(run=Run(job=job, kind=kind)):
                self._know(job, kind)
            case _:
                return

    def of(self, event: Event, zone: tzinfo) -> str:
        """Return the sentence that an event's line begins with, empty where there is none.

        Args:
            event: what happened.
            zone: in which a run names its fire time.
        """
        match event:
            case RunStarted(run=run):
                return _start(run, zone)
            case RunFinished():
                return _end(event)
            case RunHeldUp(job=job):
                return _NO_POSTGRESQL if self.is_leaderboard(job) else ""
            case _:
                return _meanwhile(event)

    def is_leaderboard(self, job: str) -> bool:
        """Tell whether a job is known to sync leaderboards."""
        return job in self._leaderboards

    def _know(self, job: str, kind: str) -> None:
        if kind == "leaderboard":
            self._leaderboards.add(job)
        else:
            self._leaderboards.discard(job)


def _start(run: Run, zone: tzinfo) -> str:
    tail = " (dry run)" if run.options.dry_run else ""
    if run.kind == "leaderboard":
        return f"Starting {_way(run)}{tail}"
    if run.kind == "listening":
        users = f"users {', '.join(run.options.only)}" if run.options.only else "all users"
        return f"Starting {_CAUSE_WORDS[run.cause]} sync for {users}...{tail}"
    if run.kind == "notify":
        return f"Starting notification dispatch{tail}"
    if run.kind != "profiles":
        return ""
    at = (run.fire_time or run.started_at or run.claimed_at).astimezone(zone)
    clock_time = f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"
    return f"Running {_CAUSE_WORDS[run.cause]} profile update at {clock_time} {at.tzname()}"


def _meanwhile(event: Event) -> str:
    match event:
        case UsersFound(users=users):
            return f"Found {users} users with Spotify connected"
        case PlaysStored():
            return _plays(event)
        case NotificationsDispatched(users=users):
            return f"Notifications dispatched to {users} users"
        case PhaseFinished(phase=phase):
            return f"Phase {phase} done"
        case _:
            return ""


def _plays(event: PlaysStored) -> str:
    user = f"User [{event.user_key}]"
    if event.error:
        return f"{user}: error"
    tail = " (dry run)" if event.dry_run else ""
    return f"{user}: Synced {event.inserted} tracks{tail}"


def _end_of_listening(run: Run, seconds: float) -> str:
    sync = f"{_CAUSE_WORDS[run.cause].capitalize()} sync"
    match run.outcome:
        case Outcome.SUCCEEDED:
            return f"{sync} completed in {seconds:.1f}s"
        case Outcome.PARTIAL:
            return f"{sync} completed in {seconds:.1f}s, in part"
        case outcome:
            return f"{sync} {outcome} after {seconds:.1f}s"


def _way(run: Run) -> str:
    return _WAYS.get(run.options.act, "Redis -> PostgreSQL sync")


def _end(event: RunFinished) -> str:
    run = event.run
    match run.kind:
        case "listening":
            return _end_of_listening(run, event.duration_seconds)
        case "profiles" | "leaderboard":
            return _end_of_sync(run, event.away)
        case _:
            return ""


def _end_of_sync(run: Run, away: str) -> str:
    match run.outcome:
        case Outcome.SUCCEEDED:
            return "Sync completed"
        case Outcome.PARTIAL:
            return "Sync completed in part"
        case Outcome.HELD:
            return "Sync completed, and something waits for a person"
        case Outcome.FAILED if run.kind == "leaderboard":
            return _FAILED.get(away, f"Failed to complete {_way(run)}")
        case outcome:
            return f"Sync {outcome}"
