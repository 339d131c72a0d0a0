"""The six coding platforms as stand-ins, with the same people on all of them.

Limits are everywhere the same number of times wider than what is documented and configured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fakes.daemon_config import Tables
from fakes.platform_worlds import FOUND, STANDINS

from syncd.sandbox.base import StandIn
from syncd.sandbox.server import serve

SITES = ("leetcode", "codeforces", "codechef", "atcoder", "hackerrank", "geeksforgeeks")
MAIN, BACKUP = "profiles-main", "profiles-backup"

_SEED = 7
_LINKED_AT_ONCE = 2_000


class CodingSites:
    """Serves as many people on each of the six; the user of index 7 has the key `u7`.

    Of a hundred people two can be renamed, one can vanish and ten can get better; who that is
    `renamed`, `vanished` and `better` tell.

    Args:
        users: how many people there are.
        scale: how many times faster than documented everybody may be asked for.
    """

    def __init__(self, users: int, *, scale: float) -> None:
        self.people = range(users)
        self.renamed = frozenset(self.people[7::50])
        self.vanished = frozenset(self.people[13::100])
        self.better = frozenset(self.people[1::10])
        self.standins: Mapping[str, StandIn] = {
            name: STANDINS[name].make(_SEED, users, scale=scale) for name in SITES
        }
        self._scale = scale
        self._urls: dict[str, str] = {}

    def __getitem__(self, name: str) -> StandIn:
        return self.standins[name]

    def tables(self) -> Tables:
        """Return the six and both jobs as config.toml has them shipped, fired by nothing."""
        return {
            **{f"platforms.{name}": self._platform(name) for name in SITES},
            f"jobs.{MAIN}": _job(claim=5, fresh_for="6h"),
            f"jobs.{BACKUP}": _job(claim=10, fresh_for="20h", mode="catch_up"),
        }

    def linked(self) -> Iterable[list[dict[str, Any]]]:
        """Yield everybody for `/api/users/import`, each with an account on all six."""
        for start in range(0, len(self.people), _LINKED_AT_ONCE):
            yield [
                {
                    "key": f"u{index}",
                    "accounts": {name: self[name].handle_of(index) for name in SITES},
                }
                for index in self.people[start : start + _LINKED_AT_ONCE]
            ]

    def move_on(self) -> None:
        """Let happen to people what happens in a day: a tenth gets better, a few move or leave."""
        for name in SITES:
            changes = self[name].changes()
            for index in self.better:
                changes["change"](index)
            for index in self.renamed:
                changes["rename"](index, f"renamed{index}")
            for index in self.vanished:
                changes["vanish"](index)

    def lost(self, name: str) -> frozenset[int]:
        """Return who is not found any more: on some sites also who took another name."""
        return self.vanished if self[name].follows_renames else self.vanished | self.renamed

    def fetches(self, name: str) -> dict[int, int]:
        """Return how often each was asked for since the counters were cleared."""
        counters = self[name].counters
        return {index: times for index in self.people if (times := counters.fetches(index))}

    def clear_counters(self) -> None:
        for name in SITES:
            self[name].counters.clear()

    def refused(self) -> dict[str, int]:
        """Return how many requests were too many for a site's own limits, where there were any."""
        counted = {name: self[name].counters.refused.total() for name in SITES}
        return {name: times for name, times in counted.items() if times}

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve the sites here as long as the context lasts."""
        async with AsyncExitStack() as stack:
            for name in SITES:
                self._urls[name] = await stack.enter_async_context(serve(self[name]))
            yield

    def _platform(self, name: str) -> dict[str, Any]:
        rate = FOUND[name].defaults.rate
        assert rate is not None
        return {
            **self[name].addresses(self._urls[name]),
            "allow_private": True,
            "rate": f"{rate.per_second * self._scale:.0f}/s",
            "timeout": "10s",
        }


def _job(**options: Any) -> dict[str, Any]:
    return {"kind": "profiles", "platforms": list(SITES), **options}
