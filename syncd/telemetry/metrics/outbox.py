"""What is measured of the outbox: what is not settled, and how long it has been due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from syncd.telemetry.metrics.families import gauge
from syncd.telemetry.readings import OutboxReading


def of_outbox(outbox: OutboxReading, now: datetime) -> Iterator[Metric]:
    """Yield what is known of deliveries by channel."""
    yield gauge(
        "syncd_outbox_deliveries",
        "Deliveries that are not settled: pending, sending, or unknown.",
        ("channel", "state"),
        outbox.deliveries,
    )
    yield gauge(
        "syncd_outbox_oldest_due_seconds",
        "How long the oldest pending delivery has been due.",
        ("channel",),
        {name: (now - at).total_seconds() for name, at in outbox.due_since.items()},
    )
    yield gauge(
        "syncd_addresses_dead",
        "Addresses at which nobody is any more.",
        ("channel",),
        outbox.dead,
    )
