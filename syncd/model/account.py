"""Whom we follow, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from syncd.model.grant import Access
    from syncd.model.preferences import NotifyChange

AccountId = NewType("AccountId", int)
UserId = NewType("UserId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepMark:
    """How a sweep names an account, and what it said about it last.

    `digest` stays the same as long as a sweep sees nothing new; it is empty where nobody knows it
    yet.
    """

    key: str
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user's identity on a platform.

    `external_id` is the platform's own immutable id, empty until the first success. `etag` may be
    sent only with the credential whose fingerprint is `etag_credential`. `mark` is None where a
    sweep cannot do: the platform must be asked for this account alone. `access` is how it may be
    read where its user has to grant that.
    """

    id: AccountId
    user_key: str
    platform: str
    handle: str
    external_id: str = ""
    etag: str = ""
    etag_credential: str = ""
    mark: SweepMark | None = None
    access: Access | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEntry:
    """A user as the platform tells us about them: by import, by API.

    `accounts` maps platform to handle; a platform that is absent is left as it is, an empty
    handle disconnects it. None leaves `opted_out` and `notify` as they are.
    """

    key: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    opted_out: bool | None = None
    last_login_at: datetime | None = None
    notify: NotifyChange | None = None
