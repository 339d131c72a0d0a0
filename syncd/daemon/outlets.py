"""The platforms as they are asked now; a reload changes them while runs go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Self, cast

from syncd import plugins
from syncd.clock import Clock
from syncd.config.models import PlatformSettings
from syncd.outbound.client import PlatformClient
from syncd.platforms.base import Platform
from syncd.telemetry.bus import Bus

Settings = Mapping[str, PlatformSettings]


class Outlets:
    """Owns every way out; an async context manager.

    `platforms` stays the same mapping. Whoever took a platform out of it before a change goes on
    with that to its end: its clients close once nothing is under way.

    Args:
        settings: every platform of config.toml.
        clock: where time comes from.
        bus: where clients tell what happens.

    Raises:
        ConfigError: a credential or an address cannot be used.
    """

    def __init__(self, settings: Settings, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus
        self._random = Random()  # noqa: S311 - jitter, no secret
        self.platforms: dict[str, Sequence[Platform]] = self.prepare({}, settings)

    async def __aenter__(self) -> Self:
        for client in clients_among(self.platforms.values()):
            client.connection.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in clients_among(self.platforms.values()):
            await client.connection.retire()

    def all(self) -> Sequence[Platform]:
        """Return every platform, once for each credential."""
        return [platform for each in self.platforms.values() for platform in each]

    def prepare(self, old: Settings, new: Settings) -> dict[str, Sequence[Platform]]:
        """Build the platforms whose settings are others in `new`; nothing changes yet.

        Raises:
            ConfigError: a credential or an address cannot be used.
        """
        return {
            name: cast("type[Platform]", plugins.load("syncd.platforms", name)).connect(
                name, settings, clock=self._clock, bus=self._bus, random=self._random
            )
            for name, settings in new.items()
            if settings != old.get(name)
        }

    async def switch(self, prepared: Mapping[str, Sequence[Platform]]) -> None:
        """Ask by these from now on.

        One that asks the same address with the same credential as before keeps all that is known
        of it: only its limits change, also for requests that wait already.
        """
        left: list[PlatformClient] = []
        for name, platforms in prepared.items():
            before = self.platforms.get(name, ())
            for platform in platforms:
                _take_over(platform, before)
            for client in clients_among([platforms]):
                client.connection.open()
            left += clients_among([before])
            self.platforms[name] = platforms
        for client in left:
            await client.connection.retire()


def clients_among(platforms: Iterable[Sequence[Platform]]) -> Sequence[PlatformClient]:
    """List the ways out of platforms; several credentials share a companion."""
    clients = [client for each in platforms for platform in each for client in platform.clients]
    return list(dict.fromkeys(clients))


def _take_over(platform: Platform, before: Sequence[Platform]) -> None:
    for old in before:
        if platform.client.take_over(old.client):
            platform.lane, platform.oddity = old.lane, old.oddity
    for key, client in platform.companion.items():
        if before and key in before[0].companion:
            client.take_over(before[0].companion[key])
