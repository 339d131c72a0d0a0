from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from syncd.jobs.guard import Evidence, judge, keeps_plan
from syncd.model.leaderboard import (
    BoardFacts,
    Comparison,
    Guard,
    Plan,
    PlanId,
    PlanState,
    SourceFacts,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GUARD = Guard()


def source(**given: object) -> SourceFacts:
    facts = SourceFacts(
        server_id="one",
        uptime_seconds=10,
        evicted_keys=0,
        keys=4,
        evicts=False,
        is_replica=False,
        is_stale=False,
        boards={"daily": BoardFacts(members=1_000)},
    )
    return replace(facts, **given)  # type: ignore[arg-type] - a test names fields rightly


def comparison(**given: int | bool) -> Comparison:
    counts = dict.fromkeys(
        ("created", "updated", "overturned", "missing", "newly", "due", "approved", "kept"), 0
    )
    counts |= {"base": 1_000, "users": 1_000, "protected": 0}
    return Comparison(**{**counts, **given})  # type: ignore[arg-type] - as above


ONE_MISSING = comparison(missing=1, newly=1)


def evidence(**given: object) -> Evidence:
    found = Evidence(comparison=comparison(), source=source(), last=source(), is_complete=True)
    return replace(found, **given)  # type: ignore[arg-type] - as above


def plan(**given: object) -> Plan:
    held = Plan(
        id=PlanId(7),
        job="leaderboard",
        run_id=1,
        state=PlanState.HELD,
        deletes=50,
        updates=0,
        holds_updates=False,
        base=1_000,
        reasons=("50 of 1,000 rows vanished from Redis at once, 20 may be",),
        is_hard=False,
        digest="d",
        sample=(),
        created_at=NOW,
        expires_at=NOW,
    )
    return replace(held, **given)  # type: ignore[arg-type] - as above


def test_nothing_missing_lets_everything_pass() -> None:
    verdict = judge(GUARD, evidence())

    assert not verdict.is_held
    assert (verdict.marks, verdict.updates, verdict.deletes) == (True, True, "due")


@pytest.mark.parametrize(
    ("base", "due", "held"),
    [
        (100, 20, False),
        (1_000, 21, True),
        (2_000, 20, False),
        (2_000, 21, True),
        (3_000, 30, False),
        (3_000, 31, True),
        (3, 3, False),
    ],
)
def test_twenty_rows_or_one_percent_may_go_unasked(base: int, due: int, held: bool) -> None:
    verdict = judge(GUARD, evidence(comparison=comparison(base=base, missing=due, due=due)))

    assert verdict.is_held is held
    assert verdict.deletes == ("approved" if held else "due")
    assert not verdict.is_hard


@pytest.mark.parametrize(("missing", "hard"), [(200, False), (201, True)])
def test_more_than_a_fifth_needs_the_typed_number(missing: int, hard: bool) -> None:
    found = evidence(comparison=comparison(missing=missing, newly=missing))

    verdict = judge(GUARD, found)

    assert verdict.is_held
    assert verdict.is_hard is hard
    assert verdict.marks is not hard


@pytest.mark.parametrize(("missing", "hard"), [(200, False), (201, True), (999, True)])
def test_no_number_of_rows_lifts_the_hard_stop(missing: int, hard: bool) -> None:
    counts = comparison(missing=missing, due=missing)

    assert judge(Guard(rows=1_000_000), evidence(comparison=counts)).is_hard is hard


def test_many_who_vanish_at_once_are_told_before_they_have_waited() -> None:
    verdict = judge(GUARD, evidence(comparison=comparison(missing=21, newly=21)))

    assert verdict.reasons == ("21 of 1,000 rows vanished from Redis at once, 20 may be",)
    assert verdict.marks


def test_an_incomplete_run_deletes_nobody_and_marks_nobody() -> None:
    verdict = judge(GUARD, evidence(comparison=comparison(missing=5, due=5), is_complete=False))

    assert (verdict.deletes, verdict.marks, verdict.is_held) == ("none", False, False)


def test_an_empty_source_beside_a_full_table_is_a_hard_stop() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})

    verdict = judge(GUARD, evidence(source=empty, comparison=comparison(missing=3, base=3)))

    assert verdict.is_hard
    assert verdict.deletes == "none"


def test_an_empty_source_of_which_every_row_is_kept_asks_nothing_and_is_no_good_source() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})
    found = evidence(source=empty, comparison=comparison(missing=1_000, kept=1_000, users=0))

    verdict = judge(GUARD, found)

    assert (verdict.is_held, verdict.marks) == (False, False)


