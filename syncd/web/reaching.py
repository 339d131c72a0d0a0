"""What the control port needs from the daemon about reaching people."""

from __future__ import annotations

from typing import Any, Protocol


class Reaching(Protocol):
    """Channels, and the links in what is sent over them."""

    def public_host(self) -> str:
        """Return the host under which users reach us, empty where they do not."""

    def linked_channel(self, link: str) -> str | None:
        """Name the channel that a link is about; None: it is not one of ours."""

    async def unsubscribe(self, link: str) -> str | None:
        """Write no more to whom a link is about, and name the channel; None: it is not ours."""

    async def test_channel(self, channel: str, address: str) -> dict[str, Any]:
        """Send a sample to an address, and return what came of it, good or bad.

        Raises:
            NotKnown: there is no such channel.
            BadInput: it is off, or the address is none of its kind.
        """
