"""HackerRank's own REST for profiles and badges, built from what its readers wrote down.

Nobody recorded a whole answer: keys and outcomes are those that several public clients rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.faults import Fault, instead, rewritten, with_values
from syncd.sandbox.players import Player
from syncd.sandbox.service import Service, challenge, is_browser, told

PROFILE = "/rest/contests/*"
BADGES = "/rest/hackers/*"
OTHERS = (("Sql", "sql"), ("C++", "cpp"))


def _with_model(changes: Mapping[str, Any]) -> Fault:
    def change(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "model": {**body["model"], **changes}} if "model" in body else body

    return rewritten(change)


class HackerRankStandIn(Service):
    """Serves `/rest/contests/master/hackers/{h}/profile` and `/rest/hackers/{h}/badges`.

    A former name answers with the model of who had it.
    """

    # Nobody publishes a limit; github.com/aropan/clist asks twice a second at most.
    documented: ClassVar[Documented] = Documented(requests_a_minute=120, requests_at_a_time=10)
    leads_on: ClassVar[bool] = True
    follows_renames: ClassVar[bool] = True
    somebody_else: ClassVar[Fault] = _with_model({"id": 1, "username": "somebodyelse"})
    odd_answers: ClassVar[Mapping[str, Odd]] = MappingProxyType(
        {
            "unknown_with_status_200": Odd(instead('{"status":false}'), "not_found"),
            "unknown_badges": Odd(instead('{"status":false,"models":[]}'), "schema_error", BADGES),
            "interface_gone": Odd(
                instead("<html>404</html>", status=404, content_type="text/html"), "schema_error"
            ),
            "no_model": Odd(instead('{"model":null}'), "schema_error", PROFILE),
            "no_id": Odd(_with_model({"id": None}), "schema_error", PROFILE),
            "id_in_words": Odd(_with_model({"id": "7"}), "schema_error", PROFILE),
            "badges_gone": Odd(with_values({"models": None}), "schema_error", BADGES),
            "solved_in_words": Odd(
                with_values({"models": [{"badge_name": "Sql", "stars": 1, "solved": "3"}]}),
                "schema_error",
                BADGES,
            ),
            "seven_stars": Odd(
                with_values({"models": [{"badge_name": "Problem Solving", "stars": 7}]}),
                "schema_error",
                BADGES,
            ),
        }
    )

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer what the site's own pages ask."""
        del body
        if not is_browser(request):
            return challenge()
        match request.path.split("/"):
            case ["", "rest", "contests", "master", "hackers", name, "profile"]:
                return self._profile(name)
            case ["", "rest", "hackers", name, "badges"]:
                return self._badges(name)
            case _:
                return told({"status": False, "message": "Not Found"}, 404)

    def refuse(self) -> Answer:
        """Refuse without a word on how long."""
        return told({"status": False, "message": "Too many requests"}, 429)

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now."""
        player = self.players.player(index)
        return {
            "external_id": str(player.number),
            "handle": player.handle,
            "rating": None if player.strength is None else float(_stars(player)),
            "solved": sum(badge["solved"] for badge in _badges(player)) or None,
        }

    def _profile(self, name: str) -> Answer:
        index = self.players.find(name)
        if index is None:
            index = self.players.find_former(name)
        if index is None:
            return told({"status": False, "message": "Not Found"}, 404)
        self.counters.count_fetch(index)
        player = self.players.player(index)
        return told({"model": _model(player)})

    def _badges(self, name: str) -> Answer:
        index = self.players.find(name)
        if index is None:
            return told({"status": False, "models": []})
        models = _badges(self.players.player(index))
        return told({"status": True, "models": models, "version": 2})


def _model(player: Player) -> dict[str, Any]:
    return {
        "id": player.number,
        "username": player.handle,
        "name": player.name,
        "country": player.country,
        "school": None,
        "level": 5,
        "avatar": f"https://hrcdn.net/s3_pub/hr-avatars/{player.number}/150x150.png",
        "created_at": f"{player.joined:%Y-%m-%dT%H:%M:%S.000Z}",
        "username_change_count": player.renames,
        "followers_count": player.index % 40,
        # Some hold what no database can, as the site does.
        "short_bio": f"\0{player.bio}" if player.index % 3 == 0 else player.bio,
    }


def _stars(player: Player) -> int:
    return min(6, int((player.strength or 0) * 7))


def _badges(player: Player) -> list[dict[str, Any]]:
    """Return the badges: none for problem solving without a contest, others by what is solved."""
    badges = []
    if player.strength is not None:
        badges.append(_badge("Problem Solving", "problem-solving", _stars(player), player.easy + 1))
    for (name, kind), solved in zip(OTHERS, (player.medium, player.hard), strict=True):
        if solved:
            badges.append(_badge(name, kind, min(5, 1 + solved // 10), solved))
    return badges


def _badge(name: str, kind: str, stars: int, solved: int) -> dict[str, Any]:
    return {
        "badge_type": kind,
        "badge_name": name,
        "stars": stars,
        "level": stars,
        "solved": solved,
        "total_challenges": 563,
        "current_points": 17.5 * solved,
        "total_points": 16_000.0,
        "hacker_rank": 1 + 65_000 // (1 + solved),
        "progress_to_next_star": 0.4,
        "upcoming_level": "Gold",
        "url": f"/domains/{kind}",
    }
