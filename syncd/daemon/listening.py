"""What a person is told about listening: grants, plays, gaps, and how long a run would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from syncd.daemon.answers import Json
from syncd.model.forecast import Forecast
from syncd.model.play import PlayCounts
from syncd.platforms.base import Platform
from syncd.store.grant_report import SOON

KIND = "listening"
"""The kind of the jobs and platforms that this is about, and where answers tell of it."""


def needs_grants(platforms: Mapping[str, Sequence[Platform]], name: str) -> bool:
    """Tell whether a platform is one that its users grant access to."""
    ways = platforms.get(name, ())
    return bool(ways) and ways[0].kind == KIND


def forecast_answer(forecast: Forecast | None) -> Json | None:
    """Describe what a run would take, None where nobody can tell."""
    return None if forecast is None else asdict(forecast)


def plays_answer(counts: PlayCounts | None) -> Json:
    """Describe what a run came to in plays."""
    return asdict(counts or PlayCounts())


def listener_answer(
    found: Mapping[str, Any], gaps: Iterable[Mapping[str, Any]], now: datetime
) -> Json:
    """Describe an account's grant (None: there is none), its plays and its newest gaps."""
    ends_at: datetime | None = found["refresh_expires_at"]
    names = (
        *("health", "health_reason", "scopes", "granted_at", "refresh_expires_at"),
        *("access_expires_at", "refreshed_at", "suspect_since"),
    )
    grant = {name: found[name] for name in names}
    return {
        "grant": None
        if ends_at is None
        else {**grant, "expires_in_seconds": (ends_at - now).total_seconds()},
        "plays": {"stored": found["stored"], "newest_at": found["newest_at"]},
        "gaps": [gap for gap in gaps if gap["platform"] == found["platform"]],
    }


def grant_notes(jobs: Iterable[Json]) -> list[Json]:
    """Say whose consent ends soon, and who has to give it again; only they can mend that."""
    counts = {
        platform: told
        for job in jobs
        if job["state"] != "off" and job.get(KIND) is not None
        for platform, told in job[KIND]["grants"].items()
    }
    return [note for platform, told in counts.items() for note in _notes(platform, told)]


def _notes(platform: str, told: Json) -> Iterator[Json]:
    if told["reauth_required"]:
        have = "user has" if told["reauth_required"] == 1 else "users have"
        what = f"{platform}: {told['reauth_required']:,} {have} to connect it again"
        yield {"what": what, "hint": "syncd tokens list --state reauth_required"}
    if told["ungranted"]:
        are = "user is" if told["ungranted"] == 1 else "users are"
        what = f"{platform}: {told['ungranted']:,} {are} linked without a grant"
        yield {"what": what, "hint": "syncd tokens import FILE"}
    if told["expiring"]:
        ends = "consent ends" if told["expiring"] == 1 else "consents end"
        first = f"{told['first_expires_at']:%Y-%m-%d}"
        what = (
            f"{platform}: {told['expiring']:,} {ends} within {SOON.days} days, the first on {first}"
        )
        yield {"what": what, "hint": "syncd tokens list --state expiring"}
