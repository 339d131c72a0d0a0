from __future__ import annotations

import pytest

from syncd.sandbox.nodes import find_node, user_node
from syncd.sandbox.population import Population

PEOPLE = Population(7, 300, organizations=0.1, bots=0.1)


def test_everybody_is_found_by_the_node_id_that_rest_tells() -> None:
    ids = [PEOPLE.document(index)["node_id"] for index in range(300)]

    assert [find_node(PEOPLE, node_id) for node_id in ids] == list(range(300))
    assert len({node_id[:2] for node_id in ids}) > 2


@pytest.mark.parametrize(
    "node_id", ["", "x", "U_", "U_AAAA", "MDQ6VXNlcjA=", "04:User1", "MDQ6UmVwbzE=", "ü", "U_ü"]
)
def test_what_is_nobodys_node_id_finds_nobody(node_id: str) -> None:
    assert find_node(PEOPLE, node_id) is None


def test_whoever_vanished_is_not_found() -> None:
    people = Population(7, 10)
    node_id = people.document(3)["node_id"]
    people.vanish(3)

    assert find_node(people, node_id) is None


def test_node_tells_the_same_numbers_as_the_profile() -> None:
    profile = PEOPLE.document(3)
    node = user_node(profile)

    assert node["databaseId"] == profile["id"]
    assert node["followers"] == {"totalCount": profile["followers"]}
    assert node["repositories"] == {"totalCount": profile["public_repos"]}


def test_nothing_written_is_null_in_one_api_and_empty_in_the_other() -> None:
    profile = {**PEOPLE.document(3), "blog": "", "bio": None, "email": None}
    node = user_node(profile)

    assert (node["websiteUrl"], node["bio"], node["email"]) == (None, "", "")
