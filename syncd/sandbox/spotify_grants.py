"""What Spotify knows of consents: which refresh and access tokens are good, and for how long.

https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens

Tokens are made from a seed and can be read back, so nothing is kept of those who never asked. All
hold the word "canary", by which a test finds them where they must not be.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from syncd.clock import Clock
from syncd.errors import BadInput
from syncd.sandbox.players import Players
from syncd.sandbox.spotify_tracks import instant, milliseconds

SCOPE = "user-read-recently-played"
SCOPES = f"{SCOPE} user-read-email"
CONSENT_MONTHS = 6

TOKEN = re.compile(r"canary-(refresh|access)-(\d{1,9})-(\d{1,9})-(\d{1,15})-([0-9a-f]{16})")

REVOKED = "Refresh token revoked"
EXPIRED = "Refresh token expired"
UNKNOWN = "Invalid refresh token"
NO_ACCESS = "Invalid access token"
ACCESS_EXPIRED = "The access token expired"


@dataclass(slots=True)
class _Grant:
    """One user's consent; what is counted begins anew with none of these numbers."""

    granted_at: datetime
    scopes: str = SCOPES
    consent: int = 0
    generation: int = 0
    made: int = 0
    ended: int = 0
    is_revoked: bool = False


class Grants:
    """Knows who granted what.

    Everybody consented when the stand-in began, unless `consent` says otherwise.

    Args:
        people: the users.
        clock: tells the time.
    """

    def __init__(self, people: Players, clock: Clock) -> None:
        # How long access tokens last that are made from now on.
        self.token_seconds = 3600.0
        self._people = people
        self._clock = clock
        self._began_at = clock.now()
        self._grants: dict[int, _Grant] = {}

    def consent(
        self, index: int, granted_at: str | None = None, scopes: str = SCOPES
    ) -> dict[str, str]:
        """Let somebody consent anew, now or at another time; tokens of before are good no more.

        Returns:
            What the app then knows: `refresh_token`, `scopes`, `granted_at`.
        """
        grant = self._of(index)
        grant.consent, grant.generation, grant.is_revoked = grant.consent + 1, 0, False
        grant.ended, grant.scopes = grant.made, scopes
        grant.granted_at = self._clock.now()
        if granted_at is not None:
            grant.granted_at = self._read(granted_at)
        return self.told(index)

    def told(self, index: int) -> dict[str, str]:
        """Return what an app that lost nothing knows of somebody's grant now."""
        grant = self._of(index)
        return {
            "refresh_token": self.refresh_token(index),
            "scopes": grant.scopes,
            "granted_at": grant.granted_at.isoformat(),
        }

    def told_access(self, index: int) -> dict[str, str]:
        """Return a new access token of somebody as an app knows it, with its end."""
        ends_at = self._clock.now() + timedelta(seconds=self.token_seconds)
        return {
            "access_token": self.make_access(index),
            "access_expires_at": ends_at.isoformat(),
        }

    def refresh_token(self, index: int) -> str:
        """Return the refresh token that is good now."""
        grant = self._of(index)
        return self._made("refresh", index, grant.consent, grant.generation)

    def known(self) -> list[int]:
        """Return of whom anything was asked or said."""
        return sorted(self._grants)

    def withdraw(self, index: int) -> None:
        """Let somebody take the app off the list of those that may read their account."""
        self._of(index).is_revoked = True

    def expire_access(self, index: int | None = None) -> None:
        """End the access tokens that somebody's app has, or everybody's, before their time."""
        for each in [index] if index is not None else [*self._grants]:
            grant = self._of(each)
            grant.ended = grant.made

    def set_token_seconds(self, seconds: float) -> None:
        """Let access tokens that are made from now on last so long."""
        self.token_seconds = seconds

    def make_access(self, index: int) -> str:
        """Return a new access token of somebody."""
        grant = self._of(index)
        ends_at = self._clock.now() + timedelta(seconds=self.token_seconds)
        grant.made += 1
        return self._made("access", index, grant.made, milliseconds(ends_at))

    def rotate(self, index: int) -> str:
        """Return a new refresh token of somebody; the one before is good no more."""
        self._of(index).generation += 1
        return self.refresh_token(index)

    def scopes(self, index: int) -> str:
        """Tell what somebody consented to."""
        return self._of(index).scopes

    def holder(self, refresh_token: str) -> int | None:
        """Tell whose refresh token this is or was; None where it never was anybody's."""
        read = self._read_back("refresh", refresh_token)
        return read and read[0]

    def why_refused(self, refresh_token: str) -> str:
        """Tell in the service's words why a refresh token is good no more; empty where it is."""
        index = self.holder(refresh_token)
        if index is None:
            return UNKNOWN
        if refresh_token != self.refresh_token(index) or not self._is_granted(index):
            return REVOKED
        return EXPIRED if self._clock.now() >= _ends_at(self._of(index).granted_at) else ""

    def reader(self, access_token: str) -> int | str:
        """Tell whom an access token lets be read, or in the service's words why nobody."""
        read = self._read_back("access", access_token)
        if read is None or not self._is_granted(read[0]):
            return NO_ACCESS
        index, number, ends_at_ms = read
        is_good = number > self._of(index).ended
        return index if is_good and milliseconds(self._clock.now()) < ends_at_ms else ACCESS_EXPIRED

    def _of(self, index: int) -> _Grant:
        grant = self._grants.get(index)
        if grant is None:
            self._people.handle(index)  # whom nobody knows grants nothing
            grant = self._grants[index] = _Grant(self._began_at)
        return grant

    def _is_granted(self, index: int) -> bool:
        is_there = self._people.find(self._people.handle(index)) == index
        return is_there and not self._of(index).is_revoked

    def _made(self, kind: str, index: int, number: int, other: int) -> str:
        place = repr((self._people.seed, kind, index, number, other)).encode()
        return f"canary-{kind}-{index}-{number}-{other}-{blake2b(place, digest_size=8).hexdigest()}"

    def _read_back(self, kind: str, token: str) -> tuple[int, int, int] | None:
        match = TOKEN.fullmatch(token)
        if match is None or match[1] != kind or int(match[2]) >= len(self._people):
            return None
        index, number, other = int(match[2]), int(match[3]), int(match[4])
        return (index, number, other) if self._made(kind, index, number, other) == token else None

    def _read(self, granted_at: str) -> datetime:
        try:
            instant(granted_at)
        except ValueError as error:
            raise BadInput(f"'{granted_at}' is no instant: {error}") from error
        return datetime.fromisoformat(granted_at)


def access_answer(token: str, scopes: str, seconds: float) -> dict[str, Any]:
    """Return the body that hands over an access token."""
    return {
        "access_token": token,
        "token_type": "Bearer",
        "scope": scopes,
        "expires_in": round(seconds),
    }


def _ends_at(granted_at: datetime) -> datetime:
    """Return six months later, on the last day of that month where it has no such day."""
    months = granted_at.month - 1 + CONSENT_MONTHS
    year, month = granted_at.year + months // 12, months % 12 + 1
    day = min(granted_at.day, calendar.monthrange(year, month)[1])
    return granted_at.replace(year=year, month=month, day=day)
