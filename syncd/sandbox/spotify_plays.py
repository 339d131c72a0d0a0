"""Users of Spotify and what they listened to: plays are made on demand, only new ones are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncd.clock import Clock, SystemClock
from syncd.errors import BadInput
from syncd.sandbox.draw import Draw
from syncd.sandbox.players import Players
from syncd.sandbox.spotify_tracks import KINDS, Item, instant, make_item, milliseconds

MOST_SHOWN = 50
"""So many of the newest plays can be had at all."""

OLD_PLAYS = 36
NEWEST_OLD = milliseconds(datetime(2025, 12, 31, tzinfo=UTC))
DAY_MS = 86_400_000


@dataclass(slots=True)
class _Heard:
    """What somebody listened to since: the kind of each play, or the whole of it, by its time."""

    is_silent: bool = False
    plays: dict[int, str | Item] = field(default_factory=dict)


class Listeners(Players):
    """Users 0 to `size` - 1, each with plays of 2025 that the seed decides.

    Args:
        seed: decides everything about everybody.
        size: how many there are.
        clock: tells when somebody listens.
        old_plays: nobody had more plays than that before anything happened; many have none.
    """

    def __init__(
        self, seed: int, size: int, *, clock: Clock | None = None, old_plays: int = OLD_PLAYS
    ) -> None:
        super().__init__(seed, size)
        self.lag_seconds = 0.0
        self._clock = clock or SystemClock()
        self._old_plays = old_plays
        self._heard: dict[int, _Heard] = {}

    def change(self, index: int) -> None:
        """Let somebody listen to one more track, now."""
        super().change(index)
        self.listen(index)

    def listen(
        self,
        index: int,
        times: int = 1,
        *,
        every_seconds: float = 200,
        kind: str = "track",
        played_at: str | None = None,
    ) -> list[int]:
        """Let somebody play tracks one after the other, the last of which ends now.

        Where they would begin before what is there already they are shorter than `every_seconds`.

        Args:
            index: who listens.
            times: to how many tracks.
            every_seconds: how long each is.
            kind: `track`, `local` (a file of their own), `null` (the track is gone), `no_isrc`,
                `no_date` or `bare` (nothing optional).
            played_at: when the last of them ends, in ISO 8601, also in the past.

        Returns:
            When they were played, in milliseconds, oldest first.
        """
        if kind not in KINDS:
            raise BadInput(f"nothing of the kind '{kind}' can be played")
        every = round(every_seconds * 1000)
        before = self.instants(index)
        if played_at is None:
            newest = milliseconds(self._clock.now())
            first = max(newest - (times - 1) * every, before[-1] + 1 if before else 0)
            every = max(1, (newest - first) // max(1, times - 1))
        else:
            first = self._read(played_at) - (times - 1) * every
        played = [first + place * every for place in range(times)]
        self._heard_by(index).plays.update(dict.fromkeys(played, kind))
        return played

    def hear(self, index: int, items: Sequence[Item]) -> None:
        """Let somebody have played exactly these items of a page, as they were recorded."""
        plays: dict[int, str | Item] = {self._read(item["played_at"]): item for item in items}
        self._heard[index] = _Heard(is_silent=True, plays=plays)

    def silence(self, index: int) -> None:
        """Let somebody never have listened to anything."""
        self.hear(index, [])

    def lag(self, seconds: float) -> None:
        """Show every play only so long after its end, as the service does for hours at times."""
        self.lag_seconds = seconds

    def instants(self, index: int) -> list[int]:
        """Return when somebody listened, oldest first, also to what is not shown any more."""
        heard = self._heard.get(index)
        if heard is None:
            return self._old(index)
        return sorted({*([] if heard.is_silent else self._old(index)), *heard.plays})

    def shown(self, index: int) -> list[int]:
        """Return when somebody listened, newest first, as far as the service shows it."""
        instants = self.instants(index)
        if self.lag_seconds:
            until = milliseconds(self._clock.now()) - round(self.lag_seconds * 1000)
            instants = [each for each in instants if each <= until]
        return instants[: -MOST_SHOWN - 1 : -1]

    def item(self, index: int, at_ms: int) -> Item:
        """Return what somebody listened to then."""
        heard = self._heard.get(index)
        play = "track" if heard is None else heard.plays.get(at_ms, "track")
        return make_item(self.seed, index, at_ms, play) if isinstance(play, str) else play

    def plays(self, index: int) -> list[Mapping[str, Any]]:
        """Return all that somebody ever listened to, as it must be stored, oldest first.

        Items that tell of no track or of no time are not among them.
        """
        items = [self.item(index, at_ms) for at_ms in self.instants(index)]
        return [row_of(item) for item in items if item["track"] and item["played_at"]]

    def _heard_by(self, index: int) -> _Heard:
        return self._heard.setdefault(self._known(index), _Heard())

    def _old(self, index: int) -> list[int]:
        draw = Draw(self.seed, "old", self._known(index))
        plays, every = draw.below(self._old_plays + 1), 120_000 + draw.below(280_000)
        newest = NEWEST_OLD - draw.below(DAY_MS)
        return [newest - place * every for place in reversed(range(plays))]

    def _read(self, played_at: str) -> int:
        try:
            return instant(played_at)
        except (TypeError, ValueError) as error:
            raise BadInput(f"'{played_at}' is no instant: {error}") from error


def row_of(item: Item) -> Mapping[str, Any]:
    """Return what must be stored of a play, by the names of a play's fields."""
    track = item["track"]
    artists = [artist["id"] for artist in track["artists"] if artist["id"]]
    return {
        "track_id": track["id"] or track["uri"],
        "artist_id": track["artists"][0]["id"] or "",
        "artist_ids": tuple(artists),
        "played_at": datetime.fromisoformat(item["played_at"]),
        "album_id": track["album"]["id"],
        "duration_ms": track["duration_ms"],
        "context_uri": (item.get("context") or {}).get("uri"),
        "isrc": track.get("external_ids", {}).get("isrc"),
    }
