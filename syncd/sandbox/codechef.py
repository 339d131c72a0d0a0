"""CodeChef's public pages of users and teams, as those who read them daily describe them.

No such page was recorded: the layout is that of the anchors which readers rely on (title, heading,
`Drupal.settings`), the rows of ratings have the keys and types of recorded ones, and the challenge
page is the recorded one in short. Of an unknown user there are three descriptions; who is asked for
decides by which of them it is answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.calendar import SERIES, Event, Series
from syncd.sandbox.codechef_contests import contest_list, listed_here
from syncd.sandbox.draw import Draw
from syncd.sandbox.faults import Fault, html, instead, redirect
from syncd.sandbox.players import Player
from syncd.sandbox.service import Service, challenge, is_browser, page, told

USER = re.compile(r"/users/([^/]+)/?")
TEAM = re.compile(r"/teams/view/([^/]+)/?")
FIRST_CONTEST = datetime(2019, 1, 6, 23, 0, 6)  # noqa: DTZ001 - the page names no zone
GENERIC = "Competitive Programming | Participate & Learn | CodeChef"
STARS = (1400, 1600, 1800, 2000, 2200, 2500)

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<title>{title}</title>
<script src="/misc/jquery.js"></script>
<script>
jQuery.extend(Drupal.settings, {settings});
</script>
</head>
<body>
<nav><a href="/">CodeChef</a> <a href="/login">Login</a></nav>
{body}
<footer>CodeChef - A Platform for Aspiring Programmers</footer>
</body>
</html>
"""
PROFILE = """<div class="user-details-container plr10">
<header><img class="profileImage" src="{avatar}" alt="" /><h1 class="h2-style">{name}</h1></header>
<section class="user-details"><ul class="side-nav">
<li><label>Username:</label><span><span class="rating">{stars}&#9733;</span>{handle}</span></li>
<li><label>Country:</label><span class="user-country-name">{country}</span></li>
</ul></section>
</div>
{ranks}<section class="rating-data-section problems-solved">
<h3>Learning Paths (0):</h3>
<h3>Practice Problems ({solved}):</h3>
<h3>Total Problems Solved: {solved}</h3>
</section>"""
RANKS = """<div class="rating-header text-center"><div class="rating-number">{rating}</div>
<small>(Highest Rating {highest})</small></div>
<div class="rating-ranks"><ul><li><a href="/ratings/all"><strong>{rank}</strong></a> Global Rank
</li></ul></div>
"""
TEAM_PAGE = """<table cellpadding="" class="team"><tr><td><b>Team Name:</b></td><td>{name}</td></tr>
<tr><td><b>Member 1:</b></td><td><a href="/users/{member}">{member}</a></td></tr></table>"""


def _rewritten(old: str, new: str) -> Fault:
    """Lay out a page anew: what stands between changes, all else stays."""
    return lambda answer: replace(
        answer, body=re.sub(old, new, answer.body.decode(), flags=re.DOTALL).encode()
    )


def _generic() -> Answer:
    return page(PAGE.format(title=escape(GENERIC), settings="{}", body="<h1>Learn</h1>"))


MAINTENANCE = "<!DOCTYPE html><html><head><title>Maintenance | CodeChef</title></head></html>"
ODD: Mapping[str, Odd] = MappingProxyType({
    "challenge": Odd(fault=lambda _: challenge(), outcome="blocked"),
    "challenge with 200": Odd(fault=html(200), outcome="blocked"),
    "challenge with 404": Odd(fault=html(404), outcome="blocked"),
    "gate": Odd(fault=redirect("/login?destination=users"), outcome="blocked"),
    "refusal": Odd(fault=instead("Forbidden", status=403, content_type="text/plain"),
                   outcome="blocked"),
    "maintenance": Odd(fault=instead(MAINTENANCE, content_type="text/html"), outcome="transient"),
    "maintenance with 503": Odd(
        fault=instead(MAINTENANCE, status=503, content_type="text/html"), outcome="transient"),
    "cut off": Odd(fault=_rewritten(r"(Problems Solved: \d).*", r"\1"), outcome="transient"),
    "too many": Odd(
        fault=instead("<h1>Too Many Requests</h1>", status=429, content_type="text/html"),
        outcome="rate_limited"),
    "generic page": Odd(fault=lambda _: _generic(), outcome="not_found"),
    "redirect home": Odd(fault=redirect("/"), outcome="not_found"),
    "redirect to a team": Odd(fault=redirect("/teams/view/gophers"), outcome="unsuitable"),
    "redirect in a circle": Odd(fault=redirect("/users/round"), outcome="schema_error"),
    "redirect to another site": Odd(
        fault=redirect("https://sso.example.com/users/ada"), outcome="schema_error"),
    "new title": Odd(fault=_rewritten("CodeChef User Profile for", "Profile of"),
                     outcome="schema_error"),
    "new heading": Odd(fault=_rewritten("Total Problems Solved", "Solved"),
                       outcome="schema_error"),
    "new settings": Odd(fault=_rewritten("Drupal.settings", "chef.settings"),
                        outcome="schema_error"),
    "new key": Odd(fault=_rewritten("date_versus_rating", "ratings"), outcome="schema_error"),
    "no list": Odd(fault=_rewritten('"all": ?\\[.*?\\]', '"all":null'), outcome="schema_error"),
    "words for a number": Odd(fault=_rewritten(r"Solved: \d+", "Solved: many"),
                              outcome="schema_error"),
    "empty": Odd(fault=instead("", content_type="text/html"), outcome="schema_error"),
    "null": Odd(fault=instead("null"), outcome="schema_error"),
})  # fmt: skip


