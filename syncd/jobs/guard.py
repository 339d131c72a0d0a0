"""The guard of leaderboards: what a run may do by itself, and what waits for a person.

A pure decision over counts. Anchors: a sync tool that meets an emptied side, or one of which most
has changed, takes that for an accident and asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from syncd.model.leaderboard import (
    Comparison,
    Deletes,
    Guard,
    Plan,
    PlanState,
    SourceFacts,
    Verdict,
)

_SHRUNK = 0.9
# Of a small table nearly every row may change within an hour.
_FEW_ROWS = 1_000
# So many rows are no share of a table yet; `rows` lets no more of them pass a hard stop.
_FEW_MISSING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a decision rests on.

    `source` is what Redis said of itself, `last` what it said when a complete run of the job last
    found it in order; `plan` is the job's open plan, of whose rows `still_missing` are missing yet.
    `is_complete`: every member of every board was read; `is_partial`: it was only asked for users
    who changed.
    """

    comparison: Comparison
    source: SourceFacts
    last: SourceFacts | None
    is_complete: bool
    is_partial: bool = False
    plan: Plan | None = None
    still_missing: int = 0

    @property
    def is_approved(self) -> bool:
        """Tell whether a person approved the open plan."""
        return self.plan is not None and self.plan.state is PlanState.APPROVED


def judge(guard: Guard, evidence: Evidence) -> Verdict:
    """Decide what a run may do; nothing is deleted on doubt."""
    updates = tuple(_too_many_updates(guard, evidence))
    if not evidence.is_complete:
        lost = tuple((_shrunk if evidence.is_partial else _losses)(guard, evidence))
        return Verdict(
            reasons=(*lost, *updates),
            is_hard=bool(lost),
            marks=False,
            updates=not (lost or updates),
            deletes=Deletes.NONE,
        )
    if hard := tuple(_hard_stops(guard, evidence)):
        return _hard(guard, evidence, hard, updates)
    canary = tuple(_canary(guard, evidence))
    soft = (*canary, *_too_many_deletes(guard, evidence))
    waits = _waits_for_a_person(evidence)
    reasons = (*soft, *updates)
    if not reasons and waits and evidence.plan is not None:
        reasons = evidence.plan.reasons
    only_approved = soft or waits or evidence.source.evicts
    return Verdict(
        reasons=reasons,
        holds_deletes=bool(soft or waits),
        # What an emptied Redis says of itself is nothing to compare with later.
        marks=not canary and bool(evidence.source.members or not evidence.comparison.base),
        updates=not updates,
        deletes=Deletes.APPROVED if only_approved else Deletes.DUE,
    )


def keeps_plan(guard: Guard, evidence: Evidence, verdict: Verdict) -> bool:
    """Tell whether the plan that waits is about all that this run holds, so that it stays.

    A person who thinks about a plan must not find another one every hour.
    """
    plan, comparison = evidence.plan, evidence.comparison
    if plan is None or plan.state is not PlanState.HELD or not verdict.is_held:
        return False
    missing = comparison.missing - comparison.kept
    is_about_all = not verdict.holds_deletes or evidence.still_missing >= missing
    if is_about_all and plan.holds_updates >= (not verdict.updates):
        return plan.is_hard >= verdict.is_hard
    checks = (_hard_stops, _canary, _too_many_deletes, _too_many_updates)
    return not any(True for check in checks for _ in check(guard, evidence))


def _hard(
    guard: Guard, evidence: Evidence, hard: tuple[str, ...], updates: tuple[str, ...]
) -> Verdict:
    plan, comparison = evidence.plan, evidence.comparison
    others = comparison.missing - comparison.kept - comparison.approved
    has_seen = others <= guard.allowance(comparison.base)
    if plan is not None and evidence.is_approved and plan.is_hard and has_seen:
        # A person has seen how Redis is now: later runs are measured against that.
        return Verdict(reasons=updates, updates=not updates, deletes=Deletes.APPROVED)
    return Verdict(
        reasons=(*hard, *updates),
        is_hard=True,
        holds_deletes=True,
        marks=False,
        # Whoever has a score again began at nothing: it must not take the place of the true one.
        updates=not updates and not any(_losses(guard, evidence)),
        deletes=Deletes.NONE,
    )


def _waits_for_a_person(evidence: Evidence) -> bool:
    """Tell whether an undecided plan still has something to decide."""
    plan = evidence.plan
    return plan is not None and plan.state is PlanState.HELD and evidence.still_missing > 0


def _shrunk(guard: Guard, evidence: Evidence) -> Iterator[str]:
    """Say that only a look at everybody can tell whether Redis lost its data."""
    source, last = evidence.source, evidence.last
    if last is not None and source.members < (1 - guard.most_share) * last.members:
        yield f"Redis holds {source.members:,} members instead of {last.members:,}"


def _hard_stops(guard: Guard, evidence: Evidence) -> Iterator[str]:
    yield from _losses(guard, evidence)
    source, last = evidence.source, evidence.last
    # Where nobody is missing, what happened to Redis took nobody from it.
    if last is None or not evidence.comparison.missing - evidence.comparison.kept:
        return
    evicted = source.evicted_keys - (last.evicted_keys if _is_same_server(evidence) else 0)
    if evicted > 0:
        yield f"Redis evicted {evicted:,} keys for want of memory since the last complete run"


def _is_same_server(evidence: Evidence) -> bool:
    return evidence.last is not None and evidence.source.server_id == evidence.last.server_id


def _losses(guard: Guard, evidence: Evidence) -> Iterator[str]:
    """Say why Redis seems to have lost its data."""
    comparison, source, last = evidence.comparison, evidence.source, evidence.last
    missing = comparison.missing - comparison.kept
    if not source.members and missing:
        yield f"Redis holds nobody on any board, the table {comparison.base:,} rows"
    elif missing > max(min(guard.rows, _FEW_MISSING), guard.most_share * comparison.base):
        yield (
            f"{missing:,} of {comparison.base:,} rows are on no board any more, more than "
            f"{guard.most_share:.0%}"
        )
    if last is None or not missing or _is_same_server(evidence):
        return
    if source.members < _SHRUNK * last.members:
        yield (
            f"Redis was started anew and holds {source.members:,} members instead of "
            f"{last.members:,}"
        )


def _canary(guard: Guard, evidence: Evidence) -> Iterator[str]:
    if guard.canary and not evidence.comparison.has_canary:
        yield f"the canary {guard.canary!r} is on no board"


def _too_many_deletes(guard: Guard, evidence: Evidence) -> Iterator[str]:
    comparison = evidence.comparison
    allowed = guard.allowance(comparison.base)
    many = (
        (comparison.newly, "vanished from Redis at once"),
        (comparison.due, "are to be deleted"),
    )
    for rows, what in many:
        if rows > allowed:
            yield f"{rows:,} of {comparison.base:,} rows {what}, {allowed:,} may be"
            return


def _too_many_updates(guard: Guard, evidence: Evidence) -> Iterator[str]:
    comparison, plan = evidence.comparison, evidence.plan
    if plan is not None and evidence.is_approved and plan.holds_updates:
        return
    most = guard.changed_share * comparison.base
    if comparison.base > _FEW_ROWS and comparison.overturned > most:
        yield (
            f"{comparison.overturned:,} of {comparison.base:,} rows would get another score, as if "
            "prefix, clock or unit were wrong"
        )
