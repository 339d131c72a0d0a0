"""AtCoder's contests and their histories, pages of users, and AtCoder Problems at `/kenkoooo`.

The rows of the history and the counts of AtCoder Problems have the keys and types of recorded ones;
no page of a user was recorded, it has the link that its readers rely on. A user who does not exist
has an empty history like one who never took part, and zeros at AtCoder Problems; only the page is a
true 404. Another spelling of a handle has no history, but a page, whose link spells it right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.atcoder_contests import contests_page, listed_on_page
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.calendar import SERIES, Event, Series
from syncd.sandbox.draw import Draw
from syncd.sandbox.faults import Fault, html, instead, redirect, with_values, without_keys
from syncd.sandbox.players import Player
from syncd.sandbox.service import Service, page, told

KENKOOOO = "/kenkoooo"
USER_INFO = f"{KENKOOOO}/atcoder-api/v3/user_info"
USER = re.compile(r"/users/([^/]+)(/history/json)?")
JAPAN = timezone(timedelta(hours=9))
FIRST_CONTEST = datetime(2016, 9, 11, 22, 40, tzinfo=JAPAN)

PAGE = """<!DOCTYPE html>
<html>
<head><title>{title} - AtCoder</title><meta http-equiv="Content-Language" content="ja"></head>
<body>
<nav class="navbar"><a class="navbar-brand" href="/home"></a><a href="/login">Sign In</a></nav>
<div id="main-container" class="container">{body}</div>
</body>
</html>
"""
PROFILE = """<h3><b>{kyu} Kyu</b><br><img src="//img.atcoder.jp/assets/flag32/JP.png">
<a href="/users/{handle}" class="username"><span class="user-gray">{handle}</span></a></h3>
<table class="dl-table"><tr><th class="no-break">Rated Matches</th><td>{contests}</td></tr></table>
<script>var rating_history=[];</script>"""

HISTORY = "/users/*/history/json"
LOGIN = PAGE.format(title="Sign In", body="<h2>Sign In</h2>")
ODD: Mapping[str, Odd] = MappingProxyType({
    "challenge": Odd(fault=html(), outcome="blocked"),
    "challenge with 200": Odd(fault=html(200), outcome="blocked"),
    "page for JSON": Odd(fault=instead(LOGIN, content_type="text/html"), outcome="blocked",
                         path=HISTORY),
    "unavailable": Odd(fault=instead(PAGE.format(title="503", body=""), status=503,
                                     content_type="text/html"), outcome="transient"),
    "too many": Odd(fault=instead("Too Many Requests", status=429, content_type="text/plain"),
                    outcome="rate_limited"),
    "login": Odd(fault=redirect("/login"), outcome="schema_error", path=HISTORY),
    "null": Odd(fault=instead("null"), outcome="schema_error"),
    "object for a list": Odd(fault=instead("{}"), outcome="schema_error", path=HISTORY),
    "rows of text": Odd(fault=instead('["abc"]'), outcome="schema_error", path=HISTORY),
    "row without its mark": Odd(fault=instead('[{"NewRating":7}]'), outcome="schema_error",
                                path=HISTORY),
    "rating as text": Odd(
        fault=instead('[{"IsRated":true,"NewRating":"7","EndTime":"2017-05-27T22:50:00+09:00"}]'),
        outcome="schema_error", path=HISTORY),
    "no count": Odd(fault=without_keys("accepted_count"), outcome="schema_error", path=USER_INFO),
    "count as text": Odd(fault=with_values({"accepted_count": "7"}), outcome="schema_error",
                         path=USER_INFO),
    "companion missing": Odd(fault=instead("{}", status=404), outcome="schema_error",
                             path=USER_INFO),
    "companion down": Odd(fault=instead("Bad Gateway", status=502, content_type="text/plain"),
                          outcome="transient", path=USER_INFO),
    "companion blocked": Odd(fault=html(), outcome="blocked", path=USER_INFO),
})  # fmt: skip


class AtCoderStandIn(Service):
    """Serves `/users/{handle}`, its `/history/json`, `/contests/`, and AtCoder Problems' users."""

    # Both ask for a second between two requests; each counts for itself.
    documented: ClassVar[Documented] = Documented(requests_a_minute=60, requests_at_a_time=3)
    odd_answers: ClassVar[Mapping[str, Odd]] = ODD
    # The history names nobody; AtCoder Problems says for whom it answers.
    somebody_else: ClassVar[Fault] = staticmethod(with_values({"user_id": "somebodyelse"}))
    is_cased: ClassVar[bool] = True
    announces_contests: ClassVar[bool] = True
    series: ClassVar[Sequence[Series]] = SERIES["atcoder"]

    def addresses(self, base_url: str) -> Mapping[str, Any]:
        """Return the settings that lead a caller here, who is served at `base_url`."""
        return {"base_url": base_url, "urls": {"problems": base_url + KENKOOOO}}

    def host_of(self, path: str) -> str:
        """Tell the two services apart."""
        return KENKOOOO if path.startswith(KENKOOOO) else ""

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a request that is within the limits."""
        del body
        if request.path == USER_INFO:
            return self._user_info(request.query.get("user", ""))
        if request.path == "/contests/":
            return contests_page(self.calendar, request.rel_url.query.get("lang", "ja"))
        match = USER.fullmatch(request.path)
        if match is None:
            return _not_found()
        return self._history(match[1]) if match[2] else self._page(match[1])

    def refuse(self) -> Answer:
        """Refuse a request that exceeds a limit: 429 without a word about how long."""
        return Answer(status=429, headers={"Content-Type": "text/plain"}, body=b"Too Many Requests")

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now, by the names of a profile's fields."""
        player = self.players.player(index)
        rating = _rating(player)
        return {
            "external_id": player.handle.lower(),
            "handle": player.handle,
            "rating": None if rating is None else float(rating),
            "solved": player.solved or None,
        }

    def listed(self) -> Sequence[Event]:
        """Return what the page of contests shows."""
        return listed_on_page(self.calendar)

    def _history(self, handle: str) -> Answer:
        index = self.players.find(handle)
        if index is None or self.players.handle(index) != handle:
            return told([])
        self.count_fetch(index)
        return told(self._rows(self.players.player(index)))

    def _page(self, handle: str) -> Answer:
        index = self.players.find(handle)
        if index is None:
            return _not_found()
        player = self.players.player(index)
        body = PROFILE.format(kyu=9, handle=player.handle, contests=player.contests)
        return page(PAGE.format(title=player.handle, body=body))

    def _user_info(self, handle: str) -> Answer:
        index = self.players.find(handle)
        solved = 0 if index is None else self.players.player(index).solved
        return told({
            "user_id": handle,
            "accepted_count": solved,
            "accepted_count_rank": 100_000 // (1 + solved) if solved else 0,
            # Whole in one version of the service, with a point in another.
            "rated_point_sum": float(300 * solved) if solved % 2 else 300 * solved,
            "rated_point_sum_rank": 90_000 // (1 + solved) if solved else 0,
        })  # fmt: skip

    def _rows(self, player: Player) -> list[dict[str, Any]]:
        """Return the contests, oldest first; who is not rated may have taken part all the same."""
        draw = Draw(self.players.seed, "history", player.index)
        newest = _rating(player)
        places = range(player.contests if newest is not None else draw.below(3))
        rows: list[dict[str, Any]] = []
        before = 0
        for place in places:
            is_last = place == player.contests - 1
            after = before if newest is None else newest if is_last else draw.below(2_800)
            rows.append(_row(place, before, after, is_rated=newest is not None))
            before = after
        if rows and draw.happens(0.3):
            rows.append(_row(len(rows), before, before, is_rated=False))
        return rows


def _row(place: int, before: int, after: int, *, is_rated: bool) -> dict[str, Any]:
    name = f"arc{61 + place:03}"
    return {
        "IsRated": is_rated,
        "Place": 1 + 37 * place,
        "OldRating": before,
        "NewRating": after,
        "Performance": after + 200,
        "InnerPerformance": after + 200,
        "ContestScreenName": f"{name}.contest.atcoder.jp" if place % 2 else name,
        "ContestName": f"AtCoder Regular Contest {61 + place:03}",
        "ContestNameEn": "",
        "EndTime": (FIRST_CONTEST + timedelta(days=14 * place)).isoformat(),
    }


def _rating(player: Player) -> int | None:
    rating = player.rating(1, 2_800)
    return None if rating is None else round(rating)


def _not_found() -> Answer:
    return page(PAGE.format(title="404 Not Found", body="<h2>404 Not Found</h2>"), 404)
