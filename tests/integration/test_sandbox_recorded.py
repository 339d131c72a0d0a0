"""The stand-in's answers beside the recorded ones: same keys, types and headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import pytest
from fakes.payloads import Recorded, find_recorded, load_index
from fakes.replay import replay

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.limits import Limits
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

TOKEN = {"Authorization": "Bearer one"}
RecordProperty = Callable[[str, object], None]

# What belongs to one recorded token or to the transport of its day, or came later.
NOT_COMPARED = {"date", "status", "github-authentication-token-expiration", "content-length"}
MAY_BE_MISSING = {"node_id", "twitter_username", "ldap_dn", "suspended_at"}
MAY_BE_NEW = {"user_view_type"}
NULLABLE = {"name", "company", "location", "email", "hireable", "bio", "twitter_username"}
PROFILES = [
    exchange
    for exchange in load_index("github")
    if exchange.status == 200 and "/user" in exchange.path
]


def types_of(documents: list[Mapping[str, Any]]) -> dict[str, set[type]]:
    keys = {key for document in documents for key in document}
    return {key: {type(document[key]) for document in documents if key in document} for key in keys}


@pytest.mark.parametrize("recorded", PROFILES, ids=str)
def test_profiles_have_the_keys_and_types_of_the_recorded_one(
    recorded: Recorded, record_property: RecordProperty
) -> None:
    population = Population(7, 500)

    made = types_of([population.document(index) for index in range(500)])

    known = {key: type(value) for key, value in recorded.json().items()}
    assert known.keys() - made.keys() <= MAY_BE_MISSING
    assert made.keys() - known.keys() <= MAY_BE_MISSING | MAY_BE_NEW
    for key in known.keys() & made.keys():
        allowed = {known[key], type(None)} if key in NULLABLE else {known[key]}
        assert made[key] <= allowed or known[key] is type(None), key
    record_property("payload", recorded.file)


@pytest.mark.parametrize("recorded", PROFILES, ids=str)
def test_keys_come_in_the_recorded_order(recorded: Recorded) -> None:
    made = Population(7, 1).document(0)

    order = [key for key in recorded.json() if key in made]

    assert order == [key for key in made if key in recorded.json()]


async def ask(path: str, limits: Limits, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return the second answer of a fresh stand-in, so that a limit of 1 is exceeded."""
    standin = GitHubStandIn(Population(7, 5), limits=limits)
    standin.revoke("revoked")
    async with serve(standin) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/user/1", headers=TOKEN):
            pass
        async with session.get(path, headers={**TOKEN, **headers}) as response:
            return response.status, response.headers, await response.read()


@pytest.mark.parametrize(
    ("file", "limits", "asked"),
    [
        ("user_yurinnick_200_2023.json", Limits(), {}),
        ("rate_limit_200_2023.json", Limits(), {}),
        ("error_404_user_2012.json", Limits(), {}),
        ("error_401_bad_credentials_2012.json", Limits(), {"Authorization": "token revoked"}),
        ("error_403_primary_limit_2013.json", Limits(primary=1), {}),
        ("error_403_abuse_secondary_2018.json", Limits(points_per_minute=1), {}),
    ],
)
async def test_answer_has_status_headers_and_body_keys_of_the_recorded_one(
    file: str, limits: Limits, asked: dict[str, str], record_property: RecordProperty
) -> None:
    recorded = find_recorded(f"github/{file}")
    path = {200: f"/users/{Population(7, 5).login(0)}"}.get(recorded.status, recorded.path)
    path = recorded.path if recorded.path == "/rate_limit" else path

    status, headers, body = await ask(path, limits, **asked)

    known = {name.lower() for name in recorded.headers} - NOT_COMPARED
    if recorded.status == 401 or file == "error_404_user_2012.json":
        known -= {"etag"}  # error answers of 2012 had one, those of today do not
    assert status == recorded.status
    assert known - {name.lower() for name in headers} == set()
    assert headers["Content-Type"] == recorded.header("Content-Type")
    assert recorded.json().keys() <= json.loads(body).keys()
    record_property("payload", recorded.file)


async def test_unchanged_answer_has_the_headers_of_the_recorded_one(
    record_property: RecordProperty,
) -> None:
    recorded = find_recorded("github/conditional_2_304_empty.txt")
    path = f"/users/{Population(7, 5).login(0)}"
    _, first, _ = await ask(path, Limits())

    status, headers, body = await ask(path, Limits(), **{"If-None-Match": first["ETag"]})

    known = {name.lower() for name in recorded.headers} - NOT_COMPARED
    assert (status, body) == (304, b"")
    assert known - {name.lower() for name in headers} == set()
    assert "content-type" not in {name.lower() for name in headers}
    record_property("payload", recorded.file)


@pytest.mark.parametrize("recorded", load_index("github"), ids=str)
async def test_replay_serves_every_recorded_file_as_it_is(
    recorded: Recorded, record_property: RecordProperty
) -> None:
    async with replay("github") as server, aiohttp.ClientSession(server.base_url) as session:
        server.answer_next("/anything", recorded.file)
        async with session.get("/anything", allow_redirects=False) as response:
            body = await response.read()

    assert (response.status, body) == (recorded.status, recorded.body)
    assert all("{{" not in value for value in response.headers.values())
    assert response.headers.get("ETag") == recorded.header("ETag")
    record_property("payload", recorded.file)


async def test_replay_answers_by_method_path_and_condition() -> None:
    recorded = find_recorded("github/conditional_2_304_empty.txt")
    condition = {"If-None-Match": recorded.request["If-None-Match"]}

    async with replay("github") as server, aiohttp.ClientSession(server.base_url) as session:
        statuses = [
            (await session.get(path, headers=headers)).status
            for path, headers in (
                ("/repos/akfish/PyGithub", {}),
                ("/repos/akfish/PyGithub", condition),
                ("/users/nobody-recorded", {}),
            )
        ]

    assert statuses == [200, 304, 501]
    assert [seen.path for seen in server.unanswered] == ["/users/nobody-recorded"]


async def test_replayed_redirect_leads_back_to_the_replay() -> None:
    moved = find_recorded("github/redirect_301_moved_2018.json")

    async with replay("github") as server, aiohttp.ClientSession(server.base_url) as session:
        response = await session.get(moved.path, allow_redirects=False)

    assert response.headers["Location"] == f"{server.base_url}/repositories/112116543"
