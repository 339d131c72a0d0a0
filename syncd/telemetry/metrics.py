"""Metrics in the text format of Prometheus: counted from events, measured when somebody looks.

Labels come from closed sets: the names in config.toml, and our own words. What else an event says
(a user, a handle, an address, a message) never becomes one, and an event about a name that
config.toml does not hold is not counted, so that the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from syncd.model.run import Cause, Outcome, Report, Run, SkipReason
from syncd.telemetry.events import (
    Event,
    FireSkipped,
    ItemsCommitted,
    RunCrashed,
    RunFinished,
)
from syncd.telemetry.readings import GateReading, Reading, StoreReading, Values

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what `Metrics.render` returns."""

_ITEM_OUTCOMES = ("created", "updated", "unchanged", "deleted", "skipped", "failed")
_REASONS = frozenset(map(str, SkipReason))
# A series that begins with its first failure has no increase to alert on: these begin with 0.
_AWAITED = (Outcome.SUCCEEDED, Outcome.PARTIAL, Outcome.FAILED)
_MINUTE, _HOUR = 60.0, 3600.0
_BUCKETS = (
    *(0.1, 1.0, 5.0, 15.0, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 12 * _HOUR),
)
_GATE = ("platform", "credential")


class Metrics:
    """Counts events as a subscriber of the bus, and renders everything in one text.

    Args:
        version: of syncd.
        jobs, platforms: the names in config.toml; nothing else becomes a label.
    """

    def __init__(self, version: str, jobs: Iterable[str], platforms: Iterable[str]) -> None:
        self._version = version
        self._jobs = frozenset(jobs)
        self._platforms = frozenset(platforms)
        # Each counter would have a second series, which tells when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in the library
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._runs = Counter(
            "syncd_runs_total",
            "Runs that ended, by how and why they were.",
            ("job", "outcome", "cause"),
            registry=registry,
        )
        self._durations = Histogram(
            "syncd_run_duration_seconds",
            "How long runs took in this process.",
            ("job",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._items = Counter(
            "syncd_items_total",
            "Items that runs are through with and whose data is committed.",
            ("job", "platform", "outcome"),
            registry=registry,
        )
        self._skipped = Counter(
            "syncd_fires_skipped_total",
            "Fire times that were due and did not run.",
            ("job", "reason"),
            registry=registry,
        )
        self._crashes = Counter(
            "syncd_run_crashes_total",
            "Failures of runs that nobody foresaw; the log has their stacks.",
            ("job",),
            registry=registry,
        )
        self._begin()

    def _begin(self) -> None:
        for job in self._jobs:
            self._crashes.labels(job)
            for outcome in _AWAITED:
                self._runs.labels(job, outcome, Cause.SCHEDULE)
            for reason in SkipReason:
                self._skipped.labels(job, reason)

    def note(self, event: Event) -> None:
        """Count an event; a bus subscriber."""
        match event:
            case RunFinished(run=run, duration_seconds=seconds) if run.job in self._jobs:
                self._note_run(run, seconds)
            case ItemsCommitted() if event.job in self._jobs and event.platform in self._platforms:
                self._note_items(event.job, event.platform, event.report)
            case FireSkipped() if event.job in self._jobs and event.reason in _REASONS:
                self._skipped.labels(event.job, event.reason).inc()
            case RunCrashed() if event.job in self._jobs:
                self._crashes.labels(event.job).inc()

    def _note_run(self, run: Run, seconds: float) -> None:
        self._runs.labels(run.job, run.outcome, run.cause).inc()
        self._durations.labels(run.job).observe(seconds)

    def _note_items(self, job: str, platform: str, report: Report) -> None:
        for outcome in _ITEM_OUTCOMES:
            count = getattr(report, outcome)
            if count:
                self._items.labels(job, platform, outcome).inc(count)

    def render(self, reading: Reading) -> bytes:
        """Return everything counted and measured, as `CONTENT_TYPE`."""
        return generate_latest(_Scrape(self._registry, self._measured(reading)))

    def _measured(self, reading: Reading) -> Iterator[Metric]:
        yield _gauge(
            "syncd_build_info", "The version of syncd.", ("version",), {(self._version,): 1}
        )
        yield _counter(
            "syncd_log_lines_dropped_total",
            "Log lines that could not be written.",
            (),
            {(): reading.lines_dropped},
        )
        yield _counter(
            "syncd_store_pool_exhausted_total",
            "Waits for a connection to PostgreSQL that ended without one.",
            (),
            {(): reading.pool_exhausted},
        )
        yield _gauge(
            "syncd_store_up",
            "Whether PostgreSQL answers (1) or not (0).",
            (),
            {(): reading.is_store_up},
        )
        yield from _of_gates(reading.gates)
        if reading.store is not None:
            yield from self._of_store(reading.store, reading.at)

    def _of_store(self, store: StoreReading, now: datetime) -> Iterator[Metric]:
        yield _gauge(
            "syncd_store_reading_age_seconds",
            "How old what PostgreSQL said is: accounts, ages, shares, ends of runs.",
            (),
            {(): (now - store.at).total_seconds()},
        )
        yield _gauge(
            "syncd_accounts",
            "Linked accounts.",
            ("platform", "state"),
            self._known(store.accounts, self._platforms),
        )
        yield _gauge(
            "syncd_dead_letters",
            "Dead letters that wait for a person; of a job that is no more, without its name.",
            ("platform", "job"),
            self._known(store.letters, self._platforms, self._jobs | {""}),
        )
        # The label quantile belongs to summaries; what they may add up to over time is left out.
        yield _filled(
            Metric(
                "syncd_freshness_age_seconds",
                "Time since followed accounts had a success, or were linked if there was none.",
                "summary",
            ),
            ("platform", "quantile"),
            self._known(
                {name: (now - since).total_seconds() for name, since in store.stale_since.items()},
                self._platforms,
            ),
        )
        yield _gauge(
            "syncd_fresh_share",
            "Share (0 to 1) of a job's followed accounts that are fresh.",
            ("job",),
            self._known(_by_job(store.fresh_shares), self._jobs),
        )
        yield from self._of_runs(store)

    def _of_runs(self, store: StoreReading) -> Iterator[Metric]:
        yield self._ends(
            "syncd_last_success_timestamp_seconds",
            "When a job's last run about everybody that succeeded ended: no account failed.",
            store.last_successes,
        )
        yield self._ends(
            "syncd_last_completed_timestamp_seconds",
            "When a job's last run about everybody ended that went through all of them: some may "
            "have failed, none was left out by a deadline, a pause or an outage.",
            store.last_completed,
        )

    def _ends(self, name: str, help_text: str, ends: Mapping[str, datetime]) -> Metric:
        values = _by_job({job: at.timestamp() for job, at in ends.items()})
        return _gauge(name, help_text, ("job",), self._known(values, self._jobs))

    @staticmethod
    def _known(values: Values, *names: frozenset[str]) -> Values:
        """Leave out what is about a name, label by label, that config.toml does not hold."""
        return {
            labels: value
            for labels, value in values.items()
            if all(label in known for label, known in zip(labels, names, strict=False))
        }


@dataclass(frozen=True, slots=True)
class _Scrape:
    """What was counted, then what was measured: a collector for one text."""

    counted: CollectorRegistry
    measured: Iterable[Metric]

    def collect(self) -> Iterator[Metric]:
        """Yield every family of metrics."""
        yield from self.counted.collect()
        yield from self.measured


def _of_gates(gates: Sequence[GateReading]) -> Iterator[Metric]:
    by_name = {(gate.platform, gate.credential): gate for gate in gates}
    ends = {name: gate.pause_ends_at for name, gate in by_name.items()}
    yield _counter(
        "syncd_api_calls_total",
        "Requests that left for a platform.",
        _GATE,
        {name: gate.calls for name, gate in by_name.items()},
    )
    yield _counter(
        "syncd_api_calls_saved_total",
        "Requests that cost nothing of the platform's quota.",
        _GATE,
        {name: gate.saved for name, gate in by_name.items()},
    )
    yield _gauge(
        "syncd_quota_left",
        "Requests that the quota of a resource still allows.",
        (*_GATE, "resource"),
        {(*whose, name): left for whose, gate in by_name.items() for name, left in gate.limited()},
    )
    yield _gauge(
        "syncd_platform_paused",
        "Whether nothing scheduled may leave for a platform (1) or it may (0).",
        _GATE,
        {name: at is not None for name, at in ends.items()},
    )
    yield _gauge(
        "syncd_platform_pause_ends_timestamp_seconds",
        "When the pause of a platform ends; absent while there is none.",
        _GATE,
        {name: at.timestamp() for name, at in ends.items() if at is not None},
    )


def _gauge(name: str, help_text: str, labels: Sequence[str], values: Values) -> Metric:
    return _filled(Metric(name, help_text, "gauge"), labels, values)


def _counter(name: str, help_text: str, labels: Sequence[str], values: Values) -> Metric:
    family = Metric(name.removesuffix("_total"), help_text, "counter")
    return _filled(family, labels, values, name=name)


def _filled(family: Metric, labels: Sequence[str], values: Values, *, name: str = "") -> Metric:
    for told, value in values.items():
        family.add_sample(name or family.name, dict(zip(labels, told, strict=True)), value)
    return family


def _by_job(values: Mapping[str, float]) -> Values:
    return {(job,): value for job, value in values.items()}
