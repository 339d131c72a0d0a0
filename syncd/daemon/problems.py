"""What a person should look at, each in one sentence with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from syncd.daemon.answers import Json
from syncd.daemon.drift import KIND, is_told_as_plan
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Outcome
from syncd.runs.runner import Order
from syncd.telemetry.events import RunHeldUp

_TROUBLE = {Outcome.PARTIAL, Outcome.FAILED, Outcome.HELD, Outcome.ABANDONED}
_ITEMS = {"leaderboard": "users", "notify": "deliveries"}
_RESUME = {PauseScope.ALL: "--all", PauseScope.JOB: "", PauseScope.PLATFORM: "--platform "}


def database_problems(database: Json) -> list[Json]:
    """Say that PostgreSQL does not answer."""
    if database["ok"]:
        return []
    hint = "syncd keeps trying and heals by itself once the database answers"
    return [{"what": database["error"], "hint": hint}]


def redis_problems(redis: Json, jobs: Sequence[Json]) -> list[Json]:
    """Say that Redis does not answer, where a job that is on reads it."""
    if redis["ok"] or not any(job["kind"] == KIND and job["state"] != "off" for job in jobs):
        return []
    hint = "check that the server runs and that [redis] names it rightly; runs fail meanwhile"
    return [{"what": redis["error"], "hint": hint}]


def run_problems(jobs: Sequence[Json], verdicts: Mapping[str, Json]) -> list[Json]:
    """Say which jobs ended badly the last time."""
    problems = []
    for job in jobs:
        last = verdicts.get(job["name"])
        if last is not None and last["outcome"] == Outcome.HELD and is_told_as_plan(job):
            continue
        if last is not None and last["outcome"] in _TROUBLE:
            failures = _failures_in_words(last) if last["failed"] else ""
            cause = "; ".join(filter(None, (last["error"], failures)))
            what = f"{job['name']}: run {last['id']} was {last['outcome']}: {cause}"
            hint = last["hint"] or f"see `syncd show {last['id']}`"
            problems.append({"what": what, "hint": hint})
    return problems


def held_up_problems(held_up: Iterable[RunHeldUp]) -> list[Json]:
    """Say which runs PostgreSQL holds up although it answers: its disk is full, say."""
    return [
        {"what": f"{each.job}: run {each.run_id} waits: {each.error}", "hint": each.hint}
        for each in held_up
    ]


def stuck_problems(orders: Iterable[Order]) -> list[Json]:
    """Say which runs go on although they were cancelled."""
    return [
        {
            "what": f"{each.job.name}: run {each.run.id} was cancelled and goes on all the same",
            "hint": "its stack is in the log (run.stuck); a restart of syncd ends it",
        }
        for each in orders
    ]


def pause_problems(pauses: Iterable[Pause]) -> list[Json]:
    """Say what a person paused, until when, and how to end it."""
    return [pause_problem(pause) for pause in pauses if pause.scope in _RESUME]


def pause_problem(pause: Pause) -> Json:
    """Say that something but a single account is paused, and the order that ends it."""
    order = f"syncd resume {_RESUME[pause.scope]}{pause.key}"
    return {"what": _pause_in_words(pause), "hint": order}


def _pause_in_words(pause: Pause) -> str:
    what = {PauseScope.ALL: "everything", PauseScope.PLATFORM: f"platform {pause.key}"}
    end = "" if pause.until is None else f" until {_instant(pause.until)}"
    return (
        f"{what.get(pause.scope, pause.key)} is paused since {_instant(pause.paused_at)}{end}: "
        f"{pause.why or 'no reason given'}"
    )


def difference_notes(jobs: Sequence[Json]) -> list[Json]:
    """Say which jobs run otherwise than config.toml says; a pause is told as a problem."""
    notes = []
    for job in jobs:
        changed = [each for each in job["differs_from_config"] if each["key"] != "paused"]
        if not changed:
            continue
        words = ", ".join(map(_change_in_words, changed))
        why = f": {changed[0]['why']}" if changed[0]["why"] else ""
        what = (
            f"{job['name']} differs from config.toml: {words}, "
            f"by {changed[0]['actor']} since {_instant(changed[0]['changed_at'])}{why}"
        )
        notes.append({"what": what, "hint": f"syncd reschedule {job['name']} --reset"})
    return notes


def _change_in_words(change: Json) -> str:
    if change["key"] == "enabled":
        return "switched on" if change["now"] else "switched off"
    return f'{change["key"]} "{change["now"]}" in place of "{change["config"]}"'


def _failures_in_words(run: Json) -> str:
    causes = ", ".join(f"{word} {count:,}" for word, count in sorted(run["failures"].items()))
    who = _ITEMS.get(run["kind"], "accounts")
    return f"{run['failed']:,} of {run['seen']:,} {who} failed ({causes})"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
