"""`syncd status`: the first screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import (
    NONE,
    clock_time,
    distance,
    in_words,
    instant,
    listed,
    progress_in_words,
    share_in_words,
    zone_of,
)
from syncd.web.client import api_path

_Json = Mapping[str, Any]
_LOUD = {"running", "partial", "failed", "held", "abandoned"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Command):
    """Show how everything is.

    Whether it runs and how fresh the data is; exit code 4 when there are problems.
    """

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        status = connect(console).get(api_path("status"))
        if console.is_json:
            console.show_json(status)
        else:
            _show(console, status)
        return Exit.PROBLEMS if status["problems"] else Exit.OK


def _show(console: Console, status: _Json) -> None:
    now = _now(status)
    console.show(_headline(status))
    if not status["ready"]:
        console.show(_why_not(status))
    if status["paused"]:
        console.show(f"everything is paused{_pause_in_words(status['paused'], now)}")
    if status["jobs"]:
        console.show("")
        console.show_table([_heading(status["jobs"]), *_job_rows(status["jobs"], now)])
    if status["platforms"]:
        console.show("")
        header = ("PLATFORM", "ACCOUNTS", "QUOTA LEFT", "CALLS", "SAVED", "WAITS FOR")
        rows = [row for platform in status["platforms"] for row in _platform_rows(platform)]
        console.show_table([header, *rows])
    _show_told(console, status)


def _show_told(console: Console, status: _Json) -> None:
    """Show what a person should look at, then what they should know, with what to do."""
    told = [(word, each) for word in ("problem", "note") for each in status.get(f"{word}s", ())]
    if told:
        console.show("")
    for word, each in told:
        console.show(f"{word:7}  {each['what']}")
        if each["hint"]:
            console.show(f"         -> {each['hint']}")


def _why_not(status: _Json) -> str:
    leader = status["leader"]
    if leader is None or leader["is_me"] or not status["database"]["ok"]:
        return f"not ready: {status['why']}"
    since = instant(leader["since"])
    at = f" since {clock_time(since, UTC, _now(status))} UTC" if since else ""
    return f"standby: {leader['holder']} leads{at}, its control port is {leader['listen'] or NONE}"


def _now(status: _Json) -> datetime:
    """Return the daemon's own time, by which its instants are meant."""
    started = instant(status["started_at"])
    assert started is not None  # the contract of the control port
    return started + timedelta(seconds=status["uptime_seconds"])


def _headline(status: _Json) -> str:
    freshness = status["freshness"]
    return "  ".join(
        (
            f"syncd {status['version']}",
            f"up {in_words(status['uptime_seconds'])}",
            f"db {_server_in_words(status['database'])}",
            f"redis {_server_in_words(status['redis'])}",
            f"users {status['users']:,}",
            f"fresh {share_in_words(freshness['share'])}",
            f"({freshness['fresh']:,}/{freshness['followed']:,})",
        )
    )


def _server_in_words(server: _Json) -> str:
    return f"ok {server['latency_seconds'] * 1000:.1f} ms" if server["ok"] else "DOWN"


def _heading(jobs: list[_Json]) -> tuple[str, ...]:
    zones = {job["timezone"] for job in jobs}
    zone = f" ({zones.pop()})" if len(zones) == 1 else ""
    return ("JOB", "STATE", "LAST RUN", "FRESH", f"NEXT{zone}")


def _job_rows(jobs: list[_Json], now: datetime) -> list[tuple[str, ...]]:
    has_zones = len({job["timezone"] for job in jobs}) > 1
    return [
        (
            job["name"],
            job["state"].upper() if job["state"] in _LOUD else job["state"],
            _run_in_words(job, now),
            fresh_in_words(job),
            _next_in_words(job, now, has_zones=has_zones),
        )
        for job in jobs
    ]


def fresh_in_words(job: _Json) -> str:
    """Write how fresh a job's accounts are, or how its table follows Redis: `9 rows, 0 off`."""
    told = job.get("leaderboard")
    if told is None:
        return share_in_words(job["freshness"]["share"])
    if not told["is_measured"]:
        return NONE
    apart = {"held": told["held"], "waiting": told["waiting"]}
    words = [f"{told['postgres_users']:,} rows", f"{told['rows']:,} off"]
    return ", ".join([*words, *(f"{count:,} {word}" for word, count in apart.items() if count)])


def _run_in_words(job: _Json, now: datetime) -> str:
    if job["running"]:
        progress = progress_in_words(job["running"]["progress"].values())
        return f"run {job['running']['id']}  {progress}"
    last = job["last_run"]
    if last is None:
        return NONE
    began = instant(last["started_at"] or last["fire_time"] or last["claimed_at"])
    assert began is not None  # every run was claimed
    words = [clock_time(began, zone_of(job["timezone"]), now)]
    if last["skip_reason"]:
        return f"{words[0]}  skipped: {last['skip_reason']}"
    if last["duration_seconds"] is not None:
        words.append(in_words(last["duration_seconds"]))
    words.append(f"{last['seen'] - last['failed']:,}/{last['seen']:,}")
    if last.get("plays"):
        words.append(f"{last['plays']['inserted']:,} new plays")
    return "  ".join(words)


def _next_in_words(job: _Json, now: datetime, *, has_zones: bool) -> str:
    if job["paused"]:
        return f"paused{_pause_in_words(job['paused'], now)}"
    fire_time = instant(job["next_fire_time"])
    if fire_time is None:
        return "off" if not job["enabled"] else "when triggered"
    zone = f" {job['timezone']}" if has_zones else ""
    at = clock_time(fire_time, zone_of(job["timezone"]), now)
    return f"{at}{zone} ({distance(fire_time, now)})"


def _pause_in_words(pause: _Json, now: datetime) -> str:
    until = instant(pause["until"])
    end = "" if until is None else f" until {clock_time(until, UTC, now)} UTC"
    return end + (f": {pause['why']}" if pause["why"] else "")


def _platform_rows(platform: _Json) -> list[tuple[str, ...]]:
    """Show a platform, and below it each of its credentials where it has several."""
    credentials = platform.get("credentials") or ()
    accounts = listed(platform["accounts"]) or NONE
    if len(credentials) < 2:
        return [_row(platform["name"], accounts, platform)]
    # What holds one of them back stands in its own row; what a person paused holds them all.
    waits_for = platform["waits_for"] if platform.get("paused") else ""
    whole = {**platform, "waits_for": waits_for, "refused": ""}
    below = [_row(f"  {each['credential']}", "", each) for each in credentials]
    return [_row(platform["name"], accounts, whole), *below]


def _row(name: str, accounts: str, asked: _Json) -> tuple[str, ...]:
    return (
        name,
        accounts,
        quota_in_words(asked),
        f"{asked['calls']:,}",
        f"{asked['saved']:,}",
        "nothing: it is refused" if asked.get("refused") else asked["waits_for"] or NONE,
    )


def quota_in_words(platform: _Json) -> str:
    """Write what is left of the quota of a platform or credential: `4,871/5,000`."""
    quota = platform.get("quota") or {}
    if quota.get("limit") is None or quota.get("left") is None:
        return NONE
    return f"{quota['left']:,.0f}/{quota['limit']:,.0f}"
