"""What is counted from events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from syncd.model.run import Cause, Outcome, Report, Run, SkipReason
from syncd.telemetry.events import (
    AlertDropped,
    AlertSent,
    ContestTurned,
    DeliveriesSetAside,
    DeliveryDoubted,
    DeliveryFailed,
    DeliveryPutOff,
    DeliverySent,
    Event,
    FireClaimed,
    FireSkipped,
    GapFound,
    GrantRenewed,
    ItemsCommitted,
    LoopStalled,
    PlaysStored,
    RunCrashed,
    RunFinished,
)

_ITEM_OUTCOMES = ("created", "updated", "unchanged", "deleted", "skipped", "failed")
_PLAYS = ("inserted", "repeated", "skipped")
_REASONS = frozenset(map(str, SkipReason))
_VERDICTS = ("started", "late", *map(str, SkipReason))
# A series that begins with its first failure has no increase to alert on: these begin with 0.
_AWAITED = (Outcome.SUCCEEDED, Outcome.PARTIAL, Outcome.FAILED)
_MINUTE, _HOUR = 60.0, 3600.0
_BUCKETS = (
    *(0.1, 1.0, 5.0, 15.0, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 12 * _HOUR),
)


class Counted:
    """Counts events as a subscriber of the bus.

    Args:
        jobs, platforms: the names in config.toml; nothing else becomes a label.
    """

    def __init__(self, jobs: Iterable[str], platforms: Iterable[str]) -> None:
        self._jobs: frozenset[str] = frozenset()
        self._platforms = frozenset(platforms)
        # Each counter would have a second series, which tells when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in the library
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        counter = partial(Counter, registry=registry)
        self._count_runs(counter)
        self._count_fires(counter)
        self._count_plays(counter)
        self._turns = counter(
            "syncd_contest_turns_total",
            "Contests that moved, were cancelled or take place after all (restored).",
            ("platform", "occasion"),
        )
        self._deliveries = counter(
            "syncd_deliveries_total",
            "What came of deliveries; put_off is tried again, unknown may have arrived or not.",
            ("channel", "outcome"),
        )
        self._durations = Histogram(
            "syncd_run_duration_seconds",
            "How long runs took in this process.",
            ("job",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._stalls = counter(
            "syncd_loop_stalls_total",
            "Times that code blocked the event loop for more than five seconds.",
        )
        self._alerts = counter(
            "syncd_alerts_total",
            "Alerts that the webhook took (sent), or did not take however often (dropped).",
            ("event", "outcome"),
        )
        self._registry = registry
        self.know(jobs)

    def _count_runs(self, counter: Callable[..., Counter]) -> None:
        self._runs = counter(
            "syncd_runs_total",
            "Runs that ended, by how and why they were.",
            ("job", "outcome", "cause"),
        )
        self._items = counter(
            "syncd_items_total",
            "Items that runs are through with and whose data is committed.",
            ("job", "platform", "outcome"),
        )
        self._conflicts = counter(
            "syncd_leaderboard_conflicts_total",
            "Rows of a leaderboard's table that somebody else wrote during a run, and that won.",
            ("job",),
        )
        self._crashes = counter(
            "syncd_run_crashes_total",
            "Failures of runs that nobody foresaw; the log has their stacks.",
            ("job",),
        )

    def _count_fires(self, counter: Callable[..., Counter]) -> None:
        self._skipped = counter(
            "syncd_fires_skipped_total",
            "Fire times that were due and did not run.",
            ("job", "reason"),
        )
        self._fires = counter(
            "syncd_fires_total",
            "Fire times that were due, by what became of them; late is more than a minute.",
            ("job", "verdict"),
        )

    def _count_plays(self, counter: Callable[..., Counter]) -> None:
        self._plays = counter(
            "syncd_plays_total",
            "Plays that platforms told of: new, known before, or no play at all (skipped).",
            ("job", "outcome"),
        )
        self._gaps = counter(
            "syncd_play_gaps_total",
            "Pages of which every play was new: plays before them may be lost.",
            ("job",),
        )
        self._renewals = counter(
            "syncd_token_refreshes_total",
            "Refresh tokens that were used, by what came of it.",
            ("platform", "outcome"),
        )

    def know(self, jobs: Iterable[str]) -> None:
        """Count what is about these jobs as well: config.toml has changed."""
        new = frozenset(jobs) - self._jobs
        self._jobs |= new
        for job in new:
            self._crashes.labels(job)
            for outcome in _AWAITED:
                self._runs.labels(job, outcome, Cause.SCHEDULE)
            for reason in SkipReason:
                self._skipped.labels(job, reason)
            for verdict in _VERDICTS:
                self._fires.labels(job, verdict)

    def note(self, event: Event) -> None:
        """Count an event; a bus subscriber."""
        match event:
            case RunFinished(run=run, duration_seconds=seconds) if run.job in self._jobs:
                self._note_run(run, seconds)
            case ItemsCommitted() if event.job in self._jobs and event.platform in self._platforms:
                self._note_items(event.job, event.platform, event.report)
            case FireSkipped() if event.job in self._jobs and event.reason in _REASONS:
                self._skipped.labels(event.job, event.reason).inc(event.rows)
                self._fires.labels(event.job, event.reason).inc(event.rows)
            case FireClaimed() if event.job in self._jobs:
                is_late = event.cause == Cause.CATCH_UP
                self._fires.labels(event.job, "late" if is_late else "started").inc()
            case RunCrashed() if event.job in self._jobs:
                self._crashes.labels(event.job).inc()
            case LoopStalled():
                self._stalls.inc()
            case _:
                self._note_item(event)
                self._note_delivery(event)
                self._note_alert(event)

    def _note_item(self, event: Event) -> None:
        match event:
            case PlaysStored(dry_run=False) if event.job in self._jobs:
                for outcome in _PLAYS:
                    if count := getattr(event, outcome):
                        self._plays.labels(event.job, outcome).inc(count)
            case GapFound() if event.job in self._jobs:
                self._gaps.labels(event.job).inc()
            case GrantRenewed() if event.platform in self._platforms:
                self._renewals.labels(event.platform, event.outcome).inc()
            case ContestTurned() if event.platform in self._platforms:
                self._turns.labels(event.platform, event.name.rpartition(".")[2]).inc()
            case _:
                return

    def _note_delivery(self, event: Event) -> None:
        match event:
            case DeliverySent(channel=channel):
                self._deliveries.labels(channel, "sent").inc()
            case DeliveryFailed(channel=channel):
                self._deliveries.labels(channel, "failed").inc()
            case DeliveryPutOff(channel=channel):
                self._deliveries.labels(channel, "put_off").inc()
            case DeliveryDoubted(channel=channel):
                self._deliveries.labels(channel, "unknown").inc()
            case DeliveriesSetAside(channel=channel):
                self._deliveries.labels(channel, "expired").inc(event.expired)
                self._deliveries.labels(channel, "dropped").inc(event.dropped)
            case _:
                return

    def _note_alert(self, event: Event) -> None:
        if isinstance(event, AlertSent | AlertDropped):
            outcome = "sent" if isinstance(event, AlertSent) else "dropped"
            self._alerts.labels(event.alert, outcome).inc()

    def _note_run(self, run: Run, seconds: float) -> None:
        self._runs.labels(run.job, run.outcome, run.cause).inc()
        self._durations.labels(run.job).observe(seconds)
        if run.kind == "leaderboard":
            self._conflicts.labels(run.job).inc(run.report.failures.get("conflict", 0))

    def _note_items(self, job: str, platform: str, report: Report) -> None:
        for outcome in _ITEM_OUTCOMES:
            count = getattr(report, outcome)
            if count:
                self._items.labels(job, platform, outcome).inc(count)
