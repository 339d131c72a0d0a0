"""Whom we follow, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

AccountId = NewType("AccountId", int)
UserId = NewType("UserId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user's identity on a platform.

    `external_id` is the platform's own immutable id, empty until the first success. `etag` may be
    sent only with the credential whose fingerprint is `etag_credential`.
    """

    id: AccountId
    user_key: str
    platform: str
    handle: str
    external_id: str = ""
    etag: str = ""
    etag_credential: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEntry:
    """A user as the platform tells us about them: by import, by API.

    `accounts` maps platform to handle; a platform that is absent is left as it is, an empty
    handle disconnects it. `opted_out` None leaves the state as it is.
    """

    key: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    opted_out: bool | None = None
    last_login_at: datetime | None = None