def test_an_empty_source_beside_an_empty_table_is_nothing_to_ask_about() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})

    assert not judge(GUARD, evidence(source=empty, comparison=comparison(base=0, users=0))).is_held


@pytest.mark.parametrize(("members", "hard"), [(899, True), (900, False)])
def test_a_restarted_server_that_holds_less_is_a_hard_stop(members: int, hard: bool) -> None:
    restarted = source(server_id="two", boards={"daily": BoardFacts(members=members)})

    assert judge(GUARD, evidence(source=restarted, comparison=ONE_MISSING)).is_hard is hard


@pytest.mark.parametrize(
    "found",
    [
        source(evicted_keys=5),
        source(server_id="two", boards={"daily": BoardFacts(members=500)}),
    ],
)
def test_what_happened_to_redis_holds_nothing_where_nobody_is_missing(found: SourceFacts) -> None:
    verdict = judge(GUARD, evidence(source=found))

    assert (verdict.is_held, verdict.marks) == (False, True)


def test_the_same_server_that_holds_less_is_judged_by_who_is_missing() -> None:
    shrunk = source(boards={"daily": BoardFacts(members=500)})

    assert not judge(GUARD, evidence(source=shrunk)).is_held


@pytest.mark.parametrize(
    ("found", "hard"),
    [
        (source(evicted_keys=1), True),
        (source(server_id="two", evicted_keys=1), True),
        (source(server_id="two"), False),
    ],
)
def test_evicted_keys_are_a_hard_stop(found: SourceFacts, hard: bool) -> None:
    assert judge(GUARD, evidence(source=found, comparison=ONE_MISSING)).is_hard is hard


def test_what_was_evicted_before_the_last_good_run_is_known() -> None:
    last = source(evicted_keys=5)

    assert not judge(GUARD, evidence(source=source(evicted_keys=5), last=last)).is_held


def test_a_server_that_may_evict_deletes_only_what_a_person_approved() -> None:
    found = evidence(source=source(evicts=True), comparison=comparison(missing=1, due=1))

    verdict = judge(GUARD, found)

    assert verdict.deletes == "approved"
    assert not verdict.is_held


def test_a_canary_that_is_gone_holds_everything_back() -> None:
    found = evidence(comparison=comparison(missing=1, due=1, has_canary=False))

    verdict = judge(replace(GUARD, canary="alice"), found)

    assert verdict.reasons == ("the canary 'alice' is on no board",)
    assert (verdict.deletes, verdict.marks) == ("approved", False)


@pytest.mark.parametrize(
    ("base", "overturned", "held"), [(1_001, 901, True), (1_000, 1_000, False)]
)
def test_updates_of_nearly_everybody_wait(base: int, overturned: int, held: bool) -> None:
    found = evidence(comparison=comparison(base=base, updated=overturned, overturned=overturned))

    verdict = judge(GUARD, found)

    assert verdict.updates is not held
    assert verdict.is_held is held


def test_approved_updates_pass() -> None:
    approved = plan(state=PlanState.APPROVED, holds_updates=True)
    found = evidence(comparison=comparison(base=2_000, overturned=2_000), plan=approved)

    verdict = judge(GUARD, found)

    assert verdict.updates
    assert not verdict.is_held


def test_an_undecided_plan_keeps_its_runs_held() -> None:
    found = evidence(comparison=comparison(missing=50), plan=plan(), still_missing=50)

    verdict = judge(GUARD, found)

    assert verdict.reasons == plan().reasons
    assert verdict.deletes == "approved"
    assert verdict.holds_deletes
    assert keeps_plan(GUARD, found, verdict)


def test_a_plan_whose_users_are_all_back_holds_nothing() -> None:
    assert not judge(GUARD, evidence(plan=plan())).is_held


def test_an_approved_plan_lets_its_rows_go() -> None:
    found = evidence(
        comparison=comparison(missing=50, approved=50), plan=plan(state=PlanState.APPROVED)
    )

    verdict = judge(GUARD, found)

    assert not verdict.is_held
    assert verdict.deletes == "due"


