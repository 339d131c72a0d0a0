from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from syncd.model.run import Cause, Outcome, Report, Run, RunId, RunOptions, SkipReason
from syncd.telemetry.events import (
    AccountChanged,
    AlertDropped,
    AlertSent,
    ContestCancelled,
    ContestMoved,
    FireClaimed,
    FireSkipped,
    GapFound,
    GrantRenewed,
    ItemFailed,
    ItemsCommitted,
    PlaysStored,
    RunCrashed,
    RunFinished,
)
from syncd.telemetry.metrics import Metrics
from syncd.telemetry.readings import BoardReading, GateReading, Reading, StoreReading

JOB = "github-profiles"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOSTILE = 'eve"} 1\nsyncd_evil{x="https://evil.example'
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3", [JOB], ["github"])


def gate(**changes: Any) -> GateReading:
    whole: dict[str, Any] = {
        "platform": "github",
        "credential": "main",
        "calls": 10,
        "saved": 7,
        "quotas_left": {"core": 4990.0, "graphql": 17.0},
        "pause_ends_at": None,
    }
    return GateReading(**(whole | changes))


def reading(**changes: Any) -> Reading:
    whole: dict[str, Any] = {
        "at": AT,
        "is_store_up": False,
        "is_config_ok": True,
        "gates": [gate()],
        "store": None,
        "lines_dropped": 0,
    }
    return Reading(**(whole | changes))


def series(metrics: Metrics, found: Reading | None = None) -> Series:
    """Every sample of a scrape; a series that comes twice is an error."""
    text = metrics.render(found or reading()).decode()
    samples = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert len(dict(samples)) == len(samples)
    return dict(samples)


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def finished(job: str = JOB, **changes: Any) -> RunFinished:
    whole: dict[str, Any] = {
        "id": RunId(1),
        "job": job,
        "kind": "profiles",
        "cause": Cause.SCHEDULE,
        "outcome": Outcome.PARTIAL,
        "claimed_at": AT,
    }
    return RunFinished(run=Run(**(whole | changes)), duration_seconds=20.0)


def committed(job: str = JOB, platform: str = "github", **counts: int) -> ItemsCommitted:
    return ItemsCommitted(run_id=1, job=job, platform=platform, report=Report(**counts))


def test_runs_are_counted_by_how_and_why_they_were(metrics: Metrics) -> None:
    metrics.note(finished())
    metrics.note(finished(cause=Cause.MANUAL, outcome=Outcome.SUCCEEDED))
    metrics.note(finished(cause=Cause.MANUAL, outcome=Outcome.SUCCEEDED))

    found = series(metrics)

    assert found[key("syncd_runs_total", job=JOB, outcome="partial", cause="schedule")] == 1
    assert found[key("syncd_runs_total", job=JOB, outcome="succeeded", cause="manual")] == 2


def test_alerts_are_counted_by_what_they_told_and_whether_they_arrived(metrics: Metrics) -> None:
    sent = AlertSent(alert="run.failed", job=HOSTILE, run_id=1, attempts=2, status=200)
    dropped = AlertDropped(
        alert="run.held", job=HOSTILE, run_id=1, attempts=5, error=HOSTILE, hint=HOSTILE
    )
    for event in (sent, sent, dropped):
        metrics.note(event)

    found = series(metrics)

    assert found[key("syncd_alerts_total", event="run.failed", outcome="sent")] == 2
    assert found[key("syncd_alerts_total", event="run.held", outcome="dropped")] == 1
    assert "evil" not in str(found)


def test_durations_fall_into_their_bucket(metrics: Metrics) -> None:
    metrics.note(finished())

    found = series(metrics)

    name = "syncd_run_duration_seconds"
    assert (found[key(f"{name}_sum", job=JOB)], found[key(f"{name}_count", job=JOB)]) == (20, 1)
    assert found[key(f"{name}_bucket", job=JOB, le="15.0")] == 0
    assert found[key(f"{name}_bucket", job=JOB, le="60.0")] == 1


