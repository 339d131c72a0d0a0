"""One pass of `syncd demo`: what syncd stored of it, held against what must have come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from syncd.model.run import Report, Run
from syncd.sandbox.base import StandIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a stand-in counted; `sweeps` are those of the requests that were about many users.

    `quota_used` is None where there is no quota.
    """

    requests: int = 0
    refused: int = 0
    sweeps: int = 0
    quota_used: int | None = None

    @classmethod
    def of(cls, standin: StandIn) -> Seen:
        """Return what a stand-in counted since it began."""
        counters = standin.counters
        return cls(
            requests=counters.requests,
            refused=counters.refused.total(),
            sweeps=counters.graphql,
            quota_used=counters.quota_used if standin.has_quota else None,
        )

    def __sub__(self, before: Seen) -> Seen:
        """Return what was counted since then."""
        used, used_before = self.quota_used, before.quota_used
        return Seen(
            requests=self.requests - before.requests,
            refused=self.refused - before.refused,
            sweeps=self.sweeps - before.sweeps,
            quota_used=None if used is None else used - (used_before or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One platform's part of a pass, from all sides.

    `foretells_calls` tells whether `expected` counts the calls that were no sweeps: not where it
    depends on how questions are put together. What the stand-in counted must be right then.
    """

    platform: str
    expected: Report
    report: Report
    seen: Seen
    foretells_calls: bool = False

    def mismatches(self) -> Iterator[str]:
        """Name every count that is not what it must be."""
        report, seen = self.report, self.seen
        calls = self.expected.calls + seen.sweeps if self.foretells_calls else seen.requests
        pairs: list[tuple[str, int | Mapping[str, int], int | Mapping[str, int]]] = [
            (each.name, getattr(self.expected, each.name), getattr(report, each.name))
            for each in fields(Report)
            if each.name != "calls"
        ]
        pairs.append(("calls", calls, report.calls))
        if calls != seen.requests:
            pairs.append(("requests counted by the stand-in", report.calls, seen.requests))
        if seen.quota_used is not None:
            quota = report.calls - report.saved
            pairs.append(("quota counted by the stand-in", quota, seen.quota_used))
        pairs.append(("requests refused by the stand-in", 0, seen.refused))
        for name, expected, found in pairs:
            if found != expected:
                yield f"{name} is {_shown(found)} instead of {_shown(expected)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Runs that went side by side, and each platform's share of them."""

    name: str
    runs: tuple[Run, ...]
    shares: tuple[Share, ...]

    @property
    def report(self) -> Report:
        """Return what the runs reported together."""
        return sum((run.report for run in self.runs), Report())

    @property
    def requests(self) -> int:
        """Return what all stand-ins counted."""
        return sum(share.seen.requests for share in self.shares)

    @property
    def refused(self) -> int:
        """Return how many requests exceeded a limit of a stand-in."""
        return sum(share.seen.refused for share in self.shares)

    @property
    def duration_seconds(self) -> float:
        """Return how long it took until the last run had ended."""
        return max(map(duration_of, self.runs))

    def mismatches(self) -> list[str]:
        """Name every count that is not what it must be."""
        found = [
            f"{self.name}, {share.platform}: {words}"
            for share in self.shares
            for words in share.mismatches()
        ]
        parts = sum((share.report for share in self.shares), Report())
        if parts != self.report:
            found.append(f"{self.name}: its platforms add up to {parts}, not to {self.report}")
        return found


def duration_of(run: Run) -> float:
    """Return how long a run took."""
    assert run.started_at is not None, "a run that has ended has begun"
    assert run.finished_at is not None, "a run that has ended has an end"
    return (run.finished_at - run.started_at).total_seconds()


def _shown(value: int | Mapping[str, int]) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(f"{word} {count:,}" for word, count in sorted(value.items())) or "nothing"
