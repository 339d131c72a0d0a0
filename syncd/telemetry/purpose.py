"""Which dated file a line belongs to.

The rule, first match wins: a `purpose` key of the line itself; the event's own place (what the
scheduler does with fire times is `cron`, who changed something is `audit`, whom the control port
turned away is `http`, scores are `profile-update`); the purpose of the job the line is about; else
`cron`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Purpose(StrEnum):
    """What a dated file is for; the value begins its name."""

    CRON = "cron"
    PROFILE_UPDATE = "profile-update"
    GITHUB = "github"
    LEADERBOARD = "leaderboard"
    SPOTIFY = "spotify"
    CLEANUP = "cleanup"
    NOTIFY = "notify"
    CONTESTS = "contests"
    HTTP = "http"
    AUDIT = "audit"


# Only these become part of a file name, whatever a line claims.
_PURPOSES: Mapping[str, Purpose] = MappingProxyType({str(purpose): purpose for purpose in Purpose})

_PLACE_OF_EVENT: Mapping[str, Purpose] = MappingProxyType(
    {
        "control.used": Purpose.AUDIT,
        "job.changed": Purpose.AUDIT,
        "pause.changed": Purpose.AUDIT,
        "plan.decided": Purpose.AUDIT,
        "config.reloaded": Purpose.AUDIT,
        "config.refused": Purpose.AUDIT,
        "control.refused": Purpose.HTTP,
        "job.registered": Purpose.CRON,
        "schedule.skipped": Purpose.CRON,
        "scores.computed": Purpose.PROFILE_UPDATE,
    }
)


def purpose_of_line(line: Mapping[str, Any], jobs: Mapping[str, Purpose]) -> Purpose:
    """Name the purpose of a line; `jobs` maps the names of jobs to their purposes."""
    return (
        _PURPOSES.get(line.get("purpose", ""))
        or _PLACE_OF_EVENT.get(line["event"])
        or jobs.get(line.get("job", ""), Purpose.CRON)
    )
