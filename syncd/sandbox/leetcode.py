"""LeetCode's GraphQL endpoint for public profiles and the next contests.

POST https://leetcode.com/graphql; shapes and errors as recorded in 2024 to 2026, and as those who
probed it tell. It answers 200 to who asks for nobody, looks names up in any spelling, and takes
programs that do not call themselves browsers for robots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.calendar import SERIES, Event, Series
from syncd.sandbox.faults import Fault, instead, rewritten
from syncd.sandbox.players import Player
from syncd.sandbox.selection import Selection, SyntaxFault, read_selection
from syncd.sandbox.service import Service, challenge, is_browser, told

UNKNOWN = {
    "errors": [
        {
            "message": "That user does not exist.",
            "locations": [{"line": 1, "column": 47}],
            "path": ["matchedUser"],
            "extensions": {"handled": True, "skip_sentry": True},
        }
    ],
    "data": {"matchedUser": None},
}
# Under each of these names it tells of contests; of the first two only the next ones.
LISTS = {"topTwoContests": True, "upcomingContests": True, "allContests": False}
DIFFICULTIES = ("All", "Easy", "Medium", "Hard")


def _with_user(changes: Mapping[str, Any]) -> Fault:
    """Change what an answer says of the user."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        data = body["data"]
        return {**body, "data": {**data, "matchedUser": {**data["matchedUser"], **changes}}}

    return rewritten(change)


def _with_data(changes: Mapping[str, Any]) -> Fault:
    return rewritten(lambda body: {**body, "data": {**body["data"], **changes}})


class LeetCodeStandIn(Service):
    """Serves what is public of players, and the contests to come, by POST /graphql."""

    # Nobody publishes a limit: half of what github.com/JacobLinCool/LeetCode-Query allows itself.
    documented: ClassVar[Documented] = Documented(requests_a_minute=60, requests_at_a_time=10)
    is_cased: ClassVar[bool] = True
    announces_contests: ClassVar[bool] = True
    series: ClassVar[Sequence[Series]] = SERIES["leetcode"]
    somebody_else: ClassVar[Fault] = _with_user({"username": "SomebodyElse"})
    odd_answers: ClassVar[Mapping[str, Odd]] = MappingProxyType(
        {
            "null_without_words": Odd(_with_data({"matchedUser": None}), "transient"),
            "no_data": Odd(instead('{"data":null}'), "schema_error"),
            "server_words": Odd(
                instead('{"errors":[{"message":"Internal server error"}],"data":null}'), "transient"
            ),
            "rating_in_words": Odd(
                _with_data({"userContestRanking": {"rating": "1500"}}), "schema_error"
            ),
            "solved_as_null": Odd(_with_user({"submitStatsGlobal": None}), "schema_error"),
            "solved_without_rows": Odd(
                _with_user({"submitStatsGlobal": {"acSubmissionNum": []}}), "schema_error"
            ),
            "client_closed": Odd(instead("", status=499), "transient"),
        }
    )

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a question in GraphQL."""
        if not is_browser(request):
            return challenge()
        if (request.method, request.path) != ("POST", "/graphql"):
            return told({"detail": "Not Found"}, 404)
        try:
            asked = json.loads(body)
            selection = read_selection(asked["query"])
            is_about_contests = selection.keys() <= LISTS.keys()
            name = "" if is_about_contests else str(asked["variables"]["username"])
        except (ValueError, KeyError, TypeError, SyntaxFault) as error:
            return told({"errors": [{"message": f"Syntax Error: {error}"}]}, 400)
        index = self.players.find(name)
        if index is None and not is_about_contests:
            return told(UNKNOWN)
        if index is not None:
            self.counters.count_fetch(index)
        try:
            data = self._contests() if index is None else self._document(index)
            return told({"data": _selected(data, selection)})
        except SyntaxFault as error:
            return told({"errors": [{"message": str(error)}]}, 400)

    def refuse(self) -> Answer:
        """Refuse as it is said to: now in words, now with a challenge."""
        if self.counters.requests % 2:
            return told({"detail": "Too Many Requests"}, 429)
        return challenge()

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now."""
        player = self.players.player(index)
        return {
            "external_id": player.handle.lower(),
            "handle": player.handle,
            "rating": _rating(player),
            "solved": player.solved,
            "solved_by": {"easy": player.easy, "medium": player.medium, "hard": player.hard},
        }

    def listed(self) -> Sequence[Event]:
        """Return the next weekly one and the next biweekly one."""
        nearest: dict[str, Event] = {}
        for event in self.calendar.to_come():
            nearest.setdefault(event.kind, event)
        return [*nearest.values()][:2]

    def _contests(self) -> dict[str, Any]:
        everything = self.calendar.events()[::-1]
        return {
            name: [_contest(event) for event in (self.listed() if is_next else everything)]
            for name, is_next in LISTS.items()
        }

    def _document(self, index: int) -> dict[str, Any]:
        player = self.players.player(index)
        counts = (player.solved, player.easy, player.medium, player.hard)
        solved = [
            {"difficulty": difficulty, "count": count, "submissions": count * 2}
            for difficulty, count in zip(DIFFICULTIES, counts, strict=True)
        ]
        rating = _rating(player)
        ranking = {
            "attendedContestsCount": player.contests,
            "rating": rating,
            "globalRanking": 1 + self.counters.requests,
            "totalParticipants": 700_000 + self.counters.requests,
            "topPercentage": 40.5,
            "badge": {"name": "Knight"} if (rating or 0) >= 1850 else None,
        }
        return {
            "matchedUser": {
                "username": player.handle,
                "profile": _profile(player, self.counters.requests),
                "submitStatsGlobal": {"acSubmissionNum": solved},
                "submitStats": {"acSubmissionNum": solved, "totalSubmissionNum": solved},
                "contestBadge": None,
                "userCalendar": {"streak": 3, "totalActiveDays": 30, "submissionCalendar": "{}"},
            },
            "userContestRanking": None if rating is None else ranking,
        }


def _contest(event: Event) -> dict[str, Any]:
    start = None if event.starts_at is None else int(event.starts_at.timestamp())
    return {
        "title": event.name,
        "titleSlug": event.id,
        "startTime": start,
        "originStartTime": start,
        "duration": event.seconds,
        "description": "[]",
        "cardImg": None,
        "isVirtual": False,
        "containsPremium": False,
    }


def _rating(player: Player) -> float | None:
    rating = player.rating(1150, 3200)
    return None if rating is None else round(rating, 3)


def _profile(player: Player, asked: int) -> dict[str, Any]:
    return {
        "userSlug": player.handle,
        "realName": player.name or "",
        "aboutMe": player.bio or "",
        "userAvatar": f"https://assets.leetcode.com/users/{player.handle}/avatar_1.png",
        "countryName": player.country,
        "school": None,
        "skillTags": [],
        # The place among all: it moves although the user does nothing.
        "ranking": 300_000 + asked,
        "reputation": player.moves,
        "starRating": 2.5,
    }


def _selected(value: Any, selection: Selection) -> Any:
    if not selection or value is None:
        return value
    if isinstance(value, list):
        return [_selected(each, selection) for each in value]
    for key in selection:
        if key not in value:
            raise SyntaxFault(f'Cannot query field "{key}"')
    return {key: _selected(value[key], inner) for key, inner in selection.items()}
