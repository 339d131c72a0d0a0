"""What users want to be told of, and where it reaches them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from syncd.model.account import UserEntry
from syncd.model.preferences import NotifyChange
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row


class PreferenceStore:
    """Owns what `notify_preferences` says and which addresses `notify_addresses` holds.

    An address to which nothing is sent any more (its user unsubscribed, or nobody is there) stays
    so while it is given again as it was, as imports do. Whoever `revives` knows that the user chose
    it anew: it is active again. Another address always is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("preferences")
        self._zones: frozenset[str] = frozenset()

    async def zones(self) -> frozenset[str]:
        """Return the time zones that the database knows."""
        if not self._zones:
            async with self._database.connection() as connection:
                rows = await connection.fetch(self._sql["read_zones"])
            self._zones = frozenset(row["name"] for row in rows)
        return self._zones

    async def put_within(
        self, connection: Connection, entries: Sequence[UserEntry], *, revives: bool
    ) -> set[str]:
        """Store what changes for these users; return the keys of those for whom something did.

        Part of the transaction that put the users, whose rows it holds.
        """
        removed = [entry.key for entry in entries if entry.notify and entry.notify.is_removal]
        changes = {
            entry.key: entry.notify
            for entry in entries
            if entry.notify is not None and not entry.notify.is_removal
        }
        keys: set[str] = set()
        if removed:
            rows = await connection.fetch(self._sql["drop_preferences"], removed)
            keys |= {row["key"] for row in rows}
        if changes:
            told = [_columns(key, change) for key, change in changes.items()]
            rows = await connection.fetch(self._sql["set_preferences"], told)
            keys |= {row["key"] for row in rows}
            keys |= await self._put_addresses(connection, changes, revives=revives)
        return keys

    async def _put_addresses(
        self, connection: Connection, changes: Mapping[str, NotifyChange], *, revives: bool
    ) -> set[str]:
        told = {key: each.addresses for key, each in changes.items() if each.addresses is not None}
        given = [
            (key, channel, address)
            for key, addresses in told.items()
            for channel, address in sorted(addresses.items())
        ]
        keys, channels, addresses = ([row[place] for row in given] for place in range(3))
        dropped = await connection.fetch(self._sql["drop_addresses"], list(told), keys, channels)
        written = await connection.fetch(
            self._sql["set_addresses"], keys, channels, addresses, revives
        )
        return {row["key"] for row in (*dropped, *written)}

    async def read_within(
        self, connection: Connection, keys: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Return for each of these users `notify`, as it is given, and how `addresses` stand."""
        wanted = await connection.fetch(self._sql["read_preferences"], keys)
        held = await connection.fetch(self._sql["read_addresses"], keys)
        found: dict[str, dict[str, Any]] = {key: {"notify": None, "addresses": []} for key in keys}
        for row in wanted:
            found[row["key"]]["notify"] = _notify(row)
        for row in held:
            user = found[row["key"]]
            if user["notify"] is not None:
                user["notify"]["channels"][row["channel"]] = _given(row["address"])
            user["addresses"].append(
                {
                    "channel": row["channel"],
                    "state": row["state"],
                    "reason": row["state_reason"],
                    "since": row["state_since"],
                }
            )
        return found


def _columns(key: str, change: NotifyChange) -> dict[str, Any]:
    quiet = [each.isoformat() for each in change.quiet or ()]
    return {
        "key": key,
        "platforms": change.platforms,
        "leads": change.leads,
        "timezone": change.timezone,
        "has_quiet": change.quiet is not None,
        "quiet_from": quiet[0] if quiet else None,
        "quiet_until": quiet[1] if quiet else None,
        "language": change.language,
        "wants_digest": change.wants_digest,
    }


def _notify(row: Row) -> dict[str, Any]:
    quiet = None
    if row["quiet_from"] is not None:
        quiet = {name: f"{row[f'quiet_{name}']:%H:%M}" for name in ("from", "until")}
    return {
        "platforms": row["platforms"],
        "leads": row["leads"],
        "timezone": row["timezone"],
        "quiet": quiet,
        "language": row["language"],
        "digest": row["wants_digest"],
        "channels": {},
    }


def _given(address: str) -> Any:
    """Return an address as it was given: a subscription is stored as JSON."""
    if address.startswith("{"):
        try:
            return json.loads(address)
        except ValueError:
            return address
    return address
