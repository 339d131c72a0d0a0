"""The channels by which people are reached now; a reload changes them while deliveries go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, cast

from syncd import plugins
from syncd.channels.base import Channel
from syncd.channels.wording import Wording
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.config.models import Config
from syncd.daemon.links import Links
from syncd.jobs.base import Surroundings
from syncd.telemetry.bus import Bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a configuration needs that is not there yet."""

    config: Config
    wording: Wording
    links: Links
    channels: Mapping[str, Channel[Any]]


class Channels:
    """Owns every channel that is on; an async context manager.

    `channels` stays the same mapping. Whoever took a channel out of it before a change goes on
    with that one to the end of the delivery: it closes once nothing is under way.

    Args:
        config: config.toml as it was applied first.
        clock: where time comes from.
        bus: where channels tell what happens.

    Raises:
        ConfigError: a template cannot be used.
    """

    def __init__(self, config: Config, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus
        self._config = config
        self._links = Links(config.notify)
        self._words = self._wording(config)
        self.channels: dict[str, Channel[Any]] = self._built(config, {}, self._words)

    async def __aenter__(self) -> Self:
        """Make ready every channel, and the key of links where there are any."""
        await asyncio.to_thread(self._links.open)
        if self.channels:
            await asyncio.to_thread(self._words.load)
        async with contextlib.AsyncExitStack() as opened:
            for channel in self.channels.values():
                await opened.enter_async_context(channel)
            opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self.channels.values():
            await channel.__aexit__(None, None, None)

    def join(self, around: Surroundings) -> Surroundings:
        """Return what runs share, with the channels in it."""
        return replace(around, channels=self.channels, unsubscribe=self.link, only_to=self.only_to)

    @property
    def links(self) -> Links:
        """Return what makes links, and reads them."""
        return self._links

    def link(self, user: str, channel: str) -> str:
        """Return the link by which a user ends a channel; nothing where users cannot reach us."""
        return self._links.link(user, channel)

    def only_to(self) -> Collection[str]:
        """Return to whom alone may be written; nothing: to everybody."""
        return frozenset(self._config.notify.only_to)

    async def prepare(self, new: Config) -> Prepared:
        """Build what is another in `new`; nothing changes yet.

        Raises:
            ConfigError: a template cannot be used, or the key of links not be read or made.
        """
        links = Links(new.notify)
        await asyncio.to_thread(links.open)
        wording = await asyncio.to_thread(self._wording, new)
        await asyncio.to_thread(wording.load)
        channels = self._built(new, self._config.channels, wording)
        return Prepared(config=new, wording=wording, links=links, channels=channels)

    async def switch(self, prepared: Prepared) -> None:
        """Write by these, in these words, and by no channel that is gone, from now on."""
        self._config, self._links = prepared.config, prepared.links
        on = {name for name, settings in prepared.config.channels.items() if settings.is_on}
        left = [self.channels.pop(name) for name in [*self.channels] if name not in on]
        for channel in self.channels.values():
            channel.wording = prepared.wording
        for name, channel in prepared.channels.items():
            await channel.__aenter__()
            left += [self.channels[name]] if name in self.channels else []
            self.channels[name] = channel
        for channel in left:
            await channel.__aexit__(None, None, None)

    def _wording(self, config: Config) -> Wording:
        return Wording(self._clock, self._bus, folder=config.notify.templates)

    def _built(
        self, new: Config, known: Mapping[str, ChannelSettings], wording: Wording
    ) -> dict[str, Channel[Any]]:
        built: dict[str, Channel[Any]] = {}
        for name, settings in new.channels.items():
            if settings.is_on and settings != known.get(name):
                kind = cast("type[Channel[Any]]", plugins.load("syncd.channels", name))
                channel = kind(name, settings, clock=self._clock, bus=self._bus)
                channel.wording = wording
                built[name] = channel
        return built
