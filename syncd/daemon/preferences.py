"""What preferences may name: platforms, zones, and addresses by each channel's own rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import pydantic_core

from syncd import plugins
from syncd.channels.base import Channel
from syncd.config.values import suggestion
from syncd.errors import BadInput, NotKnown
from syncd.model.account import UserEntry
from syncd.model.preferences import NotifyChange

_PLATFORMS = "syncd.platforms"
_CHANNELS = "syncd.channels"
LONGEST_ADDRESS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRules:
    """What preferences are checked by; `zones` are those that the database knows.

    `platforms` are those whose contests users can be told of, `private` the channels whose
    addresses may lie in our own network.
    A channel that is off, or a platform that is not read, may be named all the same: config.toml
    may change, and a reload does not ask users again.
    """

    zones: frozenset[str]
    platforms: tuple[str, ...]
    private: frozenset[str] = frozenset()

    def checked(self, entry: UserEntry) -> UserEntry:
        """Return a user with addresses as they are stored.

        Raises:
            BadInput: one sentence per problem, naming the field and never the address.
        """
        change = entry.notify
        if change is None:
            return entry
        problems = [*self._platforms(change), *self._timezone(change)]
        addresses: dict[str, str] = {}
        for channel, given in (change.addresses or {}).items():
            try:
                addresses[channel] = self._parsed(channel, given)
            except ValueError as error:
                problems.append(f"notify.channels.{channel}: {error}"[:300])
        if problems:
            raise BadInput(*problems, hint="nothing of this user was changed")
        told = None if change.addresses is None else addresses
        return replace(entry, notify=replace(change, addresses=told))

    def _platforms(self, change: NotifyChange) -> Iterator[str]:
        for name in change.platforms or ():
            if name not in self.platforms:
                near = suggestion(name, self.platforms)
                others = f"; these platforms do: {', '.join(self.platforms)}"
                yield f"notify.platforms: {name!a} announces no contests{near or others}"

    def _timezone(self, change: NotifyChange) -> Iterator[str]:
        if change.timezone is not None and change.timezone not in self.zones:
            near = suggestion(change.timezone, self.zones)
            yield f"notify.timezone: the database knows no time zone {change.timezone!r}{near}"

    def _parsed(self, name: str, given: Any) -> str:
        """Return an address as its channel stores it.

        Raises:
            ValueError: there is no such channel, or that is no address of it.
        """
        size = len(given) if isinstance(given, str) else len(pydantic_core.to_json(given))
        try:
            channel = channel_of(name)
        except NotKnown:
            known = plugins.find(_CHANNELS)
            near = suggestion(name, known)
            there_are = f"; there are {', '.join(known)}" if known else ""
            raise ValueError(f"there is no such channel{near or there_are}") from None
        if size > LONGEST_ADDRESS:
            raise ValueError(f"is longer than {LONGEST_ADDRESS:,} characters")
        parse = channel.parse_private_address if name in self.private else channel.parse_address
        return parse(given)


def announcing() -> tuple[str, ...]:
    """Name the platforms whose contests users can be told of.

    One that is read for nothing but contests tells of those of others.
    """
    found = cast("Mapping[str, Any]", plugins.find(_PLATFORMS))
    named = [
        name
        for name, each in found.items()
        if getattr(each, "announces_contests", False) and each.kind != "contests"
    ]
    return tuple(named)


def channel_of(name: str) -> type[Channel[Any]]:
    """Return a channel by its name, whether it is in use or not.

    Raises:
        NotKnown: there is none.
    """
    return cast("type[Channel[Any]]", plugins.load(_CHANNELS, name))
