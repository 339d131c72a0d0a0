"""Plans, and what takes back or gives back rows, from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.plan_desk import (
    JOB,
    PlanDesk,
    board_run,
    plan,
    plan_desk,
    reconciliation,
    too_many,
)
from fakes.terminal import on_terminal

TYPO = "leaderbord"
LOOK = {"only": [], "platform": "", "limit": None, "full": False, "dry_run": True}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[PlanDesk]:
    async with plan_desk(tmp_path) as desk:
        yield desk


async def test_a_plan_tells_what_would_be_held_and_ends_with_7(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = f"a run (`syncd trigger {JOB}`) applies the rest"
    desk.ending = board_run("held", too_many(is_dry=True), hint=hint)

    code = await desk.syncd("plan", JOB)

    out, err = capsys.readouterr()
    assert code == 7
    assert desk.orders == [(f"jobs/{JOB}/trigger", LOOK)]
    assert out.splitlines() == [
        "would create 3, update 41, delete 0; 212 missing (18 % of 1,180; guard 20)",
        "source: complete, redis 8f1c2d3e, up 3 d 4 h, 1,780 members (daily 812, yearly 968)",
        "missing: u_1, u_2, u_3, u_4, u_5, u_6, u_7, u_8, u_9, u_10 and 202 more",
        "would be held: 212 of 1,180 rows are missing, 20 may be deleted unasked",
        "digest: 9f3a",
    ]
    assert err.endswith(f"  hint: {hint}\n")


async def test_a_plan_of_nothing_missing_ends_with_0_and_a_complete_pass_can_be_forced(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await desk.syncd("plan", JOB, "--full")

    first = capsys.readouterr().out.splitlines()[0]
    assert (code, desk.orders[0][1]["full"]) == (0, True)
    assert first == "would create 3, update 41, delete 0; 0 missing (0 % of 1,180; guard 20)"


async def test_a_plan_that_waits_already_is_told_with_what_to_type(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.ending, desk.plans = board_run("succeeded", too_many()), [plan(is_hard=True)]

    code = await desk.syncd("plan", JOB)

    out, err = capsys.readouterr()
    assert code == 7
    assert out.splitlines()[-1] == (
        "plan 7 is held: it would delete 212 of 1,180 rows (18 %) (the same rows)"
    )
    assert "then syncd approve 7 --deletes N, or syncd reject 7" in err


async def test_a_plan_that_failed_says_why_and_ends_with_1(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "leaderboard:daily is a string, not a sorted set"
    desk.ending = board_run("failed", None, error=why, hint="rename it")

    code = await desk.syncd("plan", JOB)

    out, err = capsys.readouterr()
    assert (code, out) == (1, f"failed: {why}\n")
    assert err.endswith("  hint: rename it\n")


async def test_a_plan_as_json_is_the_run_with_what_it_compared(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.ending, desk.plans = board_run("succeeded", too_many()), [plan()]

    code = await desk.syncd("plan", JOB, "--json")

    told = json.loads(capsys.readouterr().out)
    assert (code, told["id"], told["open_plan"]["id"]) == (7, 42, 7)
    assert told["reconciliation"]["held"] == 212


async def test_a_job_that_compares_nothing_is_not_started_for_a_plan(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [await desk.syncd("plan", "github-profiles"), await desk.syncd("plan", TYPO)]

    err = capsys.readouterr().err
    assert (codes, desk.orders) == ([2, 2], [])
    assert "job github-profiles is of kind profiles, which makes no plan" in err
    assert f'did you mean "{JOB}"?' in err


async def test_plans_are_listed_and_one_is_shown_with_its_rows(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.plans = [plan(), plan(id=6, state="applied", deletes=1)]

    codes = [await desk.syncd("plans", JOB), await desk.syncd("plans", "7")]

    lines = capsys.readouterr().out.splitlines()
    assert codes == [0, 0]
    assert lines[1].split() == (f"7 held {JOB} 41 212 - 1,180 18 % no 2026-11-23 09:00".split())
    assert lines[2].split()[:2] == ["6", "applied"]
    assert "would    delete 212 of 1,180 rows (18 %)" in lines
    assert lines[-2:] == ["u_1", "u_2"]


async def test_what_is_shown_is_what_is_approved_and_the_run_is_followed(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.plans = [plan()]
    desk.ending = board_run("succeeded", reconciliation(deleted=212), deleted=212)

    code = await desk.syncd("approve", JOB, "--follow")

    out, err = capsys.readouterr()
    assert code == 0
    assert desk.orders == [
        ("plans/7/approve", {"digest": "9f3a", "deletes": None, "state": "held"})
    ]
    assert err.splitlines()[:3] == [
        f"plan 7 of {JOB} would delete 212 of 1,180 rows (18 %)",
        "  212 of 1,180 rows are missing, 20 may be deleted unasked",
        "  digest 9f3a",
    ]
    assert out.splitlines()[:2] == [
        "plan 7 is approved",
        "done in 1.9 s: 1 updated, 1 unchanged, 212 deleted",
    ]
    assert "`syncd undo 42` takes the deletions back" in err


@pytest.mark.parametrize(("answer", "code", "orders"), [("y", 0, 1), ("n", 1, 0), ("", 1, 0)])
async def test_somebody_at_a_terminal_is_asked_first(
    desk: PlanDesk, answer: str, code: int, orders: int
) -> None:
    desk.plans = [plan()]
    question = "delete 212 of 1,180 rows? [y/N]"

    said = await on_terminal(desk, "approve", "7", typed={question: answer})

    assert question in said.out
    assert (said.code, len(desk.orders)) == (code, orders)
    assert ("nothing was approved" in said.out) is (orders == 0)


async def test_nobody_is_asked_who_said_yes_before(desk: PlanDesk) -> None:
    desk.plans = [plan()]

    said = await on_terminal(desk, "approve", "7", "--yes")

    assert (said.code, len(desk.orders), "[y/N]" in said.out) == (0, 1, False)


async def test_a_run_that_was_under_way_before_the_approval_is_not_taken_for_its_own(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.plans, desk.note = [plan()], "run 42 goes on: the next full run applies the plan"
    desk.ending = board_run("failed", None, error="cancelled")

    code = await desk.syncd("approve", "7", "--follow")

    out, err = capsys.readouterr()
    assert (code, out) == (0, "plan 7 is approved\n")
    assert desk.note in err
    assert f"hint: syncd trigger {JOB} --full --follow" in err


async def test_a_plan_beyond_a_hard_stop_takes_the_number_typed(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.plans = [plan(is_hard=True)]

    refused = await desk.syncd("approve", "7")
    told = "".join(capsys.readouterr())
    passed = await desk.syncd("approve", "7", "--deletes", "212")

    assert (refused, passed) == (2, 0)
    assert "plan 7 is beyond a hard stop: it takes --deletes N" in told
    assert "212" not in told
    assert desk.orders == [("plans/7/approve", {"digest": "9f3a", "deletes": 212, "state": "held"})]


async def test_without_a_plan_there_is_nothing_to_approve(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.plans = [plan(state="expired")]

    code = await desk.syncd("approve", JOB)

    assert (code, desk.orders) == (2, [])
    assert f"no plan of {JOB} waits for a person" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["plans", "approve", "reject", "backups", "rehydrate"])
async def test_a_job_that_is_not_known_is_answered_with_the_one_meant(
    desk: PlanDesk, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await desk.syncd(typed, TYPO)

    assert (code, desk.orders) == (2, [])
    assert f'did you mean "{JOB}"?' in capsys.readouterr().err


async def test_a_plan_is_rejected_with_a_reason(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.plans = [plan()]

    code = await desk.syncd("reject", JOB, "--why", "they moved")

    assert (code, desk.orders) == (0, [("plans/7/reject", {"why": "they moved", "state": "held"})])
    assert capsys.readouterr().out == f"plan 7 of {JOB} is rejected, 212 rows stay\n"


@pytest.mark.parametrize(
    ("typed", "order"),
    [
        ("undo 41", ("runs/41/undo", {})),
        ("restore 3", ("backups/3/restore", {})),
        (f"rehydrate {JOB}", (f"jobs/{JOB}/rehydrate", {"dry_run": False})),
        (f"rehydrate {JOB} --dry-run", (f"jobs/{JOB}/rehydrate", {"dry_run": True})),
    ],
)
async def test_what_gives_rows_back_is_followed_to_its_end(
    desk: PlanDesk, typed: str, order: tuple[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    desk.ending = board_run("succeeded", None, created=12, updated=0, hint="pause the job")

    code = await desk.syncd(*typed.split())

    out, err = capsys.readouterr()
    assert (code, desk.orders) == (0, [order])
    assert out == "done in 1.9 s: 12 created, 1 unchanged\n"
    assert "  hint: pause the job" in err
    assert ("nothing was written" in err) is ("--dry-run" in typed)


async def test_backups_are_listed(desk: PlanDesk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.backups = [
        {
            "id": 3,
            "job": JOB,
            "run_id": 41,
            "table_name": "leaderboard_backup_41",
            "target": "pomo_leaderboard",
            "rows": 1_180,
            "taken_at": "2026-11-22T09:00:00Z",
            "expires_at": "2026-12-06T09:00:00Z",
        }
    ]

    code = await desk.syncd("backups", JOB)

    row = capsys.readouterr().out.splitlines()[1]
    assert code == 0
    assert row.split() == (
        f"3 {JOB} 41 2026-11-22 09:00 1,180 pomo_leaderboard leaderboard_backup_41"
        " 2026-12-06 09:00".split()
    )


async def test_a_run_is_shown_with_its_phases_what_waits_and_both_sides(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    board = {"redis_users": 968, "redis_sum": 9_680.5, "postgres_users": 1_180}
    drift = {"redis_users": 971, "postgres_users": 1_180, "rows": 0, "held": 212, "waiting": 5}
    told = too_many(
        plan=7,
        waiting=5,
        conflicts=1,
        errors=2,
        backup=3,
        notes=["redis may evict keys: nothing is deleted"],
        drift={**drift, "boards": {"daily": {**board, "postgres_sum": 9_999.0}}},
    )
    desk.ending = board_run("held", told)

    shown = await desk.syncd("show", "42")
    lines = capsys.readouterr().out.splitlines()
    followed = await desk.syncd("trigger", JOB, "--follow")

    rows = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith(" "))
    assert (shown, followed) == (0, 7)
    assert rows["compared"] == "1,180 rows with 971 users; full, complete"
    assert rows["held"] == "212 missing (18 % of 1,180; guard 20)"
    assert rows["phases"] == "read 412 ms, compare 30 ms, apply 1.9 s"
    assert rows["waiting"] == "5 until they were missing long enough"
    assert rows["conflicts"].startswith("1 ")
    assert rows["errors"] == f"2 users set aside: `syncd dead-letters list --job {JOB}`"
    assert rows["backup"] == "3: `syncd restore 3` puts it back"
    assert rows["drift"] == (
        "none (971 in Redis, 1,180 in PostgreSQL); besides held 212, waiting 5"
    )
    assert rows["note"] == "redis may evict keys: nothing is deleted"
    assert lines[-1].split() == ["daily", "968", "9,680.5", "1,180", "9,999"]
    followed_lines = capsys.readouterr().out.splitlines()
    assert followed_lines[0] == "held in 1.9 s: 1 updated, 1 unchanged"
    assert not [line for line in followed_lines if "requests" in line]


async def test_held_updates_are_not_told_as_missing_rows(
    desk: PlanDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.ending = board_run("held", too_many(missing=0, held=1_100))

    await desk.syncd("show", "42")

    [held] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("held ")]
    assert held.split(maxsplit=1)[1] == "1,100 rows"
