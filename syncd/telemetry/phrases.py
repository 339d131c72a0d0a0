"""The sentences that people of the replaced systems search their logs for.

They begin the line of an event in its purpose file; the event's keys follow them.
"""

from __future__ import annotations

from datetime import tzinfo

from syncd.model.run import Cause, Outcome, Run
from syncd.telemetry.events import (
    ContestsSought,
    Event,
    ItemsCleaned,
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
        self._contests: dict[int, int] = {}

    def learn(self, event: Event) -> None:
        """Take note of a job's kind, also where nobody asks for a sentence."""
        match event:
            case JobRegistered(job=job, kind=kind) | RunStarted(run=Run(job=job, kind=kind)):
                self._know(job, kind)
            case ItemsCleaned(rule="contests"):
                self._contests[event.run_id] = event.items
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
            case RunFinished(run=Run(kind="cleanup")):
                return _end_of_cleanup(event.run, self._contests.pop(event.run.id, 0))
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
    if run.kind == "cleanup":
        return f"Starting data cleanup{tail}"
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
        case ContestsSought(cause=cause, dry_run=dry_run):
            tail = " (dry run)" if dry_run else ""
            return f"Starting {_CAUSE_WORDS[Cause(cause)]} contest sync{tail}"
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


def _end_of_cleanup(run: Run, contests: int) -> str:
    tail = " (dry run)" if run.options.dry_run else ""
    match run.outcome:
        case Outcome.SUCCEEDED:
            return f"Cleanup completed: {contests} contests removed{tail}"
        case Outcome.PARTIAL:
            return f"Cleanup completed in part: {contests} contests removed{tail}"
        case Outcome.HELD:
            return f"Cleanup completed: {contests} contests removed, something waits for a person"
        case outcome:
            return f"Cleanup {outcome}"


def is_silent(event: RunStarted | RunFinished) -> bool:
    """Tell whether nobody need read of it: a look for contests that asks nobody may be frequent.

    That one does ask somebody, and begins so, `ContestsSought` tells.
    """
    if isinstance(event, RunStarted):
        return event.run.kind == "contests"
    return _is_idle(event.run)


def _is_idle(run: Run) -> bool:
    is_good = run.kind == "contests" and run.outcome is Outcome.SUCCEEDED
    return is_good and not run.report.seen and not run.report.calls


def _way(run: Run) -> str:
    return _WAYS.get(run.options.act, "Redis -> PostgreSQL sync")


def _end(event: RunFinished) -> str:
    run = event.run
    match run.kind:
        case "listening":
            return _end_of_listening(run, event.duration_seconds)
        case "contests":
            return _end_of_contests(run)
        case "profiles" | "leaderboard":
            return _end_of_sync(run, event.away)
        case _:
            return ""


def _end_of_contests(run: Run) -> str:
    if _is_idle(run):
        return ""
    match run.outcome:
        case Outcome.SUCCEEDED:
            return "Contest sync completed"
        case Outcome.PARTIAL:
            return "Contest sync completed in part"
        case outcome:
            return f"Contest sync {outcome}"


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
