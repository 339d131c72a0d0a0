"""A platform that can be asked about many at once, and answers that as a test decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from fakes.running import ScriptedPlatform

from syncd.clock import Clock
from syncd.model.account import Account, AccountId, SweepMark
from syncd.model.sweep import Swept
from syncd.telemetry.bus import Bus

Sweeping = Callable[[Sequence[Account]], Awaitable[Swept]]


def numbered(count: int) -> list[Account]:
    """Accounts 1 to `count`, each of which a sweep can be asked about."""
    return [
        Account(
            id=AccountId(number),
            user_key=f"u{number}",
            platform="play",
            handle=f"h{number}",
            mark=SweepMark(key=f"k{number}", digest=b"old"),
        )
        for number in range(1, count + 1)
    ]


def all_of(accounts: Sequence[Account]) -> Swept:
    """Everybody is told of."""
    return Swept(digests={account.id: b"new" for account in accounts})


class SweepingPlatform(ScriptedPlatform):
    """Tells of a hundred at once, as `sweeping` says; `sizes` are those of the questions so far."""

    sweep_size: ClassVar[int] = 100

    def __init__(self, clock: Clock, bus: Bus) -> None:
        super().__init__(clock, bus)
        self.sizes: list[int] = []
        self.sweeping: Sweeping

    async def sweep(self, accounts: Sequence[Account]) -> Swept:
        self.sizes.append(len(accounts))
        return await self.sweeping(accounts)
