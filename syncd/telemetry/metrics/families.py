"""Families of metrics, filled with values by their labels."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import Metric

from syncd.telemetry.readings import Values


def gauge(name: str, help_text: str, labels: Sequence[str], values: Values) -> Metric:
    """Return a gauge."""
    return filled(Metric(name, help_text, "gauge"), labels, values)


def counter(name: str, help_text: str, labels: Sequence[str], values: Values) -> Metric:
    """Return a counter; its name ends in `_total`."""
    family = Metric(name.removesuffix("_total"), help_text, "counter")
    return filled(family, labels, values, name=name)


def filled(family: Metric, labels: Sequence[str], values: Values, *, name: str = "") -> Metric:
    """Fill a family, one sample a set of labels; `name` is that of the samples."""
    for told, value in values.items():
        family.add_sample(name or family.name, dict(zip(labels, told, strict=True)), value)
    return family


def known(values: Values, *names: frozenset[str]) -> Values:
    """Leave out what is about a name, label by label, that config.toml does not hold."""
    return {
        labels: value
        for labels, value in values.items()
        if all(label in allowed for label, allowed in zip(labels, names, strict=False))
    }
