"""Codeforces' API for users and contests, and the pages that tell who took another handle.

https://codeforces.com/apiHelp; answers in the shapes recorded in 2024 and 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.calendar import SERIES, Event, Series
from syncd.sandbox.draw import Draw
from syncd.sandbox.faults import HTML, Fault, instead, rewritten
from syncd.sandbox.players import Player
from syncd.sandbox.service import Service, page, told

LIMITED = '{"status":"FAILED","comment":"Call limit exceeded"}'
COOKIE_PAGE = (
    "<html><body>Redirecting... Please, wait."
    '<script type="text/javascript" src="/aes.min.js"></script><script>'
    'var a=toNumbers("e9"),b=toNumbers("18"),c=toNumbers("8a");'
    'document.cookie="RCPC="+toHex(slowAES.decrypt(c,2,a,b))+"; path=/";'
    "</script></body></html>"
)
BANNED = "<html><body>The page is temporarily blocked by administrator.</body></html>"
RANKS = (
    (1200, "newbie", "новичок"),
    (1400, "pupil", "ученик"),
    (1600, "specialist", "специалист"),
    (1900, "expert", "эксперт"),
    (2100, "candidate master", "кандидат в мастера"),
    (2400, "master", "мастер"),
    (9999, "legendary grandmaster", "легендарный гроссмейстер"),
)
CITIES = (("Saratov", "Саратов"), ("Minsk", "Минск"), ("Kolkata", "Калькутта"))
API = "/api/*"
_NEVER_TESTED = frozenset({"1007", "1011"})


def _first_row(changes: Mapping[str, Any]) -> Fault:
    def change(body: dict[str, Any]) -> dict[str, Any]:
        rows = body.get("result") or [{}]
        return {**body, "result": [{**rows[0], **changes}, *rows[1:]]}

    return rewritten(change)


class CodeforcesStandIn(Service):
    """Serves `/api/user.info`, `/api/contest.list` and `/profile/{handle}`.

    Who took another handle is found by no former one, but their old page leads to the new one.
    """

    # "API may be requested at most 1 time per two seconds."
    documented: ClassVar[Documented] = Documented(requests_a_minute=30, requests_at_a_time=1)
    is_cased: ClassVar[bool] = True
    follows_renames: ClassVar[bool] = True
    announces_contests: ClassVar[bool] = True
    series: ClassVar[Sequence[Series]] = SERIES["codeforces"]
    somebody_else: ClassVar[Fault] = _first_row({"handle": "SomebodyElse"})
    odd_answers: ClassVar[Mapping[str, Odd]] = MappingProxyType(
        {
            "call_limit_200": Odd(instead(LIMITED, status=200), "rate_limited"),
            "call_limit_400": Odd(instead(LIMITED, status=400), "rate_limited"),
            "call_limit_403": Odd(instead(LIMITED, status=403), "rate_limited"),
            "call_limit_503": Odd(instead(LIMITED, status=503), "rate_limited"),
            "call_limit_in_words": Odd(
                instead("Call limit exceeded", status=403, content_type="text/plain"),
                "rate_limited",
            ),
            "cookie_page": Odd(instead(COOKIE_PAGE, content_type=HTML), "blocked"),
            "banned": Odd(instead(BANNED, content_type=HTML), "blocked"),
            "forbidden": Odd(
                instead("Forbidden", status=403, content_type="text/plain"), "blocked"
            ),
            "site_page": Odd(
                instead("<html><title>Main - Codeforces</title></html>", content_type=HTML),
                "blocked",
                API,
            ),
            "disabled_method": Odd(
                instead("<html><h1>404</h1></html>", status=404, content_type=HTML), "blocked"
            ),
            "failed_otherwise": Odd(
                instead('{"status":"FAILED","comment":"handles: Incorrect"}', status=400),
                "schema_error",
                API,
            ),
            "nobody_told": Odd(instead('{"status":"OK","result":[]}'), "schema_error", API),
            "rating_in_words": Odd(_first_row({"rating": "1500"}), "schema_error", API),
            "no_handle": Odd(_first_row({"handle": None}), "schema_error", API),
        }
    )

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a call, or show the page of somebody."""
        del body
        if request.path == "/api/user.info":
            return self._users(request)
        if request.path == "/api/contest.list":
            return self._contests(is_english=request.rel_url.query.get("lang") == "en")
        if request.path.startswith("/profile/"):
            return self._profile_page(request.path.removeprefix("/profile/"))
        return page("<html><h1>404</h1></html>", 404)

    def refuse(self) -> Answer:
        """Refuse with the words of its documentation, under one status or another."""
        status = (400, 403, 503, 200)[self.counters.requests % 4]
        return told({"status": "FAILED", "comment": "Call limit exceeded"}, status)

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now."""
        player = self.players.player(index)
        return {
            "external_id": player.handle.lower(),
            "handle": player.handle,
            "rating": _rating(player),
            "solved": None,
        }

    def listed(self) -> Sequence[Event]:
        """Return all there ever were and all to come, the last first."""
        return self.calendar.events()[::-1]

    def _contests(self, *, is_english: bool) -> Answer:
        now = self.calendar.now()
        rows = [_told(each, now, is_english=is_english) for each in self.listed()]
        return told({"status": "OK", "result": rows})

    def _users(self, request: web.BaseRequest) -> Answer:
        query = request.rel_url.query
        rows = []
        for handle in query.get("handles", "").strip(";").split(";"):
            index = self.players.find(handle)
            if index is None:
                comment = f"handles: User with handle {handle} not found"
                return told({"status": "FAILED", "comment": comment}, 400)
            self.counters.count_fetch(index)
            rows.append(self._row(index, is_english=query.get("lang") == "en"))
        return told({"status": "OK", "result": rows})

    def _profile_page(self, handle: str) -> Answer:
        index, former = self.players.find(handle), self.players.find_former(handle)
        if index is not None:
            name = self.players.handle(index)
            return page(f"<html><head><title>{name} - Codeforces</title></head></html>")
        to = "/" if former is None else f"/profile/{self.players.handle(former)}"
        return page("", 302, {"Location": to})

    def _row(self, index: int, *, is_english: bool) -> dict[str, Any]:
        player, draw = self.players.player(index), Draw(self.players.seed, "codeforces", index)
        rating, row = _rating(player), dict[str, Any]()
        if draw.happens(0.3):
            row |= {"firstName": "Ada", "lastName": f"Number {index}"}
        if draw.happens(0.3):
            row["city"] = draw.pick(CITIES)[not is_english]
        if draw.happens(0.1):
            row |= {"email": f"user{index}@example.invalid", "vkId": f"id{index}"}
        row |= {
            "contribution": player.moves,
            "lastOnlineTimeSeconds": int(player.joined.timestamp()) + self.counters.requests,
            "organization": "",
            "friendOfCount": 17 + self.counters.requests % 5,
            "handle": player.handle,
            "avatar": "https://userpic.codeforces.org/no-avatar.jpg",
            "titlePhoto": _photo(player, draw),
            "registrationTimeSeconds": int(player.joined.timestamp()),
        }
        if rating is not None:
            rank = _rank(rating, is_english=is_english)
            row |= {"rating": rating, "maxRating": rating + 40, "rank": rank, "maxRank": rank}
        return row


def _told(event: Event, now: datetime, *, is_english: bool) -> dict[str, Any]:
    return {
        "id": int(event.id),
        # Without a language some names come in Russian.
        "name": event.name if is_english else event.name.replace("Round", "Раунд"),
        "type": event.kind or "CF",
        "phase": _phase(event, now),
        "frozen": False,
        "durationSeconds": event.seconds,
        **_times(event, now),
    }


def _times(event: Event, now: datetime) -> dict[str, int]:
    if event.starts_at is None:
        return {}
    passed = int((now - event.starts_at).total_seconds())
    return {"startTimeSeconds": int(event.starts_at.timestamp()), "relativeTimeSeconds": passed}


def _phase(event: Event, now: datetime) -> str:
    if event.starts_at is None or event.starts_at > now:
        return "BEFORE"
    if event.ends_at > now:
        return "CODING"
    # Of a few the system test never ended.
    return "PENDING_SYSTEM_TEST" if event.id in _NEVER_TESTED else "FINISHED"


def _rating(player: Player) -> int | None:
    rating = player.rating(-45, 3900)
    return None if rating is None else round(rating)


def _rank(rating: int, *, is_english: bool) -> str:
    return next(names[not is_english] for limit, *names in RANKS if rating < limit)


def _photo(player: Player, draw: Draw) -> str:
    if draw.happens(0.5):
        return "https://userpic.codeforces.org/no-title.jpg"
    return f"https://userpic.codeforces.org/{player.number}/title/27e43714e4bea090.jpg"
