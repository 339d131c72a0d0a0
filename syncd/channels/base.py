"""The contract of a channel: one subclass per file, named like the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Self, TypeVar

from syncd.channels.wording import Wording
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.model.notification import Message, Receipt, UnknownPolicy
from syncd.telemetry.bus import Bus

SettingsT = TypeVar("SettingsT", bound=ChannelSettings)


class Channel(ABC, Generic[SettingsT]):
    """A way to reach a person; an async context manager, entered while syncd runs.

    Args:
        name: the channel's name in config.toml.
        settings: its own table, validated.
        clock, bus: as everywhere.

    `wording` says what is sent; the daemon puts in its place the one with a site's own templates.
    """

    Settings: ClassVar[type[ChannelSettings]]
    """The pydantic model (frozen, extra forbidden) of [channels.NAME]."""

    on_unknown: ClassVar[UnknownPolicy] = UnknownPolicy.HOLD
    """What becomes of a delivery nobody knows about, where config.toml says nothing."""

    dead_at_once: ClassVar[bool] = True
    """Whether an address that is said to be gone is given up at once; else on the third day."""

    def __init__(self, name: str, settings: SettingsT, *, clock: Clock, bus: Bus) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.bus = bus
        self.wording = Wording(clock, bus)

    async def __aenter__(self) -> Self:
        """Make ready what deliveries share; nothing is asked yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is open, once nothing is under way: a reload leaves a channel that sends."""

    @classmethod
    @abstractmethod
    def parse_address(cls, address: Any) -> str:
        """Return an address as it is stored; equal ones are written alike.

        Args:
            address: text, or the table of a Web Push subscription.

        Raises:
            ValueError: it is of another kind; one sentence without the address itself.
        """

    @classmethod
    def parse_private_address(cls, address: Any) -> str:
        """Return an address as it is stored; with `allow_private` this one is asked.

        It may lie in our own network; otherwise it does what `parse_address` does.

        Raises:
            ValueError: as there.
        """
        return cls.parse_address(address)

    def stored_address(self, address: Any) -> str:
        """Return an address as it is stored, as far as our settings let us reach it.

        Raises:
            ValueError: as of `parse_address`.
        """
        parse = self.parse_private_address if self.settings.allow_private else self.parse_address
        return parse(address)

    @abstractmethod
    async def send(self, message: Message) -> Receipt:
        """Deliver one message, in one attempt.

        Raises:
            DeliveryError: it did not arrive.
            DeliveryUnknown: it left, and nobody knows whether it arrived.
        """