class CodeChefStandIn(Service):
    """Serves `/users/{handle}`, `/teams/view/{handle}` and `/api/list/contests/all`."""

    # Nobody publishes a limit; who reads it daily asks once a second and meets 429 beyond that.
    documented: ClassVar[Documented] = Documented(requests_a_minute=60, requests_at_a_time=2)
    odd_answers: ClassVar[Mapping[str, Odd]] = ODD
    follows_renames: ClassVar[bool] = True
    announces_contests: ClassVar[bool] = True
    series: ClassVar[Sequence[Series]] = SERIES["codechef"]
    somebody_else: ClassVar[Fault] = _rewritten("<title>[^ ]+ ", "<title>somebodyelse ")

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a request that is within the limits."""
        del body
        if not is_browser(request):
            return challenge()
        if request.path == "/api/list/contests/all":
            return told(contest_list(self.calendar))
        if team := TEAM.fullmatch(request.path):
            return self._team(team[1])
        user = USER.fullmatch(request.path)
        return self._user(user[1]) if user else _generic()

    def refuse(self) -> Answer:
        """Refuse a request that exceeds a limit: 429 without a word about how long."""
        return page("<html><h1>429 Too Many Requests</h1></html>", 429)

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now, by the names of a profile's fields."""
        player = self.players.player(index)
        rating = _rating(player)
        return {
            "external_id": player.handle.lower(),
            "handle": player.handle,
            "rating": None if rating is None else float(rating),
            "solved": player.solved,
        }

    def listed(self) -> Sequence[Event]:
        """Return what its list of contests shows."""
        return listed_here(self.calendar)

    def _user(self, handle: str) -> Answer:
        index = self.players.find(handle)
        if index is None:
            return self._unknown(handle)
        if self.players.handle(index) != handle:
            return _moved(self.players.handle(index))
        self.count_fetch(index)
        return self._profile(self.players.player(index))

    def _unknown(self, handle: str) -> Answer:
        former = self.players.find_former(handle)
        if former is not None:
            return _moved(self.players.handle(former))
        missing = page(PAGE.format(title="Page not found | CodeChef", settings="{}", body=""), 404)
        away = Answer(status=302, headers={"Location": "/"})
        draw = Draw(self.players.seed, "unknown", handle.lower())
        return draw.pick((missing, away, _generic()))

    def _team(self, name: str) -> Answer:
        settings = json.dumps({"currentUser": "", "teamname": name})
        body = TEAM_PAGE.format(name=escape(name), member=self.players.handle(0))
        return page(PAGE.format(title=f"{escape(name)} | CodeChef", settings=settings, body=body))

    def _profile(self, player: Player) -> Answer:
        rows, rating = self._rows(player), _rating(player)
        ratings = {"all": rows, "dsa_monday": []}
        settings = {"basePath": "/", "currentUser": "", "date_versus_rating": ratings}
        highest = max((int(row["rating"]) for row in rows), default=0)
        ranks = RANKS.format(rating=rating, highest=highest, rank=1 + player.number % 90_000)
        body = PROFILE.format(
            avatar="/sites/all/themes/abessive/images/user_default_thumb.jpg",
            name=escape(player.name or player.handle),
            stars=1 + sum(rating >= step for step in STARS) if rating else 0,
            handle=player.handle,
            country=escape(player.country or ""),
            ranks=ranks if rating else "",
            solved=player.solved,
        )
        name = escape(player.name or "")
        title = f"{player.handle} | CodeChef User Profile for {name} | CodeChef"
        # As the site writes it: a slash is escaped, so that no text ends the script.
        told = json.dumps(settings).replace("/", "\\/")
        return page(PAGE.format(title=title, settings=told, body=body))

    def _rows(self, player: Player) -> list[dict[str, Any]]:
        newest = _rating(player)
        if newest is None:
            return []
        draw = Draw(self.players.seed, "ratings", player.index)
        rows = []
        for place in range(player.contests):
            ended_at = FIRST_CONTEST + timedelta(days=7 * place)
            is_last = place == player.contests - 1
            rows.append({
                "code": f"START{place + 1}D",
                "getyear": str(ended_at.year),
                "getmonth": str(ended_at.month),
                "getday": str(ended_at.day),
                "reason": None,
                "penalised_in": None,
                "rating": str(newest if is_last else newest - 40 + draw.below(80)),
                "rank": str(1 + draw.below(9_000)),
                "name": f"Starters {place + 1} Division 4 (Rated)",
                "end_date": f"{ended_at:%Y-%m-%d %H:%M:%S}",
                "color": "#666666",
            })  # fmt: skip
        return rows


def _rating(player: Player) -> int | None:
    rating = player.rating(900, 2600)
    return None if rating is None else round(rating)


def _moved(handle: str) -> Answer:
    return Answer(status=302, headers={"Location": f"/users/{handle}"})
