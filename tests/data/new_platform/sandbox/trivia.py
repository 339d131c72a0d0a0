"""The game's public API, from its own side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.faults import with_values, without_keys
from syncd.sandbox.service import Service, told


class TriviaStandIn(Service):
    """Serves `/players/{handle}`."""

    documented = Documented(requests_a_minute=60, requests_at_a_time=5)
    somebody_else = with_values({"handle": "eve"})
    odd_answers: ClassVar[Mapping[str, Odd]] = {
        "no_rating": Odd(without_keys("rating"), "schema_error")
    }

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Tell of a player."""
        del body
        index = self.players.find(request.path.removeprefix("/players/"))
        if index is None:
            return told({"error": "no such player"}, 404)
        self.counters.count_fetch(index)
        known = self.expected(index)
        return told({key: known[key] for key in ("handle", "rating", "solved")})

    def refuse(self) -> Answer:
        """Ask for some patience."""
        return told({"error": "slow down"}, 429, {"Retry-After": "20"})

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now."""
        player = self.players.player(index)
        return {
            "external_id": player.handle,
            "handle": player.handle,
            "rating": player.rating(0, 100),
            "solved": player.solved,
        }
