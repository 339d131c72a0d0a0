"""What one look finds: the fires that it decided about, and how their runs begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncd.model.run import Cause, Fire, Run
from syncd.runs.job import Job
from syncd.schedule.roster import Rule, options_within
from syncd.schedule.turns import Turns
from syncd.schedule.verdicts import Verdict, Way

Share = tuple[Rule, datetime]
"""What the verdicts of plain jobs depend on: their rule, and up to when they are decided."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What one look has found so far.

    Verdicts are shared by jobs of which the same is known. Runs of the jobs `in_line` go through
    their lines, all others begin at once.
    """

    now: datetime
    active: Mapping[str, Run]
    most: int
    fires: list[Fire] = field(default_factory=list)
    newest: dict[str, datetime] = field(default_factory=dict)
    ways: dict[tuple[str, datetime], Way] = field(default_factory=dict)
    in_line: set[str] = field(default_factory=set)
    turns: Turns = field(default_factory=Turns)
    shared: dict[Share, Sequence[Verdict]] = field(default_factory=dict)

    def sort(self, begun: int, place: Callable[[str], int]) -> None:
        """Sort jobs, from a fire on; those of one job keep their order."""
        self.fires[begun:] = sorted(self.fires[begun:], key=lambda fire: place(fire.job))

    def add(self, jobs: Sequence[Job], verdicts: Sequence[Verdict], *, is_in_line: bool) -> None:
        """Note what was decided about fire times that jobs share."""
        if not verdicts:
            return
        names = [job.name for job in jobs]
        for each in verdicts:
            cause, at, due_at = each.cause, each.fire_time, each.due_at
            reason, since = each.skip_reason, each.fires_since
            self.fires += [
                Fire(name, job.kind, cause, at, due_at, reason, since, options_within(job.limit))
                for name, job in zip(names, jobs, strict=True)
            ]
        self.newest |= dict.fromkeys(names, verdicts[-1].fire_time)
        if is_in_line:
            self.in_line.update(names)
            self.ways |= {(name, each.fire_time): each.way for name in names for each in verdicts}


def may_begin(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether what is to run is alone and no catch-up, which is spread with others."""
    to_run = [verdict for verdict in verdicts if verdict.skip_reason is None]
    return len(to_run) == 1 and to_run[0].cause is Cause.SCHEDULE


def grouped(
    jobs: Sequence[str], rules: Mapping[str, Rule], decided: Mapping[str, datetime]
) -> tuple[list[tuple[Share, list[str]]], list[str]]:
    """Tell jobs apart by what their verdicts depend on; the rest depends on more than that."""
    keys = list(zip(map(rules.get, jobs), map(decided.get, jobs), strict=True))
    groups: dict[tuple[Rule | None, datetime | None], list[str]] = {key: [] for key in keys}
    if len(groups) == 1:
        groups[keys[0]].extend(jobs)
    else:
        for key, job in zip(keys, jobs, strict=True):
            groups[key].append(job)
    shared: list[tuple[Share, list[str]]] = []
    rest: list[str] = []
    for (rule, since), some in groups.items():
        if rule is None or since is None:
            rest += some
        else:
            shared.append(((rule, since), some))
    return shared, rest
