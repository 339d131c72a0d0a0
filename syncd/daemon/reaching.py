"""The control port's side of reaching people: a sample over a channel, and links that end one."""

from __future__ import annotations

import asyncio
import json
from abc import ABC
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from syncd import plugins
from syncd.channels.base import Channel
from syncd.config.values import suggestion
from syncd.daemon.answers import Json
from syncd.daemon.core import Core
from syncd.errors import BadInput, DeliveryError, DeliveryUnknown, NotKnown
from syncd.model.contest import Occasion
from syncd.model.notification import ContestNotice, Message
from syncd.store.addresses import AddressStore

_SAMPLE = "Sample of syncd: this is no contest"
_UNSUBSCRIBED = "unsubscribed by the link in a message"


class ReachDesk(ABC):
    """Sends samples, and ends addresses whose users say so."""

    _core: Core

    def public_host(self) -> str:
        """Return the host under which users reach us, empty where they do not."""
        return urlsplit(self._core.channels.links.url).hostname or ""

    def linked_channel(self, link: str) -> str | None:
        """Name the channel that a link is about; None: it is not one of ours."""
        found = self._core.channels.links.read(link)
        return None if found is None else found[1]

    async def unsubscribe(self, link: str) -> str | None:
        """Write no more to whom a link is about, and name the channel; None: it is not ours.

        Of somebody who is gone, or ended it before, the answer is the same.
        """
        found = self._core.channels.links.read(link)
        if found is None:
            return None
        user, channel = found
        store = AddressStore(self._core.database, self._core.around.stores.runs.fence)
        await store.turn_off(user, channel, _UNSUBSCRIBED, self._core.clock.now())
        return channel

    async def test_channel(self, channel: str, address: str) -> Json:
        """Send a sample to an address, and return what came of it, good or bad.

        Raises:
            NotKnown: there is no such channel.
            BadInput: it is off, or the address is none of its kind.
        """
        way = await self._channel(channel)
        try:
            stored = way.stored_address(_given(address))
        except ValueError as error:
            raise BadInput(f"address: {error}") from None
        clock, began = self._core.clock, self._core.clock.monotonic()
        came: Json = {"channel": channel, "delivered": False, "error": "", "hint": ""}
        try:
            receipt = await way.send(self._sample(channel, stored))
            came |= {"delivered": True, "reference": receipt.reference}
        except DeliveryError as error:
            is_unknown = isinstance(error, DeliveryUnknown)
            came |= {
                "error": str(error),
                "hint": error.hint or "",
                "reach": error.reach.value,
                "permanent": error.permanent,
                "unknown": is_unknown,
            }
        return {**came, "duration_seconds": clock.monotonic() - began}

    async def _channel(self, name: str) -> Channel[Any]:
        on, named = self._core.channels.channels, self._core.config.channels
        if name in on:
            return on[name]
        if name in named:
            hint = f"[channels.{name}] lacks something, or says enabled = false"
            raise BadInput(f"channel: {name} is off", hint=hint)
        kinds = await asyncio.to_thread(plugins.find, "syncd.channels")
        if name in kinds:
            hint = f"config.toml has no [channels.{name}]"
            raise BadInput(f"channel: {name} is off", hint=hint)
        near = suggestion(name, kinds)
        known = ", ".join(on) or "none"
        raise NotKnown(f"there is no channel {name!r}{near}", hint=f"channels that are on: {known}")

    def _sample(self, channel: str, address: str) -> Message:
        """Return a reminder that nobody takes for a real one."""
        now = self._core.clock.now()
        starts_at = now.replace(second=0, microsecond=0) + timedelta(hours=1)
        notice = ContestNotice(
            platform="syncd",
            name=_SAMPLE,
            url="",
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=2),
        )
        return Message(
            key=f"sample:{channel}:{now.timestamp()}",
            occasion=Occasion.REMINDER,
            channel=channel,
            address=address,
            contests=[notice],
            lead_hours=1,
            expires_at=starts_at,
        )


def _given(address: str) -> Any:
    """Return an address as it was meant: a subscription of Web Push is written as JSON."""
    if not address.startswith("{"):
        return address
    try:
        return json.loads(address)
    except ValueError:
        raise ValueError("begins with a brace and is no JSON") from None