def test_items_add_up_over_batches(metrics: Metrics) -> None:
    metrics.note(committed(created=2, failed=1))
    metrics.note(committed(created=3, unchanged=5))

    found = series(metrics)

    items = {
        dict(labels)["outcome"]: value
        for (name, labels), value in found.items()
        if name == "syncd_items_total"
    }
    assert items == {"created": 5, "failed": 1, "unchanged": 5}


def test_skipped_fires_are_counted_by_reason(metrics: Metrics) -> None:
    metrics.note(FireSkipped(job=JOB, fire_time=AT, reason=SkipReason.OVERLAP))

    found = series(metrics)

    assert found[key("syncd_fires_skipped_total", job=JOB, reason="overlap")] == 1


def test_fires_are_counted_by_verdict(metrics: Metrics) -> None:
    fire = FireClaimed(run_id=1, job=JOB, fire_time=AT, cause=Cause.SCHEDULE, late_seconds=0.1)
    metrics.note(fire)
    metrics.note(replace(fire, cause=Cause.CATCH_UP, late_seconds=3600))
    metrics.note(FireSkipped(job=JOB, fire_time=AT, reason=SkipReason.COALESCED, rows=7))

    found = series(metrics)

    counts = {
        dict(labels)["verdict"]: value
        for (name, labels), value in found.items()
        if name == "syncd_fires_total" and dict(labels)["job"] == JOB
    }
    assert counts == {
        "started": 1,
        "late": 1,
        "coalesced": 7,
        "overlap": 0,
        "paused": 0,
        "too_late": 0,
    }


def test_failures_nobody_foresaw_are_counted_by_job(metrics: Metrics) -> None:
    metrics.note(RunCrashed(run_id=7, job=JOB, error="unforeseen KeyError", stack="..."))

    assert series(metrics)[key("syncd_run_crashes_total", job=JOB)] == 1


def test_the_first_failure_of_a_job_is_an_increase(metrics: Metrics) -> None:
    before = series(metrics)
    metrics.note(finished(outcome=Outcome.FAILED))

    failed = key("syncd_runs_total", job=JOB, outcome="failed", cause="schedule")
    assert (before[failed], series(metrics)[failed]) == (0, 1)


@pytest.mark.parametrize(
    ("cause", "label"),
    [
        ("rate limit", "rate_limit"),
        ("secondary limit", "rate_limit"),
        ("HTTP 429", "rate_limit"),
        ("quota used up", "quota"),
        ("provider outage suspected: 3 of 12 refreshes refused", "other"),
    ],
)
def test_a_pause_tells_its_cause_in_one_of_three_words(
    metrics: Metrics, cause: str, label: str
) -> None:
    found = series(metrics, reading(gates=[gate(pause_cause=cause), gate(credential="second")]))

    causes = [dict(labels)["cause"] for name, labels in found if name.endswith("pause_cause")]
    assert causes == [label]


def test_a_gate_tells_its_calls_its_quota_and_its_pause(metrics: Metrics) -> None:
    paused = gate(credential="second", quotas_left={"core": 0}, pause_ends_at=AT)

    found = series(metrics, reading(gates=[gate(), paused]))

    def told(name: str, **labels: str) -> list[float | None]:
        return [
            found.get(key(f"syncd_{name}", platform="github", credential=credential, **labels))
            for credential in ("main", "second")
        ]

    assert (told("api_calls_total"), told("api_calls_saved_total")) == ([10, 10], [7, 7])
    assert told("quota_left", resource="core") == [4990, 0]
    assert told("quota_left", resource="graphql") == [17, None]
    assert told("platform_paused") == [0, 1]
    assert told("platform_pause_ends_timestamp_seconds") == [None, AT.timestamp()]


def test_a_quota_without_a_limit_is_not_told(metrics: Metrics) -> None:
    found = series(metrics, reading(gates=[gate(quotas_left={"core": math.inf})]))

    assert "syncd_quota_left" not in {name for name, _ in found}


