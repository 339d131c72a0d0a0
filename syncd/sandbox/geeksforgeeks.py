"""GeeksforGeeks' address of profiles, in the shape of a recorded answer.

It tells neither the handle nor an id. An unknown user is refused in one of three ways, each with
its own words, and a renamed one is led on by one of two: a redirect, or what the site's pages make
of it. Who is asked for decides which.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.draw import Draw
from syncd.sandbox.faults import Fault, html, instead, redirect, with_values, without_keys
from syncd.sandbox.players import Player
from syncd.sandbox.service import Service, challenge, is_browser, told

PATH = "/api-get/user-profile-info/"
SITE = "https://www.geeksforgeeks.org"
UNKNOWN = (
    (400, "User not found!"),
    (404, "User not found"),
    (406, "Please enter valid User Details"),
)
MAINTENANCE = "<html><head><title>Under maintenance</title></head></html>"

ODD: Mapping[str, Odd] = MappingProxyType({
    "challenge": Odd(fault=html(), outcome="blocked"),
    "page for JSON": Odd(fault=instead(MAINTENANCE, content_type="text/html"), outcome="blocked"),
    "refusal": Odd(fault=instead("Forbidden", status=403, content_type="text/plain"),
                   outcome="blocked"),
    "foreign 404": Odd(fault=instead("no such host", status=404, content_type="text/plain"),
                       outcome="blocked"),
    "maintenance": Odd(fault=instead(MAINTENANCE, status=503, content_type="text/html"),
                       outcome="transient"),
    "too many": Odd(fault=instead('{"message":"Too many requests"}', status=429),
                    outcome="rate_limited"),
    "not found in other words": Odd(fault=instead('{"message":"Invalid request"}', status=400),
                                    outcome="schema_error"),
    "unauthorised words": Odd(fault=instead('{"message":"Method not allowed"}', status=405),
                              outcome="schema_error"),
    "no data": Odd(fault=with_values({"data": None}), outcome="schema_error"),
    "data as a list": Odd(fault=with_values({"data": []}), outcome="schema_error"),
    "empty data": Odd(fault=with_values({"data": {}}), outcome="schema_error"),
    "no key": Odd(fault=without_keys("data"), outcome="schema_error"),
    "redirect home": Odd(fault=redirect(f"{SITE}/"), outcome="schema_error"),
    "redirect in a circle": Odd(fault=redirect(f"{PATH}?handle=round"), outcome="schema_error"),
    "null": Odd(fault=instead("null"), outcome="schema_error"),
})  # fmt: skip


class GeeksForGeeksStandIn(Service):
    """Serves `/api-get/user-profile-info/?handle=`."""

    # Nobody publishes a limit; who reads it daily asks six times a second.
    documented: ClassVar[Documented] = Documented(requests_a_minute=120, requests_at_a_time=6)
    follows_renames: ClassVar[bool] = True
    tells_handle: ClassVar[bool] = False
    odd_answers: ClassVar[Mapping[str, Odd]] = ODD
    # An answer never says about whom it is: two people in one is all that could be noticed.
    somebody_else: ClassVar[Fault] = staticmethod(
        with_values({"data": [{"total_problems_solved": 1}, {"total_problems_solved": 2}]})
    )

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a request that is within the limits."""
        del body
        headers = request.headers
        is_site = headers.get("Origin") == SITE and headers.get("Referer", "").startswith(SITE)
        if not is_site or not is_browser(request):
            return challenge()
        if request.path == PATH.rstrip("/"):
            location = f"{PATH}?{request.query_string}"
            return Answer(status=301, headers={"Location": location})
        if request.path != PATH:
            return told({"message": "Not found."}, 404)
        handle = request.query.get("handle", "")
        index = self.players.find(handle)
        if index is None:
            return self._unknown(handle)
        self.count_fetch(index)
        return told(self._profile(self.players.player(index)))

    def refuse(self) -> Answer:
        """Refuse a request that exceeds a limit."""
        return told({"message": "Too many requests"}, 429)

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now, by the names of a profile's fields."""
        player = self.players.player(index)
        return {
            "external_id": player.handle.lower(),
            "handle": player.handle,
            "rating": None,
            "solved": player.solved,
        }

    def _unknown(self, handle: str) -> Answer:
        draw = Draw(self.players.seed, "unknown", handle.lower())
        former = self.players.find_former(handle)
        if former is None:
            status, message = draw.pick(UNKNOWN)
            return told({"message": message}, status)
        new = self.players.handle(former)
        if draw.happens(0.5):
            return Answer(status=307, headers={"Location": f"{PATH}?handle={new}"})
        to = {"__N_REDIRECT": f"{SITE}/user/{new}/", "__N_REDIRECT_STATUS": 307}
        return told({"pageProps": to, "__N_SSP": True})

    def _profile(self, player: Player) -> dict[str, Any]:
        streak = player.moves % 7
        data = {
            "name": player.name or player.handle,
            "profile_image_url": "https://media.geeksforgeeks.org/img-practice/user_web.svg",
            "is_campus_ambassador": False,
            "created_date": f"{player.joined:%Y-%m-%d %H:%M:%S}",
            "practice_course_visibility": True,
            "institute_name": None if player.index % 3 else "Institute of Technology",
            "organization_name": None,
            "institute_slug": None,
            "organization_slug": None,
            "campus_ambassador": None,
            "school": "" if player.index % 2 else None,
            "designation": None,
            "score": 2 * player.solved,
            "monthly_score": player.moves,
            "total_problems_solved": player.solved,
            "institute_rank": "" if player.index % 3 else str(1 + player.index),
            "pod_solved_longest_streak": streak,
            "pod_solved_global_longest_streak": 1337 + self.counters.requests,
        }
        return {"message": "data retrieved successfully", "data": data}
