from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fakes.answers import OneAnswer, answer

from syncd.errors import SweepRefused
from syncd.model.account import Account, AccountId, SweepMark
from syncd.model.sweep import Swept
from syncd.outbound.answers import Kind, Response
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.quota import QuotaReport
from syncd.platforms.github import GitHub, judge
from syncd.platforms.github_sweep import mark_of, question, read_sweep

MINE = Credential.bearer("main", "ghp_one")
REST = {
    "id": 7, "login": "ada", "node_id": "U_7", "type": "User", "name": "Ada  L. ", "bio": None,
    "company": "@example", "location": None, "blog": "", "twitter_username": None,
    "updated_at": "2026-01-01T00:00:00Z", "followers": 3, "following": 0, "public_repos": 12,
    "avatar_url": "https://avatars.example/u/7?v=4",
}  # fmt: skip
NODE = {
    "databaseId": 7, "login": "ada", "name": "Ada L.", "bio": "", "company": "@example",
    "location": None, "websiteUrl": None, "twitterUsername": None,
    "updatedAt": "2026-01-01T00:00:00Z", "followers": {"totalCount": 3},
    "following": {"totalCount": 0}, "repositories": {"totalCount": 12},
}  # fmt: skip
RESET_IN_90 = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1767225690"}


def linked(*numbers: int) -> list[Account]:
    return [
        Account(
            id=AccountId(100 + number),
            user_key=f"u{number}",
            platform="github",
            handle=f"login{number}",
            external_id=str(number),
            mark=SweepMark(key=f"U_{number}"),
        )
        for number in numbers
    ]


def node(number: int, **changes: Any) -> dict[str, Any]:
    return {**NODE, "databaseId": number, **changes}


def told(nodes: list[Any] | None, *errors: dict[str, Any]) -> Response:
    data = {"data": None if nodes is None else {"nodes": nodes}}
    return answer(data=data | ({"errors": list(errors)} if errors else {}))


def error(kind: str, *path: Any) -> dict[str, Any]:
    return {"type": kind, "path": list(path), "message": f"{kind}!"}


def digest_of(**changes: Any) -> bytes:
    [digest] = read_sweep(told([node(7, **changes)]), linked(7)).digests.values()
    return digest


def test_rest_and_graphql_say_the_same_about_the_same_user() -> None:
    assert mark_of(REST) == SweepMark(key="U_7", digest=digest_of())


@pytest.mark.parametrize(
    "change",
    [
        {"login": "ada-new"}, {"name": "Bo"}, {"bio": "new"}, {"company": None},
        {"location": "here"}, {"websiteUrl": "https://ada.example"}, {"twitterUsername": "ada"},
        {"updatedAt": "2026-01-02T00:00:00Z"}, {"followers": {"totalCount": 4}},
        {"following": {"totalCount": 1}}, {"repositories": {"totalCount": 13}},
    ],
)  # fmt: skip
def test_every_field_that_both_tell_counts(change: dict[str, Any]) -> None:
    assert digest_of(**change) != digest_of()


def test_a_new_picture_is_no_change_because_rest_does_not_show_it() -> None:
    assert mark_of({**REST, "avatar_url": "https://elsewhere.example"}) == mark_of(REST)


@pytest.mark.parametrize(
    "change", [{"node_id": None}, {"node_id": ""}, {"node_id": 7}, {"type": "Bot"}]
)
def test_who_cannot_be_swept_has_no_mark(change: dict[str, Any]) -> None:
    assert mark_of({**REST, **change}) is None


def test_profile_of_long_ago_without_a_node_id_has_no_mark() -> None:
    assert mark_of({"login": "ada", "id": 7}) is None


def test_ids_stand_in_variables_only() -> None:
    odd = replace(linked(1)[0], mark=SweepMark(key='"}) { viewer { login } } #'))

    body = question([odd, *linked(2)])

    assert body["variables"] == {"ids": ['"}) { viewer { login } } #', "U_2"]}
    assert "viewer" not in body["query"]
    assert "contributions" not in body["query"]


def test_whoever_does_not_exist_is_neither_told_of_nor_asked_again() -> None:
    swept = read_sweep(told([node(1), None], error("NOT_FOUND", "nodes", 1)), linked(1, 2))

    assert set(swept.digests) == {101}
    assert (swept.errored, swept.is_strained) == (frozenset(), False)


def test_whoever_errored_may_be_asked_again_and_the_others_are_kept() -> None:
    response = told([node(1), None, node(3)], error("SERVICE_UNAVAILABLE", "nodes", 1))

    swept = read_sweep(response, linked(1, 2, 3))

    assert set(swept.digests) == {101, 103}
    assert (swept.errored, swept.is_strained) == ({102}, False)


def test_user_of_whom_one_field_errored_is_not_told_of() -> None:
    response = told([node(1, followers=None)], error("INTERNAL", "nodes", 0, "followers"))

    swept = read_sweep(response, linked(1))

    assert (swept.digests, swept.errored) == ({}, {101})


def test_somebody_else_a_bot_and_an_organization_are_not_told_of() -> None:
    response = told([node(9), {}, {"databaseId": None}])

    assert read_sweep(response, linked(1, 2, 3)) == Swept()


