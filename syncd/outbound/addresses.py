"""Where we may connect to: public addresses, unless the operator says otherwise."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from syncd.config.addresses import is_public
from syncd.errors import PlatformError

HINT = "set allow_private = true if this address is meant"


class PublicResolver(AbstractResolver):
    """Look hosts up and keep their public addresses only.

    The addresses returned are the ones connected to, so a name cannot mean something else later.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the public addresses of `host`.

        Raises:
            PlatformError: it has others only.
        """
        found = await self._inner.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise PlatformError(f"{host} has no public address", hint=HINT)
        return public

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
