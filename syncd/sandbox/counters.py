"""What a stand-in saw: the other side's account of how it was treated."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any


class Counters:
    """Counts since the start or the last `clear`.

    `most_in_a_second` and `most_in_a_minute` are the fullest windows any one credential ever had,
    wherever they began; `refused` counts the 403 and 429 that exceeding a limit provoked (scripted
    faults are not among them). `graphql` are those of the requests that were GraphQL calls, with
    the points they cost and the ids they asked for; `primary_used` counts REST alone.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.requests = 0
        self.primary_used = 0
        self.graphql = 0
        self.graphql_used = 0
        self.graphql_ids = 0
        self.unauthorised = 0
        self.most_in_flight = 0
        self.most_in_a_second = 0
        self.most_in_a_minute = 0
        self.by_status: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self._fetches = array("I")

    def count_arrival(self, in_flight: int, in_a_second: int, in_a_minute: int) -> None:
        """Remember how full it was when a request came."""
        self.most_in_flight = max(self.most_in_flight, in_flight)
        self.most_in_a_second = max(self.most_in_a_second, in_a_second)
        self.most_in_a_minute = max(self.most_in_a_minute, in_a_minute)

    @property
    def rest(self) -> int:
        """How many requests were REST."""
        return self.requests - self.graphql

    @property
    def quota_used(self) -> int:
        """What was taken of all primary limits."""
        return self.primary_used + self.graphql_used

    def count_fetch(self, index: int) -> None:
        """Remember that somebody was asked for; counted even if the answer then got lost."""
        if index >= len(self._fetches):
            self._fetches.extend([0] * (index + 1 - len(self._fetches)))
        self._fetches[index] += 1

    def fetches(self, index: int) -> int:
        """Tell how often a user was asked for, by login or by id."""
        return self._fetches[index] if index < len(self._fetches) else 0

    def fetched(self, at_least: int = 1) -> list[int]:
        """Name the indexes of all who were asked for at least so often."""
        return [index for index, times in enumerate(self._fetches) if times >= at_least]

    def as_json(self) -> dict[str, Any]:
        """Return everything but the single users; `users_by_fetches` groups those."""
        return {
            "requests": self.requests,
            "primary_used": self.primary_used,
            "graphql": self.graphql,
            "graphql_used": self.graphql_used,
            "graphql_ids": self.graphql_ids,
            "unauthorised": self.unauthorised,
            "most_in_flight": self.most_in_flight,
            "most_in_a_second": self.most_in_a_second,
            "most_in_a_minute": self.most_in_a_minute,
            "by_status": {str(status): times for status, times in self.by_status.items()},
            "refused": dict(self.refused),
            "users_by_fetches": {
                str(times): users for times, users in Counter(self._fetches).items() if times
            },
        }
