"""The lines of the recorded answers of all coding platforms.

Of a platform that has none yet, every file is an answer to whom its address names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fakes.coding_sites import SITES
from fakes.payloads import Recorded
from fakes.platform_worlds import FOUND, STANDINS
from fakes.recorded import HTML, Line, Made, Page, told

from syncd.sandbox.answer import Answer

CHEF = """<!DOCTYPE html><html><head>
<title>aakash_261204 | CodeChef User Profile for Aakash | CodeChef</title>
<script>jQuery.extend(Drupal.settings, {settings});</script></head>
<body><section class="problems-solved"><h3>Total Problems Solved: 347</h3></section></body></html>
"""


def chef_page(recorded: Recorded, asked: str) -> Answer:
    """Put recorded rows where the page holds them; no page was recorded."""
    settings = json.dumps({"date_versus_rating": {"all": recorded.json()}})
    return Answer(headers=HTML, body=CHEF.replace("{settings}", settings).encode())


def users(recorded: Recorded, asked: str) -> Answer:
    """Answer with the recorded rows of those who are asked for, as the service orders them."""
    whole = recorded.json()
    rows = whole if isinstance(whole, list) else whole["result"]
    told_of = {row["handle"].lower(): row for row in rows}
    handles = parse_qs(urlsplit(asked).query)["handles"][0].split(";")
    return told({"status": "OK", "result": [told_of[handle.lower()] for handle in handles]})


def leet(ranking: Any = None, **user: Any) -> Made:
    """Add to a recorded part of an answer what else the question asks for."""

    def make(recorded: Recorded, asked: str) -> Answer:
        data = recorded.json()["data"]
        told_user = {**user, **data.get("matchedUser", {})}
        stats = told_user.get("submitStatsGlobal") or told_user.get("submitStats")
        told_user = {"profile": {}, **told_user, "submitStatsGlobal": stats}
        return told({"data": {"userContestRanking": ranking, **data, "matchedUser": told_user}})

    return make


SOLVED = {"acSubmissionNum": [
    {"difficulty": word, "count": count}
    for word, count in (("All", 10), ("Easy", 5), ("Medium", 3), ("Hard", 2))
]}  # fmt: skip

CODEFORCES: Mapping[str, Line] = {
    "user_info_unbit_200_2025-08.json": Line(
        handle="unbit",
        stored={"handle": "unbit", "external_id": "unbit", "rating": 1622.0, "solved": None,
                "name": None},
    ),
    "user_info_two_handles_200_2025.json": Line(
        handle="DmitriyH",
        made=users,
        stored={"handle": "DmitriyH", "rating": 1709.0, "name": "Dmitriy Khodyrev"},
        also={"fefer_ivan": {"handle": "Fefer_Ivan", "rating": 2174.0, "name": "Ivan Fefer"}},
    ),
    "user_info_two_handles_localised_ru_2024-10.json": Line(
        handle="tourist",
        made=users,
        stored={"handle": "tourist", "rating": 4009.0, "name": "Gennady Korotkevich"},
        also={"jiangly": {"handle": "jiangly", "rating": 3839.0, "name": "Lingyu Jiang"}},
    ),
    "error_user_info_400_unknown_handle.json": Line(
        handle="nonexistent", to="/api/*", outcome="not_found",
        beside={"/profile/*": Page(status=302, location="/")},
    ),
    "error_user_status_400_unknown_handle.json": Line(
        handle="zz_no_such_handle_zz", to="/api/*", outcome="not_found",
        beside={"/profile/*": Page(status=302, location="/")},
    ),
    "error_call_limit_exceeded.json": Line(handle="ada", outcome="rate_limited", status=400),
    **dict.fromkeys(
        (
            "contest_list_200_2024-02-17.json", "contest_list_upcoming_rows_2024-10-10.json",
            "user_rating_unbit_200_2025.json", "user_status_unbit_200_2025.json",
            "contest_ratingChanges_200.json", "contest_ratingChanges_200_unrated_empty.json",
            "error_contest_ratingChanges_400_unrated.json",
            "error_contest_standings_400_extra_params.json",
        ),
        Line(handle="unbit", to="/api/*", outcome="schema_error"),
    ),
}  # fmt: skip

LEETCODE: Mapping[str, Line] = {
    "user_profile_suryansh0363_200_2025-12.json": Line(
        handle="Suryansh0363",
        made=leet({"attendedContestsCount": 12, "rating": 1424.607}),
        stored={"handle": "suryansh0363", "external_id": "suryansh0363", "name": "Suryansh Gupta",
                "bio": None, "rating": 1424.607, "solved": 347},
    ),
    "user_stats_never_contested_200_2024-01.json": Line(
        handle="jambobjones",
        made=leet(),
        stored={"handle": "jambobjones", "name": "Jambob Jones", "rating": None, "solved": 133},
    ),
    "user_solved_leetcode_200_2026-07.json": Line(
        handle="leetcode",
        made=leet(),
        stored={"handle": "LeetCode", "external_id": "leetcode", "rating": None, "solved": 45},
    ),
    "contest_ranking_null_200_2024-01.json": Line(
        handle="ada",
        made=leet(username="ada", submitStatsGlobal=SOLVED),
        stored={"handle": "ada", "rating": None, "solved": 10},
    ),
    "error_user_not_found_200.json": Line(handle="nobody", outcome="not_found"),
    **dict.fromkeys(
        (
            "contest_history_suryansh0363_200_2025-12.json",
            "recent_submissions_suryansh0363_200_2025-12.json",
            "recent_ac_unknown_user_200_empty.json", "upcoming_contests_200_2025-12-05.json",
        ),
        Line(handle="suryansh0363", outcome="schema_error"),
    ),
}  # fmt: skip

MODEL = {"model": {"id": 77, "username": "ada", "name": "Ada"}}
HACKER = {"/rest/contests/master/hackers/*/profile": MODEL}
HACKERRANK: Mapping[str, Line] = {
    "badges_rows_trimmed.json": Line(
        handle="ada", beside=HACKER,
        stored={"handle": "ada", "external_id": "77", "rating": 6.0, "solved": 229 + 58 + 18},
    ),
    "scores_elo_rows_trimmed.json": Line(handle="ada", beside=HACKER, outcome="schema_error"),
}  # fmt: skip

CODECHEF: Mapping[str, Line] = {
    "rating_rows_aakash_261204_2023.json": Line(
        handle="Aakash_261204",
        made=chef_page,
        stored={"handle": "aakash_261204", "external_id": "aakash_261204", "name": "Aakash",
                "rating": 1362.0, "solved": 347},
    ),
    "error_cloudflare_challenge.html": Line(handle="ada", outcome="blocked"),
    "contests_all_200_2024-05-14.json": Line(handle="ada", outcome="schema_error"),
    "contest_APRIL19B_200.json": Line(handle="ada", outcome="schema_error"),
}  # fmt: skip

HISTORY = "/users/*/history/json"
USER_INFO = "*/atcoder-api/v3/user_info*"
RATED = {HISTORY: [
    {"IsRated": True, "NewRating": 1500, "EndTime": "2017-05-27T22:50:00+09:00"},
    {"IsRated": False, "NewRating": 1500, "EndTime": "2017-06-27T22:50:00+09:00"},
]}  # fmt: skip
NOBODY = Page(status=404, text="<html><head><title>404 Not Found - AtCoder</title></head></html>")
ATCODER: Mapping[str, Line] = {
    "user_history_json_5_rows.json": Line(
        handle="ada", to=HISTORY,
        beside={USER_INFO: {"user_id": "ada", "accepted_count": 17}},
        stored={"handle": "ada", "external_id": "ada", "rating": 2733.0, "solved": 17},
    ),
    "user_history_json_unknown_user_200_empty.json": Line(
        handle="zz_nobody_zz", to=HISTORY, outcome="not_found",
        beside={"/users/zz_nobody_zz": NOBODY},
    ),
    "kenkoooo_user_info_kenkoooo_2018-12.json": Line(
        handle="kenkoooo", to=USER_INFO, beside=RATED,
        stored={"handle": "kenkoooo", "rating": 1500.0, "solved": 722},
    ),
    "kenkoooo_user_info_unknown_zero.json": Line(
        handle="u1", to=USER_INFO, beside=RATED,
        stored={"handle": "u1", "rating": 1500.0, "solved": None},
    ),
    "kenkoooo_contests_2019-03-03.json": Line(
        handle="ada", to=USER_INFO, beside=RATED, outcome="schema_error"
    ),
    "kenkoooo_user_submissions_shape.json": Line(
        handle="user", to=USER_INFO, beside=RATED, outcome="schema_error"
    ),
    "scraped_contests_2026-03-07.json": Line(handle="ada", to=HISTORY, outcome="schema_error"),
}  # fmt: skip

GEEKSFORGEEKS: Mapping[str, Line] = {
    "user_profile_info_200.json": Line(
        handle="vishal",
        stored={
            "handle": "vishal", "external_id": "vishal", "name": "Vishal Kumar Yadav",
            "rating": None, "solved": 342,
            "avatar_url": "https://media.geeksforgeeks.org/img-practice/user_web-1598433228.svg",
        },
    ),
}  # fmt: skip

LINES: Mapping[str, Line] = MappingProxyType({
    f"{platform}/{file}": line
    for platform, lines in {
        "atcoder": ATCODER, "codechef": CODECHEF, "codeforces": CODEFORCES,
        "geeksforgeeks": GEEKSFORGEEKS, "hackerrank": HACKERRANK, "leetcode": LEETCODE,
    }.items()
    for file, line in lines.items()
})  # fmt: skip

# The six are never without lines.
LINED = {*SITES, *(file.partition("/")[0] for file in LINES)}


def line_of(recorded: Recorded) -> Line | None:
    """Return the line of a file; None where it lacks one that others of its platform have."""
    if recorded.platform in LINED:
        return LINES.get(recorded.file)
    plugin, body = FOUND[recorded.platform], recorded.body.decode(errors="replace").lower()
    address = urlsplit(recorded.path)
    words = [value for values in parse_qs(address.query).values() for value in values]
    words += [unquote(segment) for segment in reversed(address.path.split("/"))]
    handles = [word for word in words if plugin.accepts(word)]
    handles.sort(key=lambda handle: handle.lower() not in body)
    return Line(
        handle=handles[0] if handles else STANDINS[recorded.platform].make(7, 1).handle_of(0)
    )