@pytest.mark.parametrize(
    "response",
    [
        told(None, error("RESOURCE_LIMITS_EXCEEDED", "nodes")),
        told(None, {"message": "Something went wrong while executing your query."}),
        told(None, error("MAX_NODE_LIMIT_EXCEEDED")),
        told([None, None], error("RESOURCE_LIMITS_EXCEEDED", "nodes", 0)),
        answer(data={"errors": [{"message": "timeout"}]}),
    ],
)
def test_what_was_too_much_is_told_and_everybody_may_be_asked_again(response: Response) -> None:
    swept = read_sweep(response, linked(1, 2))

    assert (swept.errored, swept.is_strained) == ({101, 102}, True)


def test_partial_data_of_what_was_too_much_is_kept() -> None:
    response = told([node(1), None], error("RESOURCE_LIMITS_EXCEEDED", "nodes", 1))

    swept = read_sweep(response, linked(1, 2))

    assert (set(swept.digests), swept.errored, swept.is_strained) == ({101}, {102}, True)


@pytest.mark.parametrize(
    "data", [{"data": {}}, {"data": {"nodes": [1]}}, {"data": {"nodes": {}}}, {"data": 7}]
)
def test_answer_of_another_shape_tells_of_nobody(data: dict[str, Any]) -> None:
    swept = read_sweep(answer(data=data), linked(1, 2))

    assert (swept.digests, swept.errored) == ({}, {101, 102})


@pytest.mark.parametrize(
    "response",
    [
        answer(400, {"message": "Problems parsing JSON"}),
        answer(404, {"message": "Not Found"}),
        answer(200, body=b"[]"),
        told(None, error("FORBIDDEN")),
        told([None, None], error("INSUFFICIENT_SCOPES", "nodes", 0)),
        answer(data={"errors": [{"extensions": {"code": "undefinedField"}, "message": "no"}]}),
    ],
)
def test_refusal_of_the_question_is_told_as_one(response: Response) -> None:
    with pytest.raises(SweepRefused, match="github refuses GraphQL"):
        read_sweep(response, linked(1, 2))


def test_words_of_a_refusal_are_escaped_and_no_more_than_a_beginning() -> None:
    response = answer(403, {"errors": [{"message": "no\x1b[2J\u202e" + "x" * 5_000}]})

    with pytest.raises(SweepRefused) as refusal:
        read_sweep(response, linked(1))

    assert str(refusal.value).startswith(r"github refuses GraphQL: HTTP 403: no\x1b[2J\u202exxx")
    assert len(str(refusal.value)) < 250


def test_few_accounts_that_are_all_kept_from_us_are_no_refusal_many_are() -> None:
    def kept_from_us(count: int) -> Response:
        return told([None] * count, *(error("FORBIDDEN", "nodes", n) for n in range(count)))

    swept = read_sweep(kept_from_us(2), linked(1, 2))
    with pytest.raises(SweepRefused):
        read_sweep(kept_from_us(100), linked(*range(100)))

    assert (swept.digests, swept.errored, swept.is_strained) == ({}, {101, 102}, False)


@pytest.mark.parametrize("kind", ["RATE_LIMITED", "RATE_LIMIT"])
def test_quota_that_is_used_up_is_a_pause_until_it_resets(kind: str) -> None:
    data = {"errors": [{"type": kind, "message": "API rate limit exceeded"}]}

    verdict = judge(
        answer(data=data, x_ratelimit_resource="graphql", **RESET_IN_90), is_authorized=True
    )

    assert (verdict.kind, verdict.pause_seconds, verdict.is_used_up) == (Kind.PAUSE, 91.0, True)
    assert verdict.quota == QuotaReport(remaining=0, resets_in_seconds=90.0, resource="graphql")


def test_quota_that_is_used_up_without_a_word_about_when_is_a_growing_pause() -> None:
    verdict = judge(answer(data={"errors": [{"type": "RATE_LIMITED"}]}), is_authorized=True)

    assert (verdict.kind, verdict.pause_seconds) == (Kind.PAUSE, None)


@pytest.mark.parametrize(
    ("base_url", "up"),
    [
        ("https://api.github.com", 0),
        ("https://api.acme.ghe.com", 0),
        ("https://github.acme.example/api/v3", 1),
    ],
)
async def test_sweep_goes_to_graphql_and_names_its_quota(base_url: str, up: int) -> None:
    client = OneAnswer(told([node(1)]), MINE, base_url)
    platform = GitHub("github", client, Limits(rate=1))

    swept = await platform.sweep(linked(1))

    [asked] = client.asked
    assert set(swept.digests) == {101}
    assert (asked.method, asked.target(), asked.up) == ("POST", "/graphql", up)
    assert (asked.resource, asked.is_divisible) == ("graphql", True)
    assert json.dumps(asked.json).count("U_1") == 1


def test_only_whoever_is_known_may_sweep() -> None:
    known, nobody = (
        GitHub("github", OneAnswer(told([]), credential), Limits(rate=1))
        for credential in (MINE, Credential.anonymous())
    )

    assert (known.can_sweep, nobody.can_sweep) == (True, False)
