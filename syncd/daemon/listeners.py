"""Those users of `syncd demo` who listen on Spotify, and what becomes of them."""

from __future__ import annotations

import json
from datetime import timedelta

from syncd.clock import SystemClock
from syncd.daemon.fates import Fates, share_of
from syncd.model.run import Report
from syncd.sandbox.spotify import SpotifyStandIn
from syncd.sandbox.spotify_plays import MOST_SHOWN

SPOTIFY = "spotify"

_CHANGED_SHARE = 0.2
_LONG_AGO = timedelta(days=215)
_MANY = MOST_SHOWN + 10


class Listeners:
    """The first users, everyone with a grant; between the passes some of them listen.

    One hears more than can be had at once: what came first is lost, and a gap is found. The consent
    of the last one ended before anything began: nobody is asked for that one.

    Args:
        size: how many there are.
        seed: decides everything about everybody.
        scale: how many times wider than guessed the limits of the stand-in are.
    """

    def __init__(self, size: int, seed: int, *, scale: float) -> None:
        self.size = size
        self.standin = SpotifyStandIn.make(seed, size, scale=scale)
        self.ended = size - 1
        asked = range(self.ended)
        heard = [index for index in asked if self._plays(index)]
        self.gap = heard[:1]
        others = [index for index in asked if index not in self.gap]
        changing = share_of(size, _CHANGED_SHARE)
        self._changing = Fates.draw(others, f"{seed} {SPOTIFY}", few=0, changing=changing).changing
        self._heard = set(heard)
        self.plays = sum(map(self._plays, asked))
        long_ago = (SystemClock().now() - _LONG_AGO).isoformat()
        self.standin.grants.consent(self.ended, granted_at=long_ago)

    def _plays(self, index: int) -> int:
        return len(self.standin.listeners.plays(index))

    def import_file(self, keys: list[str]) -> str:
        """Return everybody's grant (JSON lines); `keys` are those of the users."""
        return "".join(
            json.dumps(
                {
                    "key": keys[index],
                    "platform": SPOTIFY,
                    "handle": self.standin.handle_of(index),
                    **self.standin.grants.told(index),
                }
            )
            + "\n"
            for index in range(self.size)
        )

    def happen_before_first(self) -> Report:
        """Return what the first pass must report."""
        return Report(created=len(self._heard), unchanged=self.ended - len(self._heard))

    def happen_before_second(self) -> Report:
        """Let some listen; return what the second pass must report.

        How many plays are stored by then is told by `plays`.
        """
        for index in self._changing:
            self.plays += len(self.standin.listeners.listen(index, 1 + index % 3))
        for index in self.gap:
            self.plays += min(MOST_SHOWN, len(self.standin.listeners.listen(index, _MANY)))
        listened = {*self._changing, *self.gap}
        created = len(listened - self._heard)
        return Report(
            created=created,
            updated=len(listened) - created,
            unchanged=self.ended - len(listened),
        )
