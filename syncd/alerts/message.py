"""In which words somebody is told: one JSON body for plain webhooks, Slack and Discord."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.model.alert import AlertState, Condition, WaitingPlan
from syncd.model.run import Outcome, Report, Run

Body = dict[str, Any]

EVENTS = {
    Condition.FAILED: "run.failed",
    Condition.ABANDONED: "run.abandoned",
    Condition.HELD: "run.held",
    Condition.WELL: "job.recovered",
    Condition.CHANGED: "run.changed_much",
    Condition.EXPIRING: "grants.expiring",
}
TEST_EVENT = "alert.tested"

_LONGEST_PIECE = 400
# Discord refuses more than 2,000 characters, and Slack's escapes make a text longer.
_LONGEST_TEXT = 1_500
_COUNTS = ("seen", "created", "updated", "unchanged", "deleted", "skipped", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is told: the state, the run that says so, its open plan, how many runs were bad."""

    state: AlertState
    run: Run
    plan: WaitingPlan | None
    bad_runs: int


def to_body(facts: Facts) -> Body:
    """Return what is posted about a job."""
    run, plan, state = facts.run, facts.plan, facts.state
    title = _title(facts)
    lines = [title, *filter(None, _lines(facts))]
    body = {
        "event": EVENTS[state.condition],
        "job": run.job,
        "run": run.id,
        "outcome": str(run.outcome),
        **_worded(title, lines),
        "at": _instant(run.finished_at or state.since),
        "since": _instant(state.since),
        "error": clean(run.error),
        "hint": clean(run.hint),
        "report": _report(run.report),
    }
    if plan is not None:
        body["plan"] = plan.id
    if state.condition is Condition.CHANGED:
        body["change"] = dict(state.detail)
    if state.condition is Condition.EXPIRING:
        body["grants"] = dict(state.detail)
    return body


def test_body(now: datetime) -> Body:
    """Return what is posted when a person tries the webhook."""
    title = "syncd: this is a test"
    line = "Alerts of jobs that fail, are held or change much will look like this."
    return {"event": TEST_EVENT, **_worded(title, [title, line]), "at": _instant(now)}


def clean(text: str) -> str:
    """Return one line of foreign text: no control characters, and of bounded length."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return _cut(" ".join(line.split()), _LONGEST_PIECE)


def _worded(title: str, lines: list[str]) -> Body:
    text = _cut("\n".join(lines), _LONGEST_TEXT)
    # Slack reads <...> as a mention or a link; Discord is told to read no mentions.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {
        "title": title,
        "text": escaped,
        "content": text,
        "allowed_mentions": {"parse": []},
    }


def _title(facts: Facts) -> str:
    run = facts.run
    match facts.state.condition:
        case Condition.WELL:
            return f"syncd: {run.job} is well again"
        case Condition.HELD:
            return f"syncd: {run.job} waits for a person: run {run.id} is held"
        case Condition.CHANGED:
            return f"syncd: {run.job} changed much in run {run.id}"
        case Condition.EXPIRING:
            return f"syncd: consents end soon that {run.job} needs"
        case Condition.FAILED | Condition.ABANDONED:
            again = " still" if facts.state.first_run != run.id else ""
            return f"syncd: {run.job}{again} fails: run {run.id} {_did(run)}"


def _did(run: Run) -> str:
    is_verb = run.outcome in {Outcome.SUCCEEDED, Outcome.FAILED}
    return run.outcome.value if is_verb else f"was {run.outcome}"


def _lines(facts: Facts) -> list[str]:
    run = facts.run
    match facts.state.condition:
        case Condition.WELL:
            bad, since = _runs(facts.bad_runs), _clock(facts.state.since)
            ended = f"Run {run.id} {_did(run)}, after {bad} that ended badly since {since}."
            return [ended, _counts(run.report)]
        case Condition.CHANGED:
            return [_change(facts), _counts(run.report)]
        case Condition.EXPIRING:
            return [_expiring(facts)]
        case Condition.HELD:
            return [*_waiting(facts), _counts(run.report)]
        case Condition.FAILED | Condition.ABANDONED:
            since = ""
            if facts.state.first_run != run.id:
                since = f"It does so since {_clock(facts.state.since)}."
            hint = f"What to do: {clean(run.hint)}" if run.hint else ""
            return [clean(run.error), since, hint, _counts(run.report)]


def _waiting(facts: Facts) -> list[str]:
    """Say what waits for whom, and what to type."""
    plan = facts.plan
    if plan is None:
        order = clean(facts.run.hint) or f"syncd show {facts.run.id}"
        return [clean(facts.run.error), f"What to do: {order}"]
    held = [f"{plan.deletes:,} deletions"] if plan.deletes else []
    held += [f"{plan.updates:,} updates"] if plan.holds_updates else []
    what = " and ".join(held) or "changes"
    typed = " --deletes N" if plan.is_hard else ""
    return [
        f"Plan {plan.id}: {what} of {plan.base:,} rows wait until {_clock(plan.expires_at)}.",
        *map(clean, plan.reasons[:5]),
        f"What to do: `syncd approve {plan.id}{typed}` or `syncd reject {plan.id}`",
    ]


def _change(facts: Facts) -> str:
    detail = facts.state.detail
    backup = detail.get("backup")
    copy = f"`syncd restore {backup}` brings back how it was" if backup else "no copy was taken"
    return f"{detail['changed']:,} of {detail['base']:,} rows changed; {copy}."


def _expiring(facts: Facts) -> str:
    detail = facts.state.detail
    users = "1 user" if detail["users"] == 1 else f"{detail['users']:,} users"
    return (
        f"The {detail['platform']} consent of {users} ends within {detail['days']} days: let them "
        "connect again (`syncd tokens list` shows when each ends)."
    )


def _counts(report: Report) -> str:
    counted = [f"{getattr(report, word):,} {word}" for word in _COUNTS if getattr(report, word)]
    return ", ".join(counted)


def _report(report: Report) -> Body:
    counts: Body = {word: getattr(report, word) for word in _COUNTS}
    return {**counts, "failures": dict(report.failures)}


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _instant(at: datetime) -> str:
    return at.isoformat()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
