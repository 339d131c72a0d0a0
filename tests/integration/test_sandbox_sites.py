"""The stand-ins of coding sites over real HTTP: shapes as recorded, limits as documented."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fakes.clock import FakeClock
from fakes.coding_sites import SITES
from fakes.payloads import find_recorded
from fakes.platform_worlds import STANDINS

from syncd.sandbox import control
from syncd.sandbox.codeforces import CodeforcesStandIn
from syncd.sandbox.leetcode import LeetCodeStandIn
from syncd.sandbox.server import serve

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
QUESTION = """
query ($name: String!) {
  matchedUser(username: $name) { username submitStats { acSubmissionNum { difficulty count } } }
}
"""


@pytest.fixture
def codeforces() -> CodeforcesStandIn:
    return CodeforcesStandIn.make(7, 30, clock=FakeClock())


@pytest.fixture
def leetcode() -> LeetCodeStandIn:
    return LeetCodeStandIn.make(7, 30)


@pytest.fixture
async def users(codeforces: CodeforcesStandIn) -> AsyncIterator[aiohttp.ClientSession]:
    async with serve(codeforces) as url, aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
async def graphql(leetcode: LeetCodeStandIn) -> AsyncIterator[aiohttp.ClientSession]:
    async with serve(leetcode) as url, aiohttp.ClientSession(url, headers=BROWSER) as session:
        yield session


async def info(session: aiohttp.ClientSession, handles: str, **params: str) -> tuple[int, Any]:
    given = {"handles": handles, **params}
    async with session.get("/api/user.info", params=given) as response:
        return response.status, await response.json(content_type=None)


async def question(session: aiohttp.ClientSession, query: str, name: str) -> tuple[int, Any]:
    asked = {"query": query, "variables": {"username": name}}
    async with session.post("/graphql", json=asked) as response:
        return response.status, await response.json()


async def test_users_of_codeforces_have_the_keys_and_types_of_the_recorded_ones(
    users: aiohttp.ClientSession, codeforces: CodeforcesStandIn
) -> None:
    recorded = find_recorded("codeforces/user_info_two_handles_200_2025.json").json()["result"]
    known = {key: type(value) for row in recorded for key, value in row.items()}
    known |= {"email": str, "vkId": str}

    _, told = await info(users, ";".join(codeforces.players.handles()), lang="en")

    types = {(key, type(value)) for row in told["result"] for key, value in row.items()}
    assert {(key, kind) for key, kind in types if known.get(key) is not kind} == set()
    always = set.intersection(*({*row} for row in (*told["result"], *recorded)))
    assert {"handle", "contribution", "avatar", "titlePhoto", "friendOfCount"} <= always
    assert "rating" not in set.intersection(*({*row} for row in told["result"]))


async def test_unknown_handle_fails_the_whole_call_in_the_recorded_words(
    users: aiohttp.ClientSession, codeforces: CodeforcesStandIn
) -> None:
    recorded = find_recorded("codeforces/error_user_info_400_unknown_handle.json")

    told = await info(users, f"{codeforces.handle_of(1)};nonexistent;another")

    assert told == (400, recorded.json())


async def test_words_are_russian_unless_english_is_asked_for(
    users: aiohttp.ClientSession, codeforces: CodeforcesStandIn
) -> None:
    handles = ";".join(codeforces.players.handles())

    _, plain = await info(users, handles)
    _, english = await info(users, handles, lang="en")

    ranks = [{row.get("rank", "") for row in told["result"]} for told in (plain, english)]
    assert "".join(ranks[1]).isascii()
    assert not "".join(ranks[0]).isascii()


async def test_page_of_a_former_handle_leads_to_the_new_one_and_of_nobody_home(
    users: aiohttp.ClientSession, codeforces: CodeforcesStandIn
) -> None:
    before = codeforces.handle_of(3)
    codeforces.changes()["rename"](3, "AdaNew")

    seen = []
    for handle in (before, "AdaNew", "nonexistent"):
        async with users.get(f"/profile/{handle}", allow_redirects=False) as response:
            seen.append((response.status, response.headers.get("Location")))

    assert seen == [(302, "/profile/AdaNew"), (200, None), (302, "/")]


async def test_one_call_in_two_seconds_is_answered_and_more_are_refused_in_its_words(
    users: aiohttp.ClientSession, codeforces: CodeforcesStandIn
) -> None:
    told = [await info(users, codeforces.handle_of(1)) for _ in range(34)]

    comments = [body.get("comment") for _, body in told]
    assert comments == [None] * 30 + ["Call limit exceeded"] * 4
    assert {status for status, _ in told[30:]} == {200, 400, 403, 503}
    assert codeforces.counters.refused == {"rate": 4}


async def test_unknown_user_of_leetcode_is_answered_with_200_as_recorded(
    graphql: aiohttp.ClientSession,
) -> None:
    recorded = find_recorded("leetcode/error_user_not_found_200.json")

    assert await question(graphql, QUESTION, "nobody") == (200, recorded.json())


async def test_user_of_leetcode_has_the_shape_of_the_recorded_one(
    graphql: aiohttp.ClientSession, leetcode: LeetCodeStandIn
) -> None:
    recorded = find_recorded("leetcode/user_solved_leetcode_200_2026-07.json").json()

    status, told = await question(graphql, QUESTION, leetcode.handle_of(3).lower())

    user, known = told["data"]["matchedUser"], recorded["data"]["matchedUser"]
    rows, known_rows = (each["submitStats"]["acSubmissionNum"] for each in (user, known))
    assert (status, user["username"]) == (200, leetcode.handle_of(3))
    assert user.keys() == known.keys()
    assert [row["difficulty"] for row in rows] == [row["difficulty"] for row in known_rows]


async def test_question_about_what_does_not_exist_is_refused(
    graphql: aiohttp.ClientSession, leetcode: LeetCodeStandIn
) -> None:
    query = "query { matchedUser(username: $username) { username shoeSize } }"

    status, told = await question(graphql, query, leetcode.handle_of(3))

    assert (status, told["errors"][0]["message"]) == (400, 'Cannot query field "shoeSize"')


@pytest.mark.parametrize("name", ["leetcode", "hackerrank"])
async def test_program_that_says_so_is_shown_a_challenge(name: str) -> None:
    async with serve(STANDINS[name].make(7, 5)) as url, aiohttp.ClientSession(url) as session:
        response = await session.post("/graphql", data=b"{}")
        page = await response.text()

    assert (response.status, "Just a moment..." in page) == (403, True)


@pytest.mark.parametrize("name", list(STANDINS))
async def test_every_standin_runs_as_a_process_of_its_own_and_is_steered(name: str) -> None:
    standin = STANDINS[name].make(7, 5)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd.sandbox", name, "--population", "5", "--seed", "7"),
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession(url) as session:
            handles = await (await session.get("/_sandbox/handles")).json()
            changed = await session.post(
                "/_sandbox/change", json={"change": "rename", "index": 3, **renamed(name)}
            )
            after = await (await session.get("/_sandbox/handles")).json()
            odd = [
                await session.post("/_sandbox/change", json={"change": "fault", "fault": each})
                for each in standin.odd_answers
            ]
            unknown = await session.post(
                "/_sandbox/change", json={"change": "fault", "fault": "no such"}
            )
    finally:
        process.kill()
        await process.wait()

    assert handles == [standin.handle_of(index) for index in range(5)]
    assert changed.status == 200
    assert (after[3], after[:3]) == ("newname", handles[:3])
    assert {each.status for each in odd} <= {200}
    assert unknown.status == 400


@pytest.mark.parametrize("name", SITES)
async def test_examples_of_the_control_work_as_they_are_written(name: str) -> None:
    written = re.findall(r"POST (/_sandbox/\w+) (\{.*\})", control.__doc__ or "")
    standin = STANDINS[name].make(7, 20)

    async with serve(control.Controlled(standin)) as url, aiohttp.ClientSession(url) as session:
        answers = [await session.post(path, data=example) for path, example in written]
        told = [await answer.text() for answer in answers]

    assert [answer.status for answer in answers] == [200] * 2, told
    assert standin.handle_of(7) == "ada-new"


def renamed(name: str) -> dict[str, str]:
    """Return the new name in the words of a platform's population."""
    return {"login" if name == "github" else "handle": "newname"}
