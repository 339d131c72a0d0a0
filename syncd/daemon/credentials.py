"""Finds out whether the platforms accept our credentials, before a run has to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from syncd.clock import Clock
from syncd.errors import SyncdError
from syncd.platforms.base import Platform

_LOOK_AGAIN_SECONDS = 900.0


async def watch_credentials(platforms: Callable[[], Sequence[Platform]], clock: Clock) -> None:
    """Ask with every credential at first, then with those that are refused, for ever.

    The client of a platform remembers and tells that it is refused. A platform that cannot be
    reached says nothing about its credentials and holds nobody up.
    """
    known: Sequence[Platform] = ()
    while True:
        found = platforms()
        asked = [each for each in found if each not in known or each.refusal is not None]
        known = found
        async with asyncio.TaskGroup() as group:
            for platform in asked:
                group.create_task(_ask(platform))
        await clock.sleep(_LOOK_AGAIN_SECONDS)


async def _ask(platform: Platform) -> None:
    with contextlib.suppress(SyncdError):
        await platform.check_credential()
