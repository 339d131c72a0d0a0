"""What a page of Spotify's "recently played" tells, without one request.

Only what a play is known by must be there. What the API has dropped elsewhere already (popularity,
markets, external ids) may be missing: a play that is not stored now cannot be had later.
https://developer.spotify.com/documentation/web-api/reference/get-recently-played
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.errors import BadPayload
from syncd.model.play import Heard, Play
from syncd.platforms.shape import Shape

PAGE = 50
"""How many plays can be had at all."""

# What the clock of a device that was offline may be ahead; what is further ahead would hide all
# later plays, for the newest one says where the next page begins.
_AHEAD = timedelta(days=1)
_LONGEST_ID = 200
# An index of PostgreSQL takes no entry of more than 2,704 bytes; titles stand in it escaped.
_LONGEST_URI = 1_000
_LONGEST_MS = 2**31 - 1


def read_page(data: Any, who: str, now: datetime) -> Heard:
    """Map a page to plays; items that tell of no play that has been are counted as skipped.

    So is an item that cannot be read beside some that can: these could not be had later.

    Args:
        data: the answer.
        who: whose it is, as errors name them.
        now: when it was given.

    Raises:
        BadPayload: it is no such page, or none of its items can be read; the first place that is
            wrong is named.
    """
    page = Shape(data, who)
    items = page.needed_rows("items")
    most = min(page.count("limit") or PAGE, PAGE)
    plays, wrong = [], []
    for item in items:
        try:
            play = _play(item, now)
        except BadPayload as error:
            wrong.append(error)
            continue
        if play is not None:
            plays.append(play)
    if wrong and not plays:
        raise wrong[0]
    return Heard(
        plays=plays,
        skipped=len(items) - len(plays),
        unread=tuple(str(error) for error in wrong),
        is_full=len(items) >= most,
    )


def _play(item: Shape, now: datetime) -> Play | None:
    """Return the play an item tells of; None where it tells of none."""
    track, played_at = item.inner("track"), _played_at(item)
    if track is None or played_at is None or played_at > now + _AHEAD:
        return None
    artist_ids = _artist_ids(track)
    return Play(
        track_id=_track_id(track),
        artist_id=artist_ids[0] if artist_ids else "",
        artist_ids=artist_ids,
        played_at=played_at,
        album_id=_inside(track, "album", "id"),
        duration_ms=_duration_ms(track),
        context_uri=_inside(item, "context", "uri"),
        isrc=_inside(track, "external_ids", "isrc"),
    )


def _played_at(item: Shape) -> datetime | None:
    """Return the instant of a play in UTC, to the millisecond."""
    text = item.text("played_at")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise item.wrong("played_at", "date and time with its zone")
        at = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise item.wrong("played_at", "date and time") from error
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _track_id(track: Shape) -> str:
    """Return what a track is known by: its id, of a local file its URI, of a long one a digest."""
    if track.text("id") is not None:
        return _id(track)
    uri = track.text("uri")
    if uri is None:
        raise BadPayload(f"{track.who!r}: {track.path} has neither id nor uri")
    if len(uri.encode()) <= _LONGEST_URI:
        return uri
    return f"spotify:local:sha256:{hashlib.sha256(uri.encode()).hexdigest()}"


def _artist_ids(track: Shape) -> tuple[str, ...]:
    """Return the ids of the artists in their order; those of local files have none."""
    is_local = track.text("id") is None
    rows = (track.rows("artists") or []) if is_local else track.needed_rows("artists")
    return tuple(_id(artist) for artist in rows if artist.text("id") is not None)


def _id(shape: Shape) -> str:
    text = shape.needed_text("id")
    if len(text.encode()) > _LONGEST_ID:
        raise shape.wrong("id", "id of Spotify")
    return text


def _duration_ms(track: Shape) -> int | None:
    duration_ms = track.count("duration_ms")
    if duration_ms is not None and duration_ms > _LONGEST_MS:
        raise track.wrong("duration_ms", "duration of a track")
    return duration_ms


def _inside(shape: Shape, key: str, of: str) -> str | None:
    inner = shape.inner(key)
    return None if inner is None else inner.text(of)
