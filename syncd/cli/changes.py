"""What the commands that change a job have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from syncd.cli.console import Console
from syncd.cli.reach import change_job, connect
from syncd.cli.words import clock_time, distance, instant, zone_of

_Json = Mapping[str, Any]

JOB = click.Argument(["job"])
WHY = click.Option(["--why"], default="", metavar="TEXT", help="Shown in status.")
CATCH_UP = click.Option(
    ["--catch-up"], is_flag=True, help="Make up for what passed; else it is forgotten."
)


def change(console: Console, job: str, what: _Json) -> None:
    """Order a change of a job, and show how it is then.

    Raises:
        BadInput: there is no such job, or it cannot be changed to that.
    """
    changed = change_job(
        connect(console), job, {key: each for key, each in what.items() if each not in ("", None)}
    )
    if console.is_json:
        console.show_json(changed)
        return
    console.show(_in_words(changed, datetime.now(UTC)))
    if changed.get("remark"):
        console.say(changed["remark"])
    for each in changed["differs_from_config"]:
        if each["key"] == "paused":
            console.say(f"it is paused: {each['why'] or 'no reason given'}")
        else:
            there = str(each["config"]).lower() if each["key"] == "enabled" else each["config"]
            console.say(f'config.toml says {each["key"]} "{there}": syncd reschedule {job} --reset')


def _in_words(job: _Json, now: datetime) -> str:
    if "schedule" not in job:
        return f"{job['name']} is not in config.toml; what was changed of it is dropped"
    if not job["enabled"]:
        return f"{job['name']} is switched off: nothing fires it, a run under way goes on"
    fire_time = instant(job["next_fire_time"])
    if fire_time is None:
        return f"{job['name']} is switched on: {job['schedule']}"
    at = clock_time(fire_time, zone_of(job["timezone"]), now)
    return (
        f"{job['name']} is switched on: {job['schedule']}, "
        f"next {at} {job['timezone']} ({distance(fire_time, now)})"
    )
