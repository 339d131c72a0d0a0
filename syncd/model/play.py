"""What somebody listened to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One play of one track.

    `played_at` is UTC, to the millisecond, as the platform gives it. `artist_id` is the first of
    `artist_ids`; what has no id (a local file) has its URI for `track_id` and may have an empty
    `artist_id`.
    """

    track_id: str
    artist_id: str
    artist_ids: tuple[str, ...]
    played_at: datetime
    album_id: str | None = None
    duration_ms: int | None = None
    context_uri: str | None = None
    isrc: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A page of what somebody listened to, in any order; a play may be there twice.

    `skipped` counts items that tell of no track, or could not be read: of these `unread` says why,
    a sentence each. `is_full`: the page holds as many as can be had, and older ones may be lost.
    """

    plays: Sequence[Play]
    skipped: int = 0
    unread: Sequence[str] = ()
    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayCounts:
    """Plays that were stored, that were stored before, and items that tell of none.

    `gaps` counts users of whom plays may have been lost.
    """

    inserted: int = 0
    repeated: int = 0
    skipped: int = 0
    gaps: int = 0

    def __add__(self, other: PlayCounts) -> PlayCounts:
        """Add two counts."""
        return PlayCounts(
            inserted=self.inserted + other.inserted,
            repeated=self.repeated + other.repeated,
            skipped=self.skipped + other.skipped,
            gaps=self.gaps + other.gaps,
        )
