"""What a play looks like: items of a page with the keys, types and order of a recording of 2026."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from syncd.sandbox.draw import Draw
from syncd.sandbox.person import NAMES

Item = dict[str, Any]

TRACKS = 1_000
ARTISTS = 300
WITHOUT_ISRC = 0.05
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TITLES = ("We'll Fight! - Re-recorded", "夜に駆ける", "Ночь", "x", 'The Sound, Of "Silence" \\ 2')
MARKETS = ["AR", "AU", "AT", "BE", "IN", "XK"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def milliseconds(at: datetime) -> int:
    """Return an instant as the cursors name it."""
    return (at - EPOCH) // MILLISECOND


def written(at_ms: int) -> str:
    """Return an instant as `played_at` names it."""
    at = EPOCH + at_ms * MILLISECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def instant(text: str) -> int:
    """Read an instant of ISO 8601, with its offset or `Z`, into milliseconds.

    Raises:
        ValueError: it is none.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} names no offset")
    return milliseconds(at)


def make_item(seed: int, index: int, at_ms: int, kind: str) -> Item:
    """Return one play; what was played is a function of who played it and when.

    Args:
        seed: decides everything.
        index: who listened.
        at_ms: when.
        kind: one of `KINDS`.
    """
    draw = Draw(seed, "play", index, at_ms)
    track = _track(seed, draw.below(TRACKS))
    item = {"track": track, "played_at": written(at_ms), "context": _context(draw, track)}
    return KINDS[kind](item)


def _track_gone(item: Item) -> Item:
    return {**item, "track": None}


def _undated(item: Item) -> Item:
    return {**item, "played_at": None}


def _local(item: Item) -> Item:
    """Turn a play into that of a file which Spotify knows nothing of but its name."""
    title = item["track"]["name"].replace(" ", "+")
    unknown: Item = {"external_urls": {}, "href": None, "id": None}
    artist = {**unknown, "name": "Somebody", "type": "artist", "uri": None}
    album = {**unknown, "artists": [], "images": [], "name": "", "type": "album", "uri": None}
    return _altered(
        {**item, "context": None},
        album={**album, "album_type": None, "available_markets": [], "release_date": None},
        artists=[artist],
        available_markets=[],
        external_ids={},
        external_urls={},
        href=None,
        id=None,
        is_local=True,
        preview_url=None,
        uri=f"spotify:local:Somebody::{title}:{item['track']['duration_ms'] // 1000}",
    )


def _without_isrc(item: Item) -> Item:
    return _altered(item, external_ids={"ean": "4006381333931"})


def _bare(item: Item) -> Item:
    """Leave out whatever the service has dropped somewhere, or did not send once."""
    optional = {"available_markets", "external_ids", "is_local", "popularity", "preview_url"}
    track = {key: value for key, value in item["track"].items() if key not in optional}
    return {"track": track, "played_at": item["played_at"]}


KINDS: Mapping[str, Callable[[Item], Item]] = MappingProxyType(
    {
        "track": lambda item: item,
        "local": _local,
        "null": _track_gone,
        "no_date": _undated,
        "no_isrc": _without_isrc,
        "bare": _bare,
    }
)
"""What can be played, by name."""


def _altered(item: Item, **changes: Any) -> Item:
    return {**item, "track": {**item["track"], **changes}}


@lru_cache(maxsize=2 * TRACKS)
def _track(seed: int, number: int) -> Item:
    draw = Draw(seed, "track", number)
    artists = [_artist(seed, draw.below(ARTISTS)) for _ in range(1 + draw.below(4) // 2)]
    found = _named("track", seed, number)
    isrc = {} if draw.happens(WITHOUT_ISRC) else {"isrc": f"QZES8{number:07}"}
    return {
        "album": _album(seed, draw.below(TRACKS), artists[:1]),
        "artists": artists,
        "available_markets": MARKETS,
        "disc_number": 1,
        "duration_ms": 90_000 + draw.below(300_000),
        "explicit": draw.happens(0.1),
        "external_ids": isrc,
        "external_urls": found["external_urls"],
        "href": found["href"],
        "id": found["id"],
        "is_local": False,
        "name": f"{draw.pick(TITLES)} {number}",
        "popularity": draw.below(101),
        "preview_url": None,
        "track_number": 1 + draw.below(12),
        "type": "track",
        "uri": found["uri"],
    }


def _album(seed: int, number: int, artists: list[Item]) -> Item:
    found, size = _named("album", seed, number), 640
    image = {"height": size, "url": f"https://i.scdn.co/image/{number:040x}", "width": size}
    return {
        "album_type": "album" if number % 3 else "single",
        "artists": artists,
        "available_markets": MARKETS,
        **{key: found[key] for key in ("external_urls", "href", "id")},
        "images": [image],
        "name": f"Album {number}",
        "release_date": "2014-12-29" if number % 2 else "2014",
        "release_date_precision": "day" if number % 2 else "year",
        "total_tracks": 12,
        "type": "album",
        "uri": found["uri"],
    }


def _artist(seed: int, number: int) -> Item:
    found = _named("artist", seed, number)
    name = Draw(seed, "artist", number).pick(NAMES) or "Nobody"
    return {
        **{key: found[key] for key in ("external_urls", "href", "id")},
        "name": f"{name.strip()} {number}",
        "type": "artist",
        "uri": found["uri"],
    }


def _context(draw: Draw, track: Item) -> Item | None:
    kind = draw.pick(("album", "album", "playlist", "collection", None))
    if kind is None:
        return None
    found = track["album"] if kind == "album" else _named(kind, 0, draw.below(100))
    return {"type": kind, **{key: found[key] for key in ("external_urls", "href", "uri")}}


def _named(kind: str, seed: int, number: int) -> dict[str, Any]:
    """Return how the service names a thing: by 22 letters, and by addresses made of them."""
    place = repr((kind, seed, number)).encode()
    rest, letters = int.from_bytes(blake2b(place, digest_size=16).digest()), ""
    while len(letters) < 22:
        rest, choice = divmod(rest, len(LETTERS))
        letters += LETTERS[choice]
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{letters}"},
        "href": f"https://api.spotify.com/v1/{kind}s/{letters}",
        "id": letters,
        "uri": f"spotify:{kind}:{letters}",
    }
