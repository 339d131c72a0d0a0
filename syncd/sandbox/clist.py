"""clist.by's list of contests, in the rows of its API v4.

https://clist.by/api/v4/doc/; rows as recorded in 2025 and 2026, in the envelope that its callers
read. It knows the contests of four platforms, and of others that nobody here follows. Who is no
user is refused; ten requests a minute are what its users tell of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.calendar import SERIES, Calendar, Event
from syncd.sandbox.faults import Fault, html, instead
from syncd.sandbox.players import Players
from syncd.sandbox.service import Service, told

CONTESTS = "/api/v4/contest/"
KEY = re.compile(r"ApiKey (\S+)")
# What it calls each platform, its number there, and where a contest is.
RESOURCES: Mapping[str, tuple[str, int, str]] = MappingProxyType({
    "codeforces": ("codeforces.com", 1, "https://codeforces.com/contests/{}"),
    "leetcode": ("leetcode.com", 102, "https://leetcode.com/contest/{}"),
    "codechef": ("codechef.com", 2, "https://www.codechef.com/{}"),
    "atcoder": ("atcoder.jp", 93, "https://atcoder.jp/contests/{}"),
})  # fmt: skip
ELSEWHERE = {
    "duration": 189_388_800,
    "end": "2031-12-31T22:00:00",
    "event": "HOT • Practice",
    "host": "algotester.com",
    "href": "https://algotester.com/en/Contest/Display/60416",
    "id": 39_813_412,
    "n_problems": 16,
    "n_statistics": 89,
    "parsed_at": None,
    "problems": None,
    "resource": "algotester.com",
    "resource_id": 132,
    "start": "2019-12-31T22:00:00",
}


class ClistStandIn(Service):
    """Serves `GET /api/v4/contest/`.

    Each platform has a calendar of its own in `calendars`, which may be replaced by that of the
    platform's own stand-in; changes of contests are made there, `calendar` is that of Codeforces.
    """

    documented: ClassVar[Documented] = Documented(requests_a_minute=10, requests_at_a_time=2)
    takes_credentials: ClassVar[bool] = True
    announces_contests: ClassVar[bool] = True
    odd_answers: ClassVar[Mapping[str, Odd]] = MappingProxyType({
        "challenge": Odd(html(), "blocked"),
        "no objects": Odd(instead('{"meta":{}}'), "schema_error"),
        "down": Odd(instead("Bad Gateway", status=502, content_type="text/plain"), "transient"),
    })  # fmt: skip
    somebody_else: ClassVar[Fault] = staticmethod(lambda answer: answer)

    def __init__(self, population: Players, **options: Any) -> None:
        super().__init__(population, **options)
        self._revoked: set[str] = set()
        self.calendars: dict[str, Calendar] = {
            name: Calendar(population.seed, SERIES[name], self._clock) for name in RESOURCES
        }
        self.calendar = self.calendars["codeforces"]

    def changes(self) -> Mapping[str, Callable[..., Any]]:
        """Return what can be done to the contests, and to who asks."""
        return {**super().changes(), "revoke": self._revoked.add}

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a request that is within the limits."""
        del body
        found = KEY.fullmatch(request.headers.get("Authorization", ""))
        if found is None or found[1] in self._revoked:
            return told({"detail": "Authentication credentials were not provided."}, 401)
        if (request.method, request.path) != ("GET", CONTESTS):
            return told({"error_message": "Not Found"}, 404)
        query = request.rel_url.query
        wanted = re.compile(query.get("resource__regex", ""))
        rows = [row for row in self._rows() if wanted.search(row["resource"])]
        limit = int(query.get("limit", "100"))
        more = f"{CONTESTS}?limit={limit}&offset={limit}" if len(rows) > limit else None
        meta = {"limit": limit, "next": more, "offset": 0, "previous": None, "total_count": None}
        return told({"meta": meta, "objects": rows[:limit]})

    def refuse(self) -> Answer:
        """Refuse a request that exceeds a limit."""
        return told({"error_message": "Too many requests"}, 429)

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return nothing: it knows nobody."""
        del index
        return {}

    def listed(self) -> Sequence[Event]:
        """Return what runs and what is to come, on all four."""
        return [event for name in RESOURCES for event in self._shown(name)]

    def _shown(self, platform: str) -> Sequence[Event]:
        calendar = self.calendars[platform]
        return [*calendar.running(), *calendar.to_come()]

    def _rows(self) -> list[dict[str, Any]]:
        rows = [_row(name, event) for name in RESOURCES for event in self._shown(name)]
        return sorted([ELSEWHERE, *rows], key=lambda row: str(row["start"]))


def _row(platform: str, event: Event) -> dict[str, Any]:
    assert event.starts_at is not None, "what has no start is not listed"
    host, number, address = RESOURCES[platform]
    return {
        "duration": event.seconds,
        "end": f"{event.ends_at:%Y-%m-%dT%H:%M:%S}",
        "event": event.name,
        "host": host,
        "href": address.format(event.id),
        "id": 60_000_000 + sum(event.id.encode()),
        "n_problems": None,
        "n_statistics": None,
        "parsed_at": None,
        "problems": None,
        "resource": host,
        "resource_id": number,
        "start": f"{event.starts_at:%Y-%m-%dT%H:%M:%S}",
    }
