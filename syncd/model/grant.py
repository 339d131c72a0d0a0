"""What users granted us: the right to read their account, for as long as it lasts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncd.model.account import AccountId


class Health(StrEnum):
    """How far a grant can be relied on.

    SUSPECT: it was refused once, which is to be confirmed later. DEAD: only the user's consent
    makes it good again.
    """

    OK = "ok"
    SUSPECT = "suspect"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How an account may be read now.

    `after` is the instant behind which something new is looked for; None: from the beginning.
    """

    token: str = field(repr=False)
    after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant with its tokens, for those who use them.

    `version` grows with every change of the tokens; only who knows it may change them.
    `access_token` is empty where none is known; `access_expires_at` None: nobody knows when.
    """

    account_id: AccountId
    version: int
    refresh_token: str = field(repr=False)
    access_token: str = field(default="", repr=False)
    access_expires_at: datetime | None = None
    refresh_expires_at: datetime
    health: Health = Health.OK
    suspect_since: datetime | None = None
    interrupted_at: datetime | None = None
    """When a refresh began of which nobody knows how it ended: its answer may be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What a platform answers to a refresh token.

    `refresh_token` is empty where the old one stays good; `expires_in_seconds` is how long the
    access token lasts from now.
    """

    access_token: str = field(repr=False)
    expires_in_seconds: float
    refresh_token: str = field(default="", repr=False)
    scopes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEntry:
    """A grant as the platform's own site hands it over, by import or API.

    `handle` is the user's name on the platform; empty: as it is linked already. `granted_at` is
    when the user consented.
    """

    key: str
    platform: str
    handle: str = ""
    refresh_token: str = field(repr=False)
    access_token: str = field(default="", repr=False)
    access_expires_at: datetime | None = None
    scopes: str = ""
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantStanding:
    """How a grant stands, without a token."""

    account_id: AccountId
    user_key: str
    platform: str
    handle: str
    state: str
    state_reason: str
    health: Health
    scopes: str
    key_id: str
    granted_at: datetime
    refresh_expires_at: datetime
    access_expires_at: datetime | None
    refreshed_at: datetime | None
    suspect_since: datetime | None
