"""The users that `syncd demo` makes up: what happens to them, and what syncd must find then."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice

from syncd.model.run import Report, Run
from syncd.sandbox.person import AccountType
from syncd.sandbox.population import Population

_CHANGED_SHARE = 0.01
_FEW_SHARE = 0.005
_GROUPS = 5


class Rehearsal:
    """A population with its fate: the same for the same seed.

    Some users vanish or rename themselves after they were imported and before anybody asked for
    them: they are not found. Between the passes others change, rename themselves or vanish.

    Args:
        users: how many there are.
        seed: decides everything about everybody.
    """

    def __init__(self, users: int, seed: int) -> None:
        self.population = Population(seed, users)
        kinds = [self.population.account_type(index) for index in range(users)]
        self._organizations = Counter(kinds)[AccountType.ORGANIZATION]
        self._bots = Counter(kinds)[AccountType.BOT]
        people = [index for index, kind in enumerate(kinds) if kind is AccountType.USER]
        random.Random(seed).shuffle(people)  # noqa: S311 - a play, not a secret
        most = len(people) // _GROUPS
        few, changing = (
            min(most, max(1, round(users * share))) for share in (_FEW_SHARE, _CHANGED_SHARE)
        )
        cast = iter(people)
        self._lost = list(islice(cast, few))
        self._moved = list(islice(cast, few))
        self._changing = list(islice(cast, changing))
        self._renaming = list(islice(cast, few))
        self._vanishing = list(islice(cast, few))

    def import_files(self, size: int) -> Iterator[str]:
        """Yield import files (CSV) of at most `size` users, to be read before anything happens."""
        rows = (f"user-{place},{login}" for place, login in enumerate(self.population.logins(), 1))
        while batch := list(islice(rows, size)):
            yield "\n".join(["key,github", *batch]) + "\n"

    def happen_before_first(self) -> Report:
        """Let happen what happens before the first pass; return what that must report."""
        self._vanish(self._lost)
        self._rename(self._moved)
        users = self.population.size
        failures = {
            "not_found": len(self._lost) + len(self._moved),
            "unsuitable": self._organizations,
        }
        failed = sum(failures.values())
        return Report(
            created=users - failed, failed=failed, calls=users, failures=_positive(failures)
        )

    def happen_before_second(self) -> Report:
        """Let happen what happens between the passes; return what the second must report.

        Organizations are not asked for again; whoever was not found is, until that is confirmed.
        Sweeps tell of everybody else who is a person. Their calls are not among the expected ones:
        how many it takes depends on how many accounts are under way.
        """
        for index in self._changing:
            self.population.change(index)
        self._rename(self._renaming)
        self._vanish(self._vanishing)
        asked = self.population.size - self._organizations
        missing = len(self._lost) + len(self._moved) + len(self._vanishing)
        updated = len(self._changing) + len(self._renaming)
        unchanged = asked - missing - updated
        return Report(
            updated=updated,
            unchanged=unchanged,
            failed=missing,
            calls=updated + missing + self._bots,
            saved=self._bots,
            failures=_positive({"not_found": missing}),
        )

    def _rename(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            self.population.rename(index, f"renamed-{index}")

    def _vanish(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            self.population.vanish(index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One run as syncd stored it, what it had to report, and what the stand-in counted.

    `sweeps` are those of the requests that were about many users; `expected` does not count them.
    """

    name: str
    expected: Report
    run: Run
    requests: int
    quota_used: int
    sweeps: int = 0

    @property
    def report(self) -> Report:
        """Return what it did report."""
        return self.run.report

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return self.report.calls / self.duration_seconds

    @property
    def duration_seconds(self) -> float:
        """Return how long the run took."""
        began, ended = self.run.started_at, self.run.finished_at
        assert began is not None, "a run that has ended has begun"
        assert ended is not None, "a run that has ended has an end"
        return (ended - began).total_seconds()

    def mismatches(self) -> list[str]:
        """Name every count that is not what it must be."""
        report = self.report
        expected = self.expected + Report(calls=self.sweeps)
        pairs = [
            (each.name, getattr(expected, each.name), getattr(report, each.name))
            for each in fields(Report)
        ]
        pairs += [
            ("requests counted by the stand-in", report.calls, self.requests),
            ("quota counted by the stand-in", report.calls - report.saved, self.quota_used),
        ]
        return [
            f"{self.name}: {name} is {_shown(found)} instead of {_shown(expected)}"
            for name, expected, found in pairs
            if found != expected
        ]


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: count for word, count in counts.items() if count}


def _shown(value: int | Mapping[str, int]) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(f"{word} {count:,}" for word, count in sorted(value.items())) or "nothing"
