"""What a person is told about tables that follow leaderboards: drift, and what is held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from syncd.daemon.answers import Json, plan_answer
from syncd.model.leaderboard import Drift, Plan, PlanState
from syncd.store.drift import Followed
from syncd.telemetry.readings import BoardReading, Values

KIND = "leaderboard"
"""The kind of the jobs that this is about, and where their answers tell of it."""


def drift_answer(followed: Followed | None, plan: Plan | None) -> Json | None:
    """Describe how a table follows its boards, and its open plan; None before its job has run."""
    if followed is None:
        return None
    drift = {} if followed.drift is None else asdict(followed.drift)
    return {
        **drift,
        "is_measured": followed.drift is not None,
        "at": followed.at,
        "run": followed.run_id,
        "seconds": dict(followed.seconds),
        "plan": None if plan is None else plan_answer(plan),
    }


def leaderboard_problems(jobs: Iterable[Json]) -> list[Json]:
    """Say what waits for a person: deletions and updates that the guard holds."""
    return [
        _held(name, plan)
        for name, told in _told(jobs)
        if (plan := told["plan"]) is not None and plan["state"] == PlanState.HELD
    ]


def leaderboard_notes(jobs: Sequence[Json]) -> list[Json]:
    """Say what a later run does by itself: mend what differs, apply what was approved."""
    notes = []
    for name, told in _told(jobs):
        plan = told["plan"]
        if plan is not None and plan["state"] == PlanState.APPROVED:
            what = f"{name}: plan {plan['id']} is approved; the next full run applies it"
            notes.append({"what": what, "hint": f"syncd trigger {name} --full"})
        if told.get("rows"):
            rows = f"{told['rows']:,} row{'' if told['rows'] == 1 else 's'}"
            differ = "differs" if told["rows"] == 1 else "differ"
            what = f"{name}: {rows} {differ} from Redis since {_instant(told['at'])}; "
            notes.append(
                {
                    "what": f"{what}the next full run mends it",
                    "hint": f"syncd trigger {name} --full",
                }
            )
    return notes


def is_told_as_plan(job: Json) -> bool:
    """Tell whether what a job holds is a problem of its own already."""
    return bool(leaderboard_problems([job]))


def board_reading(
    followed: Mapping[str, Followed], boards: Mapping[str, Collection[str]]
) -> BoardReading:
    """Return what metrics tell; of `boards`, by job, and of no others."""
    drifts = {job: each.drift for job, each in followed.items() if each.drift is not None}

    def by_job(count: Callable[[Drift], int]) -> Values:
        return {(job,): count(drift) for job, drift in drifts.items()}

    users: dict[tuple[str, ...], float] = {}
    sums: dict[tuple[str, ...], float] = {}
    for job, drift in drifts.items():
        users |= {(job, "redis"): drift.redis_users, (job, "postgresql"): drift.postgres_users}
        for name in drift.boards.keys() & boards[job]:
            board = drift.boards[name]
            sums |= {
                (job, name, "redis"): board.redis_sum,
                (job, name, "postgresql"): board.postgres_sum,
            }
    return BoardReading(
        users=users,
        sums=sums,
        rows=by_job(lambda drift: drift.rows),
        held=by_job(lambda drift: drift.held),
        waiting=by_job(lambda drift: drift.waiting),
        seconds={
            (job, phase): seconds
            for job, each in followed.items()
            for phase, seconds in each.seconds.items()
        },
    )


def _told(jobs: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    """Yield what is known of each leaderboard job that is on."""
    for job in jobs:
        told = job.get(KIND)
        if told is not None and job["state"] != "off":
            yield job["name"], told


def _held(name: str, plan: Json) -> Json:
    number = plan["id"]
    look = f"look with `syncd plan {name}`, then `syncd approve {number}"
    # The number to type is not told here: who types it should have counted what would go.
    order = f"{look} --deletes N`" if plan["is_hard"] else f"{look}`"
    first = f"after a flush `syncd rehydrate {name}`; else " if plan["is_hard"] else ""
    return {
        "what": f"{name} holds {_what(plan)}: {'; '.join(plan['reasons'])}",
        "hint": f"{first}{order} or `syncd reject {number}`",
    }


def _what(plan: Json) -> str:
    """Write what a plan holds: `212 deletions (18 % of 1,180) and 3 updates`."""
    parts = [_part(plan["deletes"], "deletion", plan["base"])] if plan["deletes"] else []
    if plan["holds_updates"]:
        parts.append(_part(plan["updates"], "update", plan["base"]))
    return " and ".join(parts) or "what the source would change"


def _part(count: int, word: str, base: int) -> str:
    percent = count / base * 100 if base else 100.0
    share = f"{percent:.0f}" if percent >= 10 else f"{percent:.1f}"
    return f"{count:,} {word}{'' if count == 1 else 's'} ({share} % of {base:,})"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
