"""Metrics in the text format of Prometheus: counted from events, measured when somebody looks.

Labels come from closed sets: the names in config.toml, and our own words. What else an event says
(a user, a handle, an address, a message) never becomes one, and an event about a name that
config.toml does not hold is not counted, so that the number of series is bounded.

`counted` follows events, `measured` says how things are at a scrape, and `families` gives both
their shape. `Metrics` is all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from syncd.telemetry.metrics.counted import Counted
from syncd.telemetry.metrics.measured import measured
from syncd.telemetry.readings import Reading

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what `Metrics.render` returns."""


class Metrics(Counted):
    """Counts events as a subscriber of the bus, and renders everything in one text.

    Args:
        version: of syncd.
        jobs, platforms: the names in config.toml; nothing else becomes a label.
    """

    def __init__(self, version: str, jobs: Iterable[str], platforms: Iterable[str]) -> None:
        super().__init__(jobs, platforms)
        self._version = version

    def render(self, reading: Reading) -> bytes:
        """Return everything counted and measured, as `CONTENT_TYPE`."""
        found = measured(reading, self._version, self._jobs, self._platforms)
        return generate_latest(_Scrape(self._registry, found))


@dataclass(frozen=True, slots=True)
class _Scrape:
    """What was counted, then what was measured: a collector for one text."""

    counted: CollectorRegistry
    measured: Iterable[Metric]

    def collect(self) -> Iterator[Metric]:
        """Yield every family of metrics."""
        yield from self.counted.collect()
        yield from self.measured
