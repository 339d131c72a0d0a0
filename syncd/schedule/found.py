"""What one look finds: the fires that it decided about, and how their runs begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncd.model.run import Cause, Fire, Run
from syncd.runs.job import Job
from syncd.schedule.roster import Rule, options_of
from syncd.schedule.verdicts import Verdict, Way


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
    shared: dict[tuple[Rule, datetime], tuple[Sequence[Verdict], bool]] = field(
        default_factory=dict
    )

    def add(self, job: Job, verdicts: Sequence[Verdict], *, is_in_line: bool) -> None:
        """Note what was decided about fire times of a job."""
        name, kind, options = job.name, job.kind, options_of(job)
        for each in verdicts:
            self.fires.append(
                Fire(
                    name,
                    kind,
                    each.cause,
                    each.fire_time,
                    each.due_at,
                    each.skip_reason,
                    each.fires_since,
                    options,
                )
            )
            self.newest[name] = each.fire_time
        if is_in_line:
            self.in_line.add(name)
            self.ways |= {(name, each.fire_time): each.way for each in verdicts}


def may_begin(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether what is to run is alone and no catch-up, which is spread with others."""
    to_run = [verdict for verdict in verdicts if verdict.skip_reason is None]
    return len(to_run) == 1 and to_run[0].cause is Cause.SCHEDULE