def test_a_hard_stop_passes_only_a_plan_that_was_approved_as_one() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})
    found = evidence(source=empty, comparison=comparison(missing=1_000, approved=1_000))
    soft = plan(state=PlanState.APPROVED)

    refused = judge(GUARD, replace(found, plan=soft))
    passed = judge(GUARD, replace(found, plan=replace(soft, is_hard=True)))

    assert (refused.deletes, refused.is_hard) == ("none", True)
    assert (passed.deletes, passed.is_held, passed.marks) == ("approved", False, True)


def test_what_happened_after_the_approval_is_not_what_was_approved() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})
    hard = plan(state=PlanState.APPROVED, is_hard=True)
    counts = comparison(missing=1_000, newly=700, approved=300)

    verdict = judge(GUARD, evidence(source=empty, comparison=counts, plan=hard))

    assert (verdict.deletes, verdict.is_hard, verdict.marks) == ("none", True, False)


def test_an_approval_stands_although_a_few_more_are_missing() -> None:
    hard = plan(state=PlanState.APPROVED, is_hard=True)
    counts = comparison(missing=320, newly=20, approved=300)

    verdict = judge(GUARD, evidence(comparison=counts, plan=hard))

    assert (verdict.deletes, verdict.is_held) == ("approved", False)


def test_rows_that_a_person_kept_ring_no_alarm() -> None:
    found = evidence(comparison=comparison(missing=500, kept=500))

    assert not judge(GUARD, found).is_held


def keeps(found: Evidence) -> bool:
    return keeps_plan(GUARD, found, judge(GUARD, found))


def test_who_vanishes_one_by_one_does_not_renew_the_plan_that_waits() -> None:
    found = evidence(comparison=comparison(missing=55, newly=5), plan=plan(), still_missing=50)

    assert keeps(found)


def test_many_more_who_vanish_are_a_plan_of_their_own() -> None:
    found = evidence(comparison=comparison(missing=110, newly=60), plan=plan(), still_missing=50)

    assert not keeps(found)


def test_a_flush_is_one_plan_however_many_runs_meet_it() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})
    flushed = evidence(source=empty, comparison=comparison(missing=1_000, newly=1_000))
    waiting = replace(flushed, plan=plan(is_hard=True, holds_updates=True), still_missing=1_000)

    assert not keeps(flushed)
    assert keeps(waiting)


def test_a_plan_that_was_soft_is_not_enough_for_a_hard_stop() -> None:
    empty = source(boards={"daily": BoardFacts(members=0)})
    found = evidence(source=empty, comparison=comparison(missing=50), plan=plan())

    assert not keeps(replace(found, still_missing=50))


def test_scores_that_go_on_changing_do_not_renew_a_plan_about_updates() -> None:
    held = plan(deletes=0, holds_updates=True)
    changed = comparison(base=2_000, overturned=1_950, missing=3)

    assert keeps(evidence(comparison=changed, plan=held))
    assert not keeps(evidence(comparison=changed, plan=plan(), still_missing=3))


def test_updates_that_wait_hold_no_deletion_back() -> None:
    changed = comparison(base=2_000, overturned=1_950, missing=3, due=3)

    verdict = judge(GUARD, evidence(comparison=changed))

    assert verdict.is_held
    assert (verdict.deletes, verdict.holds_deletes) == ("due", False)


def test_a_redis_that_lost_its_data_overwrites_no_score() -> None:
    lost = comparison(missing=900, newly=900, updated=5)
    restarted = source(server_id="two", boards={"daily": BoardFacts(members=500)})

    assert not judge(GUARD, evidence(comparison=lost)).updates
    assert not judge(GUARD, evidence(source=restarted, comparison=ONE_MISSING)).updates
    assert judge(GUARD, evidence(source=source(evicted_keys=1), comparison=ONE_MISSING)).updates


def test_an_approval_of_what_was_lost_lets_the_scores_pass_too() -> None:
    approved = plan(state=PlanState.APPROVED, is_hard=True, holds_updates=True)
    lost = comparison(missing=900, approved=900, updated=5)

    verdict = judge(GUARD, evidence(comparison=lost, plan=approved))

    assert (verdict.updates, verdict.deletes) == (True, "approved")


@pytest.mark.parametrize(("members", "held"), [(799, True), (800, False)])
def test_changed_users_of_a_redis_that_shrank_are_looked_at_with_everybody(
    members: int, held: bool
) -> None:
    shrunk = source(boards={"daily": BoardFacts(members=members)})

    found = evidence(source=shrunk, is_complete=False, is_partial=True)

    assert judge(GUARD, found).is_held is held
    assert not judge(GUARD, replace(found, is_partial=False)).is_held