def test_what_the_store_said_is_told_with_its_age(metrics: Metrics) -> None:
    store = StoreReading(
        at=AT - timedelta(seconds=7),
        accounts={("github", "active"): 98, ("github", "gone"): 2},
        letters={("github", JOB): 3},
        stale_since={("github", "0.99"): AT - timedelta(hours=1)},
        fresh_shares={JOB: 0.98},
        last_successes={JOB: AT},
        last_completed={JOB: AT},
    )

    found = series(metrics, reading(store=store, is_store_up=True))

    assert found[key("syncd_store_up")] == 1
    assert found[key("syncd_store_reading_age_seconds")] == 7
    assert found[key("syncd_accounts", platform="github", state="gone")] == 2
    assert found[key("syncd_dead_letters", platform="github", job=JOB)] == 3
    assert found[key("syncd_freshness_age_seconds", platform="github", quantile="0.99")] == 3600
    assert found[key("syncd_fresh_share", job=JOB)] == 0.98
    assert found[key("syncd_last_success_timestamp_seconds", job=JOB)] == AT.timestamp()
    assert found[key("syncd_last_completed_timestamp_seconds", job=JOB)] == AT.timestamp()


def test_both_sides_of_the_leaderboards_are_told(metrics: Metrics) -> None:
    boards = BoardReading(
        users={(JOB, "redis"): 968, (JOB, "postgresql"): 1_180},
        sums={(JOB, "daily", "redis"): 8.5},
        rows={(JOB,): 17},
        held={(JOB,): 212, (HOSTILE,): 1},
        waiting={(JOB,): 3},
        seconds={(JOB, "stage"): 0.5},
    )

    found = series(metrics, reading(store=StoreReading(at=AT, boards=boards)))

    told = {name: value for name, value in found.items() if name[0].startswith("syncd_leaderboard")}
    assert told == {
        key("syncd_leaderboard_users", job=JOB, side="redis"): 968,
        key("syncd_leaderboard_users", job=JOB, side="postgresql"): 1_180,
        key("syncd_leaderboard_score_sum", job=JOB, board="daily", side="redis"): 8.5,
        key("syncd_leaderboard_drift_rows", job=JOB): 17,
        key("syncd_leaderboard_held_deletes", job=JOB): 212,
        key("syncd_leaderboard_waiting_deletes", job=JOB): 3,
        key("syncd_leaderboard_phase_seconds", job=JOB, phase="stage"): 0.5,
    }


def test_conflicts_of_leaderboard_runs_add_up_and_those_of_others_are_none(
    metrics: Metrics,
) -> None:
    report = Report(skipped=5, failures={"conflict": 2, "held": 3})

    for kind in ("leaderboard", "leaderboard", "profiles"):
        metrics.note(finished(kind=kind, report=report))

    assert series(metrics)[key("syncd_leaderboard_conflicts_total", job=JOB)] == 4


def test_contests_are_told_by_their_state_and_how_old_the_last_look_is(metrics: Metrics) -> None:
    store = StoreReading(
        at=AT,
        contests={("github", "coming"): 12, (HOSTILE, "coming"): 1},
        looked_at={"github": AT - timedelta(minutes=5), HOSTILE: AT},
    )
    turn: dict[str, Any] = {"run_id": 1, "job": JOB, "contest": "1", "title": "1", "starts_at": AT}

    metrics.note(ContestMoved(platform="github", **turn))
    metrics.note(ContestCancelled(platform=HOSTILE, **turn))
    found = series(metrics, reading(at=AT, store=store))

    told = {name: value for name, value in found.items() if name[0].startswith("syncd_contest")}
    assert told == {
        key("syncd_contests", platform="github", state="coming"): 12,
        key("syncd_contest_look_age_seconds", platform="github"): 300,
        key("syncd_contest_turns_total", platform="github", occasion="moved"): 1,
    }


