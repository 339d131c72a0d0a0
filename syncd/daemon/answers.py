"""The JSON shapes of the control port: pure functions of what the parts say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from syncd.daemon.leadership import Leadership
from syncd.model.leaderboard import Plan, Reconciliation
from syncd.model.pause import Pause
from syncd.model.run import Outcome, PlatformReport, Run
from syncd.schedule.roster import Schedule
from syncd.telemetry.events import RunProgressed

Json = dict[str, Any]


def run_answer(run: Run, progress: dict[str, RunProgressed], now: datetime) -> Json:
    """Describe a run, with how far it is where it is active."""
    ended = run.finished_at or (now if run.outcome is Outcome.RUNNING else None)
    began = run.started_at
    report = run.report
    return {
        "id": run.id,
        "job": run.job,
        "kind": run.kind,
        **_why_answer(run),
        "outcome": run.outcome,
        "options": {
            "only": run.options.only,
            "platform": run.options.platform,
            "limit": run.options.limit,
            "full": run.options.full,
            "dry_run": run.options.dry_run,
            "act": run.options.act,
            "of": run.options.of,
        },
        "attempt": run.attempt,
        "resumed": run.resumed,
        "claimed_at": run.claimed_at,
        "started_at": began,
        "finished_at": run.finished_at,
        "duration_seconds": (ended - began).total_seconds() if ended and began else None,
        "seen": report.seen,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
        "skipped": report.skipped,
        "failed": report.failed,
        "calls": report.calls,
        "saved": report.saved,
        "failures": dict(report.failures),
        **_error_answer(run),
        "progress": {name: _progress(told) for name, told in progress.items()},
    }


def platforms_answer(reports: Mapping[str, PlatformReport]) -> Json:
    """Describe what a run came to by platform: `users = profiles + skipped + failed`."""
    return {
        name: {
            "users": share.report.seen,
            "profiles": share.profiles,
            "created": share.report.created,
            "updated": share.report.updated,
            "unchanged": share.report.unchanged,
            "skipped": share.report.skipped,
            "failed": share.report.failed,
            "failures": dict(share.report.failures),
            "success_rate": share.success_rate,
            "mean_seconds": share.mean_seconds,
            "calls": share.report.calls,
            "saved": share.report.saved,
        }
        for name, share in reports.items()
    }


def _why_answer(run: Run) -> Json:
    """Say why a run exists, or why it did not run, and for which fire times it stands."""
    return {
        "cause": run.cause,
        "skip_reason": run.skip_reason,
        "fire_time": run.fire_time,
        "due_at": run.due_at,
        "fires_since": run.fires_since,
        "origin": run.origin,
    }


def _error_answer(run: Run) -> Json:
    """Say what went wrong, what to do, and whether it may pass by itself."""
    return {"error": run.error, "hint": run.hint, "retryable": run.retryable}


def _progress(told: RunProgressed) -> Json:
    return {
        "done": told.done,
        "total": told.total,
        "failed": told.report.failed,
        "rate": told.rate,
        "eta_seconds": told.eta_seconds,
        "waits_for": told.waits_for,
    }


def plan_answer(plan: Plan) -> Json:
    """Describe a plan in the words of its fields."""
    return asdict(plan)


def reconciliation_answer(found: Reconciliation | None) -> Json | None:
    """Describe what a leaderboard run came to, None where it came to nothing or is another kind."""
    return None if found is None else asdict(found)


def pause_answer(pause: Pause | None) -> Json | None:
    """Describe a pause, None where there is none."""
    if pause is None:
        return None
    return {
        "scope": pause.scope,
        "key": pause.key,
        "why": pause.why,
        "until": pause.until,
        "actor": pause.actor,
        "paused_at": pause.paused_at,
    }


def schedule_answer(schedule: Schedule, words: str, next_fire: datetime | None) -> Json:
    """Describe a job as config.toml has it."""
    every: timedelta | None = schedule.every
    return {
        "name": schedule.job.name,
        "kind": schedule.job.kind,
        "enabled": schedule.job.enabled,
        "schedule": words,
        "cron": None if schedule.cron is None else schedule.cron.text,
        "every_seconds": None if every is None else every.total_seconds(),
        "timezone": schedule.timezone,
        "misfire": schedule.misfire,
        "overlap": schedule.overlap,
        "jitter_seconds": schedule.jitter.total_seconds(),
        "retries": schedule.retries,
        "after": schedule.after,
        "next_fire_time": next_fire,
        "platforms": schedule.job.work.platforms,
    }


def job_state(*, enabled: bool, paused: bool, running: bool, last: Run | None) -> str:
    """Say in one word how a job is."""
    if running:
        return "running"
    if not enabled:
        return "off"
    if paused:
        return "paused"
    if last is None:
        return "never"
    return "ok" if last.outcome is Outcome.SUCCEEDED else str(last.outcome)


def leader_answer(leadership: Leadership) -> Json | None:
    """Say who leads, as far as is known."""
    leader = leadership.leader
    if leader is None:
        return None
    return {
        "holder": leader.holder,
        "listen": leader.listen,
        "version": leader.version,
        "since": leader.taken_at,
        "epoch": leader.epoch,
        "is_me": leadership.is_leading,
    }


def freshness_answer(rows: list[Json], age: timedelta) -> Json:
    """Add up how many accounts are followed, and how many had a success within `age`."""
    return {**total_freshness(rows), "within_seconds": age.total_seconds()}


def total_freshness(rows: list[Json]) -> Json:
    """Add up what was counted apart."""
    followed = sum(row["followed"] for row in rows)
    fresh = sum(row["fresh"] for row in rows)
    return {"followed": followed, "fresh": fresh, "share": fresh / followed if followed else None}
