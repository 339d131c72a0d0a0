"""The contract of a stand-in: one class per file, named like the platform it plays.

A stand-in tells about itself what a suite needs to ask of every platform the same: what the
service documents, who can be asked for, what must come of it, and its own odd answers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from aiohttp import web

from syncd.clock import Clock
from syncd.sandbox.counters import Counters
from syncd.sandbox.faults import FAULTS, Fault, Faults
from syncd.sandbox.players import Players
from syncd.sandbox.population import Population


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What one caller may ask of the service: its own words, or of those who watched it."""

    requests_a_minute: float
    requests_an_hour: float = math.inf
    requests_at_a_time: int


@dataclass(frozen=True, slots=True)
class Odd:
    """An odd answer that the service was seen to give, and what it is.

    `outcome` is the word for it: `blocked`, `transient`, `rate_limited`, `not_found`,
    `schema_error`, `unsuitable`. `path` says, as a pattern with `*`, which requests can be
    answered so.
    """

    fault: Fault
    outcome: str
    path: str = "*"


class StandIn(ABC):
    """Plays a service for its `population`: counts, refuses what exceeds a limit, misbehaves."""

    documented: ClassVar[Documented]
    """The upper limits, before scaling; they are enforced."""

    has_etags: ClassVar[bool] = False
    """Whether answers carry an entity tag and an unchanged one is told as such, for nothing."""

    takes_credentials: ClassVar[bool] = False
    has_quota: ClassVar[bool] = False
    """Whether a caller may be somebody; then `revoke` is among the changes."""

    tells_handle: ClassVar[bool] = True
    """Whether an answer says whose it is; where not, the spelling asked for is all there is."""

    odd_answers: ClassVar[Mapping[str, Odd]] = {}
    """What the service itself was seen to do, by name; for its path they are faults like others."""

    follows_renames: ClassVar[bool] = False
    """Whether somebody who was read before is found under the handle that they took since."""

    announces_contests: ClassVar[bool] = False
    """Whether it lists contests; then their changes are among `changes`."""

    leads_on: ClassVar[bool] = False
    """Whether a former handle answers with whoever had it, under the name of today."""

    somebody_else: ClassVar[Fault]
    """Turns a good answer into one about another person."""

    population: Players | Population
    counters: Counters
    faults: Faults

    people: ClassVar[type[Players | Population]] = Players
    """What its population is made of."""

    @classmethod
    def make(cls, seed: int, size: int, **options: Any) -> Self:
        """Make one with people of its own, that a seed decides.

        Args:
            seed: decides everything about everybody.
            size: how many people there are.
            options: of every stand-in `scale` (how many times wider than documented the limits
                are), `clock` and `latency_seconds` (how long every answer takes).
        """
        return cls(cls.people(seed, size), **options)

    @abstractmethod
    def __init__(
        self,
        population: Any,
        *,
        scale: float = 1,
        clock: Clock | None = None,
        latency_seconds: float = 0,
    ) -> None:
        """Play a service for `population`."""

    @abstractmethod
    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""

    @abstractmethod
    def handle_of(self, index: int) -> str:
        """Return somebody's present handle, as the service spells it."""

    @abstractmethod
    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now, by the names of a profile's fields."""

    def announced(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what a list of contests tells now, by their ids: fields of a contest."""
        return {}

    def addresses(self, base_url: str) -> Mapping[str, Any]:
        """Return the settings that lead a caller here, who is served at `base_url`."""
        return {"base_url": base_url}

    def changes(self) -> Mapping[str, Callable[..., Any]]:
        """Return what can be done to the population, by name."""
        names = ("change", "change_some", "rename", "vanish", "restore")
        return {name: getattr(self.population, name) for name in names}

    def asked_by(self) -> Mapping[str, int]:
        """Tell how often each credential was asked with; empty where there are none."""
        return {}

    def fault(self, name: str, arguments: Mapping[str, Any]) -> Fault:
        """Return a fault that everybody may have, or an odd answer of this service, by name.

        Raises:
            KeyError, TypeError: there is no such fault, or it takes other arguments.
        """
        if name in self.odd_answers and not arguments:
            return self.odd_answers[name].fault
        return FAULTS[name](**arguments)
