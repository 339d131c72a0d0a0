"""Those users of `syncd demo` who have accounts on coding platforms, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from syncd import plugins
from syncd.daemon.fates import Fates, share_of
from syncd.model.run import Report
from syncd.model.score import Numbers, Parameters, score_part, total
from syncd.sandbox.base import StandIn
from syncd.sandbox.players import Players

_CHANGED_SHARE = 0.05
_FEW_SHARE = 0.02


class Coders:
    """The same people on every platform that anybody may ask, each with a fate of their own there.

    Args:
        size: how many there are.
        seed: decides everything about everybody.
        scale: how many times wider than documented the limits of the stand-ins are.
    """

    def __init__(self, size: int, seed: int, *, scale: float) -> None:
        found = cast("Mapping[str, type[StandIn]]", plugins.find("syncd.sandbox"))
        self.size = size
        self.standins: Mapping[str, StandIn] = {
            name: made.make(seed, size, scale=scale)
            for name, made in found.items()
            if not made.takes_credentials
        }
        self._fates = {
            name: Fates.draw(
                range(size),
                f"{seed} {name}",
                few=share_of(size, _FEW_SHARE),
                changing=share_of(size, _CHANGED_SHARE),
            )
            for name in self.standins
        }
        self._told: dict[str, dict[int, Mapping[str, Any]]] = {name: {} for name in self.standins}

    def handles(self, index: int) -> list[str]:
        """Return somebody's present handle on each platform."""
        return [standin.handle_of(index) for standin in self.standins.values()]

    def happen_before_first(self) -> dict[str, Report]:
        """Let happen what happens before the first pass; return what that must report.

        Who took another handle before anybody asked is found where the platform leads there. How
        many requests it takes depends on how questions are put together: none are expected.
        """
        return {name: self._begin(name, standin) for name, standin in self.standins.items()}

    def happen_before_second(self) -> dict[str, Report]:
        """Let happen what happens between the passes; return what the second must report.

        Who takes another handle solves a problem as well: an answer that names nobody says nothing
        new otherwise.
        """
        return {name: self._go_on(name, standin) for name, standin in self.standins.items()}

    def _begin(self, name: str, standin: StandIn) -> Report:
        fates = self._fates[name]
        for index in fates.lost:
            _players(standin).vanish(index)
        for index in fates.moved:
            _players(standin).rename(index, f"moved{index}")
        lost = {*fates.lost, *(() if standin.follows_renames else fates.moved)}
        self._hear(name, set(range(self.size)) - lost)
        return Report(created=self.size - len(lost), failed=len(lost), failures=_missing(len(lost)))

    def _go_on(self, name: str, standin: StandIn) -> Report:
        fates = self._fates[name]
        for index in (*fates.changing, *fates.renaming):
            _players(standin).change(index)
        for index in fates.renaming:
            _players(standin).rename(index, f"renamed{index}")
        for index in fates.vanishing:
            _players(standin).vanish(index)
        strays = {*fates.moved, *fates.renaming}
        lost = {*fates.lost, *fates.vanishing, *(() if standin.follows_renames else strays)}
        updated = {*fates.changing, *fates.renaming} - lost
        self._hear(name, updated)
        return Report(
            updated=len(updated),
            unchanged=self.size - len(updated) - len(lost),
            failed=len(lost),
            failures=_missing(len(lost)),
        )

    def _hear(self, name: str, indexes: set[int]) -> None:
        """Remember what a platform tells of people while they can be found."""
        standin = self.standins[name]
        self._told[name].update((index, standin.expected(index)) for index in indexes)

    def totals(self, parameters: Parameters) -> dict[int, float]:
        """Return everybody's score by index, out of what each platform told of them last."""
        totals = {}
        for index in range(self.size):
            parts = {
                name: part
                for name, told in self._told.items()
                if index in told and name in parameters
                if (part := score_part(parameters[name], _numbers(told[index]))) is not None
            }
            if parts:
                totals[index] = total(parts)
        return totals

    @property
    def example(self) -> int:
        """Who solved the most of those who have a rating and to whom nothing happens anywhere."""
        fates = self._fates.values()
        others = self.unrated.union(*(each.touched() for each in fates))
        quiet = [index for index in range(self.size) if index not in others]
        return max(quiet, key=lambda index: self._players.player(index).solved, default=0)

    @property
    def unrated(self) -> set[int]:
        """Those who never took part in a contest."""
        return {each for each in range(self.size) if self._players.player(each).strength is None}

    @property
    def _players(self) -> Players:
        """The people as one of the platforms knows them: what they are made of is the same."""
        return _players(next(iter(self.standins.values())))


def _players(standin: StandIn) -> Players:
    return cast("Players", standin.population)


def _missing(count: int) -> dict[str, int]:
    return {"not_found": count} if count else {}


def _numbers(told: Mapping[str, Any]) -> Numbers:
    return Numbers(
        rating=told["rating"],
        solved=told["solved"],
        solved_by=told.get("solved_by"),
        as_of=None,
    )