def test_plays_gaps_and_refreshes_add_up_and_what_a_dry_run_says_is_none(metrics: Metrics) -> None:
    who = {"run_id": 1, "job": JOB, "platform": "github", "account": "a", "user_key": "u"}
    stored = PlaysStored(**who, inserted=3, repeated=2, skipped=1)

    for event in (stored, stored, replace(stored, dry_run=True)):
        metrics.note(event)
    metrics.note(GapFound(**who, after=AT, before=AT, due_at=AT))
    metrics.note(GrantRenewed(platform="github", account_id=1, outcome="renewed"))

    found = series(metrics)
    outcomes = {"inserted": 6, "repeated": 4, "skipped": 2}
    for outcome, count in outcomes.items():
        assert found[key("syncd_plays_total", job=JOB, outcome=outcome)] == count
    assert found[key("syncd_play_gaps_total", job=JOB)] == 1
    refreshes = key("syncd_token_refreshes_total", platform="github", outcome="renewed")
    assert found[refreshes] == 1


def test_before_the_store_has_answered_only_its_gauges_are_missing(metrics: Metrics) -> None:
    found = series(metrics, reading(lines_dropped=3))

    names = {name for name, _ in found}
    assert found[key("syncd_store_up")] == 0
    assert found[key("syncd_log_lines_dropped_total")] == 3
    assert found[key("syncd_build_info", version="1.2.3")] == 1
    assert names.isdisjoint(
        {"syncd_accounts", "syncd_fresh_share", "syncd_last_success_timestamp_seconds"}
    )
    assert "process_cpu_seconds_total" in names


def test_a_job_that_came_with_a_reload_begins_with_zero_and_none_is_reset(
    metrics: Metrics,
) -> None:
    metrics.note(finished(outcome=Outcome.FAILED))

    metrics.know([JOB, "more"])

    found = series(metrics)
    new = {"outcome": "failed", "cause": "schedule"}
    assert found[key("syncd_runs_total", job="more", **new)] == 0
    assert found[key("syncd_runs_total", job=JOB, **new)] == 1


def test_a_configuration_that_could_not_be_used_is_told(metrics: Metrics) -> None:
    broken = series(metrics, reading(is_config_ok=False))

    assert broken[key("syncd_config_reload_ok")] == 0
    assert series(metrics)[key("syncd_config_reload_ok")] == 1


def test_nothing_that_strangers_choose_becomes_a_label(metrics: Metrics) -> None:  # S42
    before = set(series(metrics))
    hostile_run = finished(
        outcome=Outcome.FAILED,
        options=RunOptions(only=(HOSTILE,)),
        error=HOSTILE,
        hint=HOSTILE,
        report=Report(failures={HOSTILE: 1}),
    )
    store = StoreReading(
        at=AT,
        accounts={(HOSTILE, "active"): 1},
        letters={(HOSTILE, JOB): 1, ("github", HOSTILE): 1},
        stale_since={(HOSTILE, "0.5"): AT},
        fresh_shares={HOSTILE: 1.0},
        last_successes={HOSTILE: AT},
        last_completed={HOSTILE: AT},
    )

    for event in (
        hostile_run,
        finished(HOSTILE),
        committed(HOSTILE, created=1),
        committed(JOB, HOSTILE, created=1),
        FireSkipped(job=HOSTILE, fire_time=AT, reason="paused"),
        FireSkipped(job=JOB, fire_time=AT, reason=HOSTILE),
        AccountChanged(platform=HOSTILE, account_id=1, user_key=HOSTILE, change=HOSTILE),
        ItemFailed(
            run_id=1,
            job=JOB,
            platform="github",
            account=HOSTILE,
            outcome=HOSTILE,
            error=HOSTILE,
            attempt=1,
        ),
    ):
        metrics.note(event)
    text = metrics.render(reading(store=store)).decode()

    assert "evil" not in text
    new = set(series(metrics, reading(store=store))) - before
    assert {name.removesuffix("_bucket") for name, _ in new} == {
        "syncd_run_duration_seconds",
        "syncd_run_duration_seconds_count",
        "syncd_run_duration_seconds_sum",
        "syncd_store_reading_age_seconds",
    }


def test_two_daemons_in_one_process_count_apart(metrics: Metrics) -> None:
    other = Metrics("1.2.3", [JOB], ["github"])

    metrics.note(finished())

    partial = key("syncd_runs_total", job=JOB, outcome="partial", cause="schedule")
    assert (series(metrics)[partial], series(other)[partial]) == (1, 0)
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("syncd")]
