"""The lines of the recorded answers of codechef, atcoder and geeksforgeeks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from fakes.payloads import Recorded
from fakes.recorded import Line, Page

from syncd.sandbox.answer import Answer

HISTORY = "/users/*/history/json"
NOBODY = Page(status=404, text="<html><head><title>404 Not Found - AtCoder</title></head></html>")
USER_INFO = "*/atcoder-api/v3/user_info*"
CHEF = """<!DOCTYPE html><html><head>
<title>aakash_261204 | CodeChef User Profile for Aakash | CodeChef</title>
<script>jQuery.extend(Drupal.settings, {settings});</script></head>
<body><section class="problems-solved"><h3>Total Problems Solved: 347</h3></section></body></html>
"""


def chef_page(recorded: Recorded) -> Answer:
    """Put recorded rows where the page holds them; no page was recorded."""
    settings = json.dumps({"date_versus_rating": {"all": recorded.json()}})
    body = CHEF.replace("{settings}", settings).encode()
    return Answer(headers={"Content-Type": "text/html; charset=utf-8"}, body=body)


def user_info(handle: str, accepted: int) -> Mapping[str, object]:
    return {"user_id": handle, "accepted_count": accepted, "rated_point_sum": 300.0}


RATED = [
    {"IsRated": True, "NewRating": 1500, "EndTime": "2017-05-27T22:50:00+09:00"},
    {"IsRated": False, "NewRating": 1500, "EndTime": "2017-06-27T22:50:00+09:00"},
]

LINES: Mapping[str, Line] = MappingProxyType({
    "codechef/rating_rows_aakash_261204_2023.json": Line(
        handle="Aakash_261204",
        made=chef_page,
        stored={
            "handle": "aakash_261204", "external_id": "aakash_261204", "name": "Aakash",
            "rating": 1362.0, "solved": 347,
        },
    ),
    "codechef/error_cloudflare_challenge.html": Line(
        handle="ada", outcome="blocked", status=403
    ),
    "codechef/contests_all_200_2024-05-14.json": Line(handle="ada", outcome="schema_error"),
    "codechef/contest_APRIL19B_200.json": Line(handle="ada", outcome="schema_error"),
    "atcoder/user_history_json_5_rows.json": Line(
        handle="ada",
        to=HISTORY,
        beside={USER_INFO: user_info("ada", 17)},
        stored={"handle": "ada", "external_id": "ada", "rating": 2733.0, "solved": 17},
    ),
    "atcoder/user_history_json_unknown_user_200_empty.json": Line(
        handle="zz_nobody_zz",
        to=HISTORY,
        beside={"/users/zz_nobody_zz ": NOBODY},
        outcome="not_found",
    ),
    "atcoder/kenkoooo_user_info_kenkoooo_2018-12.json": Line(
        handle="kenkoooo",
        to=USER_INFO,
        beside={HISTORY: RATED},
        stored={"handle": "kenkoooo", "rating": 1500.0, "solved": 722},
    ),
    "atcoder/kenkoooo_user_info_unknown_zero.json": Line(
        handle="u1",
        to=USER_INFO,
        beside={HISTORY: RATED},
        stored={"handle": "u1", "rating": 1500.0, "solved": None},
    ),
    "atcoder/kenkoooo_contests_2019-03-03.json": Line(
        handle="ada", to=USER_INFO, beside={HISTORY: RATED}, outcome="schema_error"
    ),
    "atcoder/kenkoooo_user_submissions_shape.json": Line(
        handle="user", to=USER_INFO, beside={HISTORY: RATED}, outcome="schema_error"
    ),
    "atcoder/contests_page_2021-04-23_ja.html": Line(
        handle="ada", to=HISTORY, outcome="blocked"
    ),
    "atcoder/scraped_contests_2026-03-07.json": Line(
        handle="ada", to=HISTORY, outcome="schema_error"
    ),
    "geeksforgeeks/user_profile_info_200.json": Line(
        handle="vishal",
        stored={
            "handle": "vishal", "external_id": "vishal", "name": "Vishal Kumar Yadav",
            "rating": None, "solved": 342,
            "avatar_url": "https://media.geeksforgeeks.org/img-practice/user_web-1598433228.svg",
        },
    ),
})  # fmt: skip
