"""Grants as the control port sees them, kept in memory; every order is written down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncd.errors import BadInput, NotKnown
from syncd.model.grant import GrantEntry
from syncd.web.service import Json


def grant_answer(key: str, **changes: Any) -> Json:
    return {
        "key": key,
        "account_id": 7,
        "platform": "spotify",
        "handle": f"{key}-listens",
        "state": "active",
        "state_reason": "",
        "health": "ok",
        "scopes": "user-read-recently-played",
        "key_id": "k1",
        "granted_at": datetime(2026, 9, 1, 10, tzinfo=UTC),
        "refresh_expires_at": datetime(2027, 3, 1, 10, tzinfo=UTC),
        "access_expires_at": None,
        "refreshed_at": datetime(2026, 11, 21, 5, 58, tzinfo=UTC),
        "suspect_since": None,
        "expires_in_seconds": 8_640_000.0,
        **changes,
    }


class MemoryGrants:
    """The part of a service that is about grants."""

    orders: list[tuple[Any, ...]]
    listening = ""
    contests = ""
    refused_grants: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.grants: list[Json] = []
        self.looks: list[tuple[str, int, str | None]] = []

    def first_of(self, kind: str) -> str:
        name: str = getattr(self, kind)
        if not name:
            raise NotKnown(f"config.toml has no job of kind {kind}", hint="add one")
        return name

    async def tokens(self, after: str, limit: int, state: str | None) -> list[Json]:
        self.looks.append((after, limit, state))
        return [grant for grant in self.grants if grant["key"] > after][:limit]

    async def import_tokens(self, text: str, *, format: str, dry_run: bool) -> Json:  # noqa: A002
        self.orders.append(("import_tokens", len(text), format, dry_run))
        if self.refused_grants:
            raise BadInput(*self.refused_grants)
        return {"dry_run": dry_run, "grants": 1204, "created": 1180, "renewed": 19, "same": 5}

    async def put_token(self, entry: GrantEntry) -> Json:
        self.orders.append(("put_token", entry))
        return {"key": entry.key, "platform": entry.platform, "changed": "created"}

    async def rotate_key(self) -> Json:
        self.orders.append(("rotate_key",))
        return {
            "key_id": "k2",
            "is_new": True,
            "resealed": 1204,
            "unused": ["k1"],
            "left": {"k0": 2},
        }

    async def disconnect(self, key: str, platform: str, *, forget: bool) -> Json:
        self.orders.append(("disconnect", key, platform, forget))
        history = "forgotten" if forget else "kept"
        told = {"key": key, "platform": platform, "disconnected": True, "history": history}
        return {**told, "plays_forgotten": 1204 if forget else 0}
