"""Scores between runs: after a start, a reload, an order about users, and when a person asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from syncd.config.models import Config
from syncd.daemon.answers import Json
from syncd.daemon.leadership import Leadership
from syncd.daemon.settings import to_parameters
from syncd.errors import LeaseLost, StoreUnavailable
from syncd.jobs.base import Surroundings
from syncd.jobs.scoring import compute_scores
from syncd.store.scores import Computed

_RETRY_SECONDS = 1.0


class Scoring:
    """Computes in the background what is due, without one fetch; nothing is lost by not doing it.

    Args:
        around: where scores are stored, and told of.
        leadership: who does not lead leaves it to the one that does.
    """

    def __init__(self, around: Surroundings, leadership: Leadership) -> None:
        self._around = around
        self._scores = around.stores.scores
        self._leadership = leadership
        self._asked = asyncio.Event()
        self._is_computing = False
        # Whether there may be scores of another version: another process may have left them.
        self._may_be_outdated = True
        self._computed = Computed()
        self._begun = self._ended = 0.0
        self._trouble = ""

    def adopt(self, config: Config) -> None:
        """Compute with the parameters of a configuration from now on, all scores if they differ."""
        before = self._scores.version
        self._scores.adopt(to_parameters(config))
        if self._scores.version != before:
            self.look()

    def look(self) -> None:
        """Look soon for scores of another version, and compute what is due."""
        self._may_be_outdated = True
        self.wake()

    def wake(self) -> None:
        """Compute soon what is due."""
        self._asked.set()

    async def keep(self) -> None:
        """Compute for ever, each time somebody asks and this process leads."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._leadership.refusal:
                continue
            try:
                await self.compute()
            except LeaseLost:
                continue  # told where the lease is kept; who leads next looks by itself
            except StoreUnavailable:
                await self._around.clock.sleep(_RETRY_SECONDS)
                self.wake()

    async def compute(self, tell: Callable[[Json], None] = lambda _: None) -> Json:
        """Compute what is due, or of another version, and return what came of it.

        `tell` is given how far it is.

        Raises:
            LeaseLost, StoreUnavailable: the rest stays due.
        """

        def note(computed: Computed) -> None:
            self._computed = computed
            self._ended = self._around.clock.monotonic()
            tell(self.as_json())

        self._is_computing, self._computed = True, Computed()
        self._begun = self._ended = self._around.clock.monotonic()
        try:
            if self._may_be_outdated:
                await self._scores.mark_outdated()
                self._may_be_outdated = False
            await compute_scores(self._around, note)
            self._trouble = ""
        except (LeaseLost, StoreUnavailable) as error:
            self._trouble = str(error)
            raise
        finally:
            self._is_computing = False
        return self.as_json()

    async def rescore(self) -> Json:
        """Let everybody's score be computed again, soon."""
        await self._scores.mark_everybody()
        self._may_be_outdated = False
        self.wake()
        return self.as_json()

    def as_json(self) -> Json:
        """Return how far the computing is, or what the last one came to."""
        computed = self._computed
        return {
            "running": self._is_computing or self._asked.is_set(),
            "formula_version": self._scores.version,
            "total": computed.total,
            "done": computed.done,
            "changed": computed.changed,
            "removed": computed.removed,
            "duration_seconds": self._ended - self._begun,
            "error": self._trouble,
        }
