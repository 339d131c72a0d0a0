"""Users of Spotify with grants, played by the stand-in, and what came of them in a database.

    async with SpotifyWorld(10, clock=clock).served() as world:
        tables = {"platforms.spotify": world.settings(), ...}
        text = world.import_file(range(10))       # for `syncd tokens import`
        world.standin.listeners.listen(3, times=5)
        ...
        assert await doubles(database) == []
        assert await plays_in(database) == world.plays(range(10))

The user of index 7 has the key `u7`. All tokens and the app's secret hold the word "canary".
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from fakes.payloads import find_recorded

from syncd.clock import Clock
from syncd.model.grant import GrantEntry
from syncd.sandbox.control import Controlled
from syncd.sandbox.server import serve
from syncd.sandbox.spotify import SpotifyStandIn
from syncd.sandbox.spotify_accounts import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.spotify_tracks import Item
from syncd.store.database import Database

SPOTIFY = "spotify"
SEED = 7
RECORDED = (
    "spotify/recently_played_20_items_2017-05-27.json",
    "spotify/recently_played_2_items_2023-09-22.json",
    "spotify/recently_played_48_items_2026-02-25.json",
)

PLAYS = """
SELECT u.key, l.artist_id, l.track_id, l.played_at
FROM listening_data l JOIN users u ON u.id = l.user_id
"""
# As the replaced system asked for its duplicates.
DOUBLES = """
SELECT user_id, artist_id, track_id, played_at FROM listening_data
GROUP BY user_id, artist_id, track_id, played_at HAVING count(*) > 1
"""


class StoredPlay(NamedTuple):
    """What tells one play from another."""

    key: str
    artist_id: str
    track_id: str
    played_at: datetime


class SpotifyWorld:
    """The stand-in, and its users as the app knows them.

    Args:
        users: how many there are.
        clock: the stand-in's; None is the real one.
        scale: how many times wider than 180 calls a minute and 10 at a time the limits are.
        rotates: whether a refresh ends the refresh token; None: that of an app without a secret.
        options: of the stand-in: `old_plays` (at most so many of each before), `latency_seconds`.
    """

    def __init__(
        self,
        users: int,
        *,
        clock: Clock | None = None,
        scale: float = 1000,
        rotates: bool | None = None,
        **options: Any,
    ) -> None:
        self.people = range(users)
        self.standin = SpotifyStandIn.make(SEED, users, clock=clock, scale=scale, **options)
        self.standin.accounts.set_rotation(rotates)
        self.base_url = ""

    @asynccontextmanager
    async def served(self) -> AsyncIterator[SpotifyWorld]:
        """Serve the stand-in, steered under `/_sandbox` too, as long as the context lasts."""
        async with serve(Controlled(self.standin)) as self.base_url:
            yield self

    @staticmethod
    def key(index: int) -> str:
        """Return the user key of somebody."""
        return f"u{index}"

    def settings(self, **over: Any) -> dict[str, Any]:
        """Return the table `[platforms.spotify]` that leads here, for `fakes.daemon_config`."""
        app = {"name": "main", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        return {
            **self.standin.addresses(self.base_url),
            "allow_private": True,
            "rate": "1000/s",
            "burst": 10,
            "timeout": "10s",
            "credentials": [app],
            **over,
        }

    def entry(self, index: int, *, has_access: bool = False) -> GrantEntry:
        """Return somebody's grant as it is imported, by default without an access token."""
        given = self._given(index, has_access=has_access)
        for name in ("granted_at", "access_expires_at"):
            if name in given:
                given[name] = datetime.fromisoformat(given[name])
        return GrantEntry(**given)

    def entries(self, indexes: Iterable[int], *, has_access: bool = False) -> list[GrantEntry]:
        """Return grants of many."""
        return [self.entry(index, has_access=has_access) for index in indexes]

    def import_file(self, indexes: Iterable[int], *, has_access: bool = False) -> str:
        """Return grants of many as JSON lines, for `syncd tokens import`."""
        given = (self._given(index, has_access=has_access) for index in indexes)
        return "".join(f"{json.dumps(each)}\n" for each in given)

    def plays(self, indexes: Iterable[int]) -> set[StoredPlay]:
        """Return what must be stored of these users: all they ever listened to."""
        return {
            StoredPlay(self.key(index), play["artist_id"], play["track_id"], play["played_at"])
            for index in indexes
            for play in self.standin.listeners.plays(index)
        }

    def _given(self, index: int, *, has_access: bool) -> dict[str, Any]:
        told = self.standin.grants.told(index)
        access = self.standin.grants.told_access(index) if has_access else {}
        handle = self.standin.handle_of(index)
        return {"key": self.key(index), "platform": SPOTIFY, "handle": handle, **told, **access}


def recorded_items(file: str) -> list[Item]:
    """Return the plays of a recorded page, for `Listeners.hear`; skip the test without it."""
    return list(find_recorded(file).json()["items"])


async def plays_in(database: Database) -> set[StoredPlay]:
    """Return all plays that are stored."""
    async with database.connection() as connection:
        return {StoredPlay(*row) for row in await connection.fetch(PLAYS)}


async def doubles(database: Database) -> list[tuple[Any, ...]]:
    """Return plays that are stored twice, as the replaced system looked for them."""
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.fetch(DOUBLES)]
