from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.leaderboard import Comparison, Guard, Verdict
from syncd.model.run import Report, RunId
from syncd.store.counts import Aside, Findings, Leftover, Tally, missing_from

NOTHING = {"undone": 0, "resting": 0, "kept": 0, "refused_new": 0, "refused_old": 0}


def findings(verdict: Verdict, **counts: int) -> Findings:
    names = ("base", "users", "created", "updated", "overturned", "missing", "newly", "due")
    zeros = dict.fromkeys((*names, "approved", "kept", "protected"), 0)
    return Findings(
        job="leaderboard",
        run_id=RunId(1),
        at=datetime(2026, 1, 1, tzinfo=UTC),
        guard=Guard(),
        comparison=Comparison(**{**zeros, **counts}),
        verdict=verdict,
        is_partial=False,
    )


def left(**counts: int) -> dict[str, int]:
    return {**NOTHING, **counts}


def test_what_others_wrote_first_is_a_conflict() -> None:
    found = findings(Verdict(), created=5, updated=9)

    leftover = Leftover.of(found, Tally(created=3, updated=6), left(undone=2, refused_new=1))

    assert (leftover.conflicts, leftover.overtaken) == (5, 1)
    assert leftover.reasons == {"conflict": 6}


def test_rows_that_rest_are_held_by_a_plan_or_wait_by_themselves() -> None:
    held = Verdict(reasons=("many are missing",), holds_deletes=True, updates=False)

    waiting = Leftover.of(findings(Verdict()), Tally(), left(resting=4, kept=1))
    holding = Leftover.of(findings(held, updated=7), Tally(), left(resting=4))

    assert waiting.reasons == {"waiting": 4, "kept": 1}
    assert holding.reasons == {"held": 11}


pieces = st.integers(0, 50)


@given(unchanged=pieces, done=st.tuples(*[pieces] * 3), lost=st.tuples(*[pieces] * 4), aside=pieces)
def test_every_row_is_counted_once(
    unchanged: int, done: tuple[int, ...], lost: tuple[int, ...], aside: int
) -> None:
    created, updated, deleted = done
    conflicts, overtaken, waiting, kept = lost
    leftover = Leftover(
        conflicts=conflicts, overtaken=overtaken, held=0, waiting=waiting, kept=kept
    )
    base = unchanged + updated + deleted + conflicts + waiting + kept + aside
    tally = Tally(created=created, updated=updated, deleted=deleted)

    report = missing_from(Report(), tally, base, leftover, Aside(users=aside + 2, rows=aside))

    assert report.unchanged == unchanged
    assert report.seen == base + created + overtaken + 2


@given(done=st.tuples(*[pieces] * 3), rest=pieces, conflicts=pieces)
def test_a_run_that_is_repeated_after_its_books_counts_the_same(
    done: tuple[int, ...], rest: int, conflicts: int
) -> None:
    created, updated, deleted = done
    base = updated + deleted + rest + conflicts
    tally = Tally(created=created, updated=updated, deleted=deleted)
    some: dict[str, Any] = {"overtaken": 0, "held": 0, "waiting": 0, "kept": 0}
    first = missing_from(Report(), tally, base, Leftover(conflicts=conflicts, **some), Aside(0, 0))
    now = base + created - deleted

    # The conflicts are gone by then: others wrote what the boards say.
    more = missing_from(first, Tally(), now, Leftover(conflicts=0, **some), Aside(0, 0))

    whole = first + more
    assert (whole.created, whole.updated, whole.deleted) == done
    assert (whole.unchanged, whole.skipped) == (rest + conflicts, 0)
    assert whole.seen == first.seen
