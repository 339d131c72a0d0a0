"""What syncd stored while `syncd demo` played, side by side with what the stand-ins know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncd.daemon.answers import Json
from syncd.daemon.comparison import Pass, Seen, Share
from syncd.daemon.control import Control
from syncd.daemon.core import Core
from syncd.daemon.rehearsal import GITHUB, Rehearsal, key_of
from syncd.daemon.settings import to_parameters
from syncd.model.run import PlatformReport, Report, Run

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What users score: everybody's total by key, the highest first, and how one came about.

    `expected` are the totals by what the stand-ins told last, `unrated` how many users never took
    part in a contest, `example` what `why` tells of one user.
    """

    totals: Mapping[str, float]
    expected: Mapping[str, float]
    unrated: int
    example: Json

    def mismatches(self) -> Iterator[str]:
        """Name users whose score is not what it must be, a few of them."""
        wrong = [
            f"{key} scores {self.totals.get(key)} instead of {self.expected.get(key)}"
            for key in sorted({*self.totals, *self.expected})
            if self.totals.get(key) != self.expected.get(key)
        ]
        yield from wrong[:_NAMED]
        if len(wrong) > _NAMED:
            yield f"and so on: {len(wrong):,} scores are wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """What was stored of those who listen; `lost` says why each was not asked for, by key."""

    users: int
    plays: int
    expected: int
    gaps: int
    lost: Mapping[str, str]

    def mismatches(self) -> Iterator[str]:
        """Say whether plays are missing, or are too many."""
        if self.plays != self.expected:
            yield f"{self.plays:,} plays are stored instead of {self.expected:,}"


async def listened_of(core: Core, passes: Sequence[Pass], rehearsal: Rehearsal) -> Listened:
    """Return what all passes stored of plays, and what they must have stored."""
    stores, listeners = core.around.stores, rehearsal.listeners
    counts = await stores.listening.counts_of([run.id for each in passes for run in each.runs])
    lost = await stores.grants.read("", _NAMED, "reauth_required")
    return Listened(
        users=listeners.size,
        plays=sum(each.inserted for each in counts.values()),
        expected=listeners.plays,
        gaps=sum(each.gaps for each in counts.values()),
        lost={each.user_key: each.state_reason for each in lost},
    )


def look(rehearsal: Rehearsal, before: Mapping[str, Seen] | None = None) -> Mapping[str, Seen]:
    """Return what each stand-in counted, since an earlier look if there was one."""
    earlier = before or {}
    return {
        name: Seen.of(standin) - earlier.get(name, Seen())
        for name, standin in rehearsal.standins.items()
    }


async def shares_of(
    core: Core, runs: Sequence[Run], expected: Mapping[str, Report], seen: Mapping[str, Seen]
) -> tuple[Share, ...]:
    """Return what became of each platform in these runs."""
    stored: dict[str, PlatformReport] = {}
    for shares in (
        await core.around.stores.runs.platform_reports([run.id for run in runs])
    ).values():
        stored |= shares
    return tuple(
        Share(
            platform=name,
            expected=report,
            report=stored.get(name, PlatformReport()).report,
            seen=seen[name],
            foretells_calls=name == GITHUB,
        )
        for name, report in expected.items()
    )


async def scores_of(core: Core, control: Control, rehearsal: Rehearsal) -> Scores:
    """Return the stored scores, and what they must be by the same formula."""
    coders = rehearsal.coders
    expected = coders.totals(to_parameters(core.config))
    return Scores(
        totals=await core.around.stores.scores.highest(None),
        expected={key_of(index): points for index, points in expected.items()},
        unrated=len(coders.unrated),
        example=await control.why(key_of(coders.example), 1),
    )
