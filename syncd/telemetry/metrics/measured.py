"""What is measured when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import Metric

from syncd.telemetry.metrics.boards import of_boards
from syncd.telemetry.metrics.families import counter, filled, gauge, known
from syncd.telemetry.metrics.outbox import of_outbox
from syncd.telemetry.readings import GateReading, Reading, StoreReading, Values

_GATE = ("platform", "credential")


def measured(
    reading: Reading, version: str, jobs: frozenset[str], platforms: frozenset[str]
) -> Iterator[Metric]:
    """Yield what is known at a scrape; only names in `jobs` and `platforms` become labels."""
    yield gauge("syncd_build_info", "The version of syncd.", ("version",), {(version,): 1})
    yield counter(
        "syncd_log_lines_dropped_total",
        "Log lines that could not be written.",
        (),
        {(): reading.lines_dropped},
    )
    yield gauge(
        "syncd_store_up",
        "Whether PostgreSQL answers (1) or not (0).",
        (),
        {(): reading.is_store_up},
    )
    yield gauge(
        "syncd_leader",
        "Whether this process leads (1) or stands by (0).",
        (),
        {(): reading.is_leader},
    )
    yield counter(
        "syncd_store_waits_given_up_total",
        "Waits for one of all connections to PostgreSQL that took too long.",
        (),
        {(): reading.waits_given_up},
    )
    yield gauge(
        "syncd_config_reload_ok",
        "Whether config.toml could be used when it was read last (1) or not (0).",
        (),
        {(): reading.is_config_ok},
    )
    yield from _of_gates(reading.gates)
    if reading.store is not None:
        yield from _of_store(reading.store, reading.at, jobs, platforms)


def _of_store(
    store: StoreReading, now: datetime, jobs: frozenset[str], platforms: frozenset[str]
) -> Iterator[Metric]:
    yield gauge(
        "syncd_store_reading_age_seconds",
        "How old what PostgreSQL said is: accounts, ages, shares, ends of runs.",
        (),
        {(): (now - store.at).total_seconds()},
    )
    yield gauge(
        "syncd_accounts",
        "Linked accounts.",
        ("platform", "state"),
        known(store.accounts, platforms),
    )
    yield gauge(
        "syncd_dead_letters",
        "Dead letters that wait for a person; of a job that is no more, without its name.",
        ("platform", "job"),
        known(store.letters, platforms, jobs | {""}),
    )
    yield from _of_freshness(store, now, jobs, platforms)
    yield from _of_runs(store, jobs)
    yield from of_boards(store.boards, jobs)
    yield from _of_contests(store, now, platforms)
    yield from of_outbox(store.outbox, now)


def _of_contests(store: StoreReading, now: datetime, platforms: frozenset[str]) -> Iterator[Metric]:
    yield gauge(
        "syncd_contests",
        "Contests that are stored: coming, running, ended, cancelled.",
        ("platform", "state"),
        known(store.contests, platforms),
    )
    ages: Values = {(name,): (now - at).total_seconds() for name, at in store.looked_at.items()}
    yield gauge(
        "syncd_contest_look_age_seconds",
        "Time since a platform last told a list of contests that could be used.",
        ("platform",),
        known(ages, platforms),
    )


def _of_freshness(
    store: StoreReading, now: datetime, jobs: frozenset[str], platforms: frozenset[str]
) -> Iterator[Metric]:
    # The label quantile belongs to summaries; what they may add up to over time is left out.
    yield filled(
        Metric(
            "syncd_freshness_age_seconds",
            "Time since followed accounts had a success, or were linked if there was none.",
            "summary",
        ),
        ("platform", "quantile"),
        known(
            {name: (now - since).total_seconds() for name, since in store.stale_since.items()},
            platforms,
        ),
    )
    yield gauge(
        "syncd_fresh_share",
        "Share (0 to 1) of a job's followed accounts that are fresh.",
        ("job",),
        known(_by_job(store.fresh_shares), jobs),
    )


def _of_runs(store: StoreReading, jobs: frozenset[str]) -> Iterator[Metric]:
    yield _ends(
        jobs,
        "syncd_last_success_timestamp_seconds",
        "When a job's last run about everybody that succeeded ended: no account failed.",
        store.last_successes,
    )
    yield _ends(
        jobs,
        "syncd_last_completed_timestamp_seconds",
        "When a job's last run about everybody ended that went through all of them: some may "
        "have failed, none was left out by a deadline, a pause or an outage.",
        store.last_completed,
    )


def _ends(jobs: frozenset[str], name: str, help_text: str, ends: Mapping[str, datetime]) -> Metric:
    values = _by_job({job: at.timestamp() for job, at in ends.items()})
    return gauge(name, help_text, ("job",), known(values, jobs))


def _of_gates(gates: Sequence[GateReading]) -> Iterator[Metric]:
    by_name = {(gate.platform, gate.credential): gate for gate in gates}
    ends = {name: gate.pause_ends_at for name, gate in by_name.items()}
    yield counter(
        "syncd_api_calls_total",
        "Requests that left for a platform.",
        _GATE,
        {name: gate.calls for name, gate in by_name.items()},
    )
    yield counter(
        "syncd_api_calls_saved_total",
        "Requests that cost nothing of the platform's quota.",
        _GATE,
        {name: gate.saved for name, gate in by_name.items()},
    )
    yield gauge(
        "syncd_quota_left",
        "Requests that the quota of a resource still allows.",
        (*_GATE, "resource"),
        {(*whose, name): left for whose, gate in by_name.items() for name, left in gate.limited()},
    )
    yield gauge(
        "syncd_platform_paused",
        "Whether nothing scheduled may leave for a platform (1) or it may (0).",
        _GATE,
        {name: gate.is_held or ends[name] is not None for name, gate in by_name.items()},
    )
    yield gauge(
        "syncd_platform_pause_ends_timestamp_seconds",
        "When the pause of a platform ends; absent while there is none, or none with an end.",
        _GATE,
        {name: at.timestamp() for name, at in ends.items() if at is not None},
    )
    yield gauge(
        "syncd_platform_pause_cause",
        "Why a platform asked for the pause that holds (1): rate_limit, quota or other.",
        (*_GATE, "cause"),
        {(*name, _cause(gate)): 1 for name, gate in by_name.items() if gate.pause_cause},
    )


def _cause(gate: GateReading) -> str:
    """Return one of three words: a cause is written for people, and may hold numbers."""
    if "quota" in gate.pause_cause:
        return "quota"
    is_limit = "limit" in gate.pause_cause or gate.pause_cause == "HTTP 429"
    return "rate_limit" if is_limit else "other"


def _by_job(values: Mapping[str, float]) -> Values:
    return {(job,): value for job, value in values.items()}
