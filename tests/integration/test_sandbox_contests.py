"""The lists of contests of the stand-ins: how much of a calendar each shows, to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from fakes.clock import FakeClock
from fakes.observed_contests import by_day, histories, moves
from fakes.platform_worlds import STANDINS

from syncd.sandbox.base import StandIn
from syncd.sandbox.control import Controlled
from syncd.sandbox.server import serve

BROWSER = {"User-Agent": "Mozilla/5.0 (X11)"}
CODECHEF = "/api/list/contests/all"
LEETCODE = "{ topTwoContests { titleSlug } allContests { titleSlug startTime } }"


def make(name: str) -> StandIn:
    return STANDINS[name].make(7, 20, clock=FakeClock())


async def ask(standin: StandIn, path: str, **given: Any) -> tuple[int, Any]:
    async with serve(Controlled(standin)) as url, aiohttp.ClientSession(url) as session:
        call = session.post if "json" in given else session.get
        async with call(path, **given) as response:
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, await (response.json() if is_json else response.text())


async def test_codechef_lists_twenty_that_are_over_and_skill_tests() -> None:
    _, found = await ask(make("codechef"), CODECHEF, headers=BROWSER)

    assert (found["status"], len(found["past_contests"]), len(found["skill_tests"])) == (
        "success",
        20,
        1,
    )


async def test_atcoder_shows_fifty_that_are_over_and_no_table_that_is_empty() -> None:
    _, found = await ask(make("atcoder"), "/contests/?lang=en")

    recent = found.partition('id="contest-table-recent"')[2]
    assert recent.count("<time") == 50
    assert 'id="contest-table-permanent"' in found
    assert 'id="contest-table-action"' not in found


async def test_leetcode_tells_of_the_next_of_each_kind_and_of_all_there_were() -> None:
    _, found = await ask(make("leetcode"), "/graphql", json={"query": LEETCODE}, headers=BROWSER)

    kinds = {row["titleSlug"].partition("-")[0] for row in found["data"]["topTwoContests"]}
    assert kinds == {"weekly", "biweekly"}
    assert len(found["data"]["topTwoContests"]) == 2
    assert len(found["data"]["allContests"]) > 200


@pytest.mark.parametrize("name", ["leetcode", "codechef"])
async def test_who_is_no_browser_is_shown_a_challenge(name: str) -> None:
    given: Mapping[str, Any] = {"json": {"query": LEETCODE}} if name == "leetcode" else {}

    status, _ = await ask(make(name), "/graphql" if given else CODECHEF, **given)

    assert status == 403


async def test_codeforces_names_contests_in_russian_for_whom_it_does_not_know() -> None:
    _, found = await ask(make("codeforces"), "/api/contest.list?gym=false")

    assert "Раунд" in found["result"][0]["name"]
    assert {row["phase"] for row in found["result"]} == {
        "BEFORE",
        "FINISHED",
        "PENDING_SYSTEM_TEST",
    }


@pytest.mark.parametrize("header", ["", "ApiKey", "Bearer ada:key"])
async def test_clist_refuses_who_has_no_key(header: str) -> None:
    status, _ = await ask(make("clist"), "/api/v4/contest/", headers={"Authorization": header})

    assert status == 401


async def test_clist_lists_what_is_asked_for_and_tells_that_there_is_more() -> None:
    headers = {"Authorization": "ApiKey ada:key"}

    _, every = await ask(make("clist"), "/api/v4/contest/?upcoming=true", headers=headers)
    _, some = await ask(
        make("clist"), "/api/v4/contest/?resource__regex=atcoder&limit=2", headers=headers
    )

    assert {row["resource"] for row in every["objects"]} > {"algotester.com", "codeforces.com"}
    assert {row["resource"] for row in some["objects"]} == {"atcoder.jp"}
    assert (len(some["objects"]), every["meta"]["next"]) == (2, None)
    assert some["meta"]["next"]


async def test_contests_are_moved_from_outside() -> None:
    standin = make("codeforces")
    [first, *_] = standin.changes()["contests_to_come"]()
    change = {"change": "move_contest", "contest": first, "starts_at": "2026-03-09T10:00:00Z"}

    status, _ = await ask(standin, "/_sandbox/change", json=change)

    assert status == 200
    assert f"{standin.announced()[first]['starts_at']}" == "2026-03-09 10:00:00+00:00"


def test_observed_contests_are_those_that_were_seen_to_change() -> None:
    earlier = [
        after.contest.external_id
        for before, after in moves()
        if after.contest.starts_at < before.contest.starts_at
    ]
    late = [
        after.contest.external_id
        for before, after in moves()
        if after.seen_at > before.contest.starts_at
    ]

    # 67 rows, of which two are one contest.
    assert len(histories()) == 66
    assert (len(moves()), len({after.contest.external_id for _, after in moves()})) == (9, 8)
    assert earlier == ["2192", "DSAMONDAY30"]
    assert late == ["2179", "2192", "2211"]


def test_observed_contests_are_looked_at_every_day_until_all_are_over() -> None:
    days = list(by_day())
    looks = [look for day in days for look in day]
    dates = [day[0].at.date() for day in days]

    assert [look.at for look in looks] == sorted({look.at for look in looks})
    assert (dates[-1] - dates[0]).days == len(dates) - 1
    last = looks[-1].lists
    assert {name: len(told.contests) for name, told in last.items()} == {
        "codeforces": 36,
        "leetcode": 1,
        "codechef": 28,
        "atcoder": 1,
    }
