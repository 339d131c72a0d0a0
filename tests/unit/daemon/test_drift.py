from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.daemon.drift import (
    board_reading,
    drift_answer,
    is_told_as_plan,
    leaderboard_notes,
    leaderboard_problems,
)
from syncd.model.leaderboard import BoardDrift, Drift, Plan, PlanId, PlanState
from syncd.store.drift import Followed

AT = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
BOARDS = {
    "daily": BoardDrift(redis_users=2, redis_sum=8.5, postgres_users=1, postgres_sum=5),
    "gone": BoardDrift(redis_users=1, redis_sum=1, postgres_users=1, postgres_sum=1),
}


def plan(**changes: Any) -> Plan:
    values: dict[str, Any] = {
        "id": PlanId(7),
        "job": "boards",
        "run_id": 12,
        "digest": "d1",
        "sample": (),
        "created_at": AT,
        "state": PlanState.HELD,
        "deletes": 212,
        "updates": 0,
        "holds_updates": False,
        "base": 1_180,
        "reasons": ("212 users are missing at once", "so is the canary"),
        "is_hard": False,
        "expires_at": AT,
    }
    return Plan(**(values | changes))


def followed(rows: int = 0) -> Followed:
    drift = Drift(
        redis_users=968, postgres_users=1_180, rows=rows, held=212, waiting=3, boards=BOARDS
    )
    return Followed(run_id=12, at=AT, drift=drift, seconds={"stage": 0.5})


def job(found: Followed | None, waits: Plan | None = None, state: str = "ok") -> dict[str, Any]:
    return {"name": "boards", "state": state, "leaderboard": drift_answer(found, waits)}


@pytest.mark.parametrize(
    ("waits", "what", "orders"),
    [
        (
            plan(),
            "212 deletions (18 % of 1,180)",
            "look with `syncd plan boards`, then `syncd approve 7` or `syncd reject 7`",
        ),
        (
            plan(is_hard=True),
            "212 deletions (18 % of 1,180)",
            (
                "after a flush `syncd rehydrate boards`; else look with `syncd plan boards`, "
                "then `syncd approve 7 --deletes N` or `syncd reject 7`"
            ),
        ),
        (
            plan(deletes=1, holds_updates=True, updates=1_100),
            "1 deletion (0.1 % of 1,180) and 1,100 updates (93 % of 1,180)",
            "look with `syncd plan boards`, then `syncd approve 7` or `syncd reject 7`",
        ),
    ],
)
def test_what_is_held_is_a_problem_with_the_orders_that_decide(
    waits: Plan, what: str, orders: str
) -> None:
    (problem,) = leaderboard_problems([job(followed(), waits)])

    assert problem == {
        "what": f"boards holds {what}: 212 users are missing at once; so is the canary",
        "hint": orders,
    }


def test_an_approved_plan_is_no_problem_and_told_as_what_comes_next() -> None:
    jobs = [job(followed(), plan(state=PlanState.APPROVED))]

    (note,) = leaderboard_notes(jobs)

    assert leaderboard_problems(jobs) == []
    assert note["what"] == "boards: plan 7 is approved; the next full run applies it"


@pytest.mark.parametrize(("rows", "words"), [(17, "17 rows differ"), (1, "1 row differs")])
def test_rows_that_nothing_holds_are_a_note(rows: int, words: str) -> None:
    (note,) = leaderboard_notes([job(followed(rows))])

    assert note == {
        "what": f"boards: {words} from Redis since 2026-11-22 06:30 UTC; "
        "the next full run mends it",
        "hint": "syncd trigger boards --full",
    }


@pytest.mark.parametrize(
    "each",
    [job(followed()), job(None), job(followed(17), plan(), state="off")],
    ids=["in order", "never ran", "off"],
)
def test_there_is_nothing_to_say_otherwise(each: dict[str, Any]) -> None:
    assert [*leaderboard_problems([each]), *leaderboard_notes([each])] == []
    assert not is_told_as_plan(each)


def test_metrics_tell_of_both_sides_and_of_no_board_that_config_toml_does_not_have() -> None:
    never = Followed()

    found = board_reading(
        {"boards": followed(17), "new": never}, {"boards": ("daily", "weekly"), "new": ("daily",)}
    )

    assert found.users == {("boards", "redis"): 968, ("boards", "postgresql"): 1_180}
    assert found.sums == {
        ("boards", "daily", "redis"): 8.5,
        ("boards", "daily", "postgresql"): 5,
    }
    assert (found.rows, found.held) == ({("boards",): 17}, {("boards",): 212})
    assert found.waiting == {("boards",): 3}
    assert found.seconds == {("boards", "stage"): 0.5}
