from __future__ import annotations

import pytest

from syncd.sandbox.selection import SyntaxFault, read_selection


def test_fields_are_found_behind_arguments_variables_and_fragments() -> None:
    query = """
    query Q($ids: [ID!]!, $n: Int = {a: 1}) {
      nodes(ids: $ids) { __typename ... on User { login followers(first: 1) { totalCount } } }
      rateLimit { cost }
    }
    """

    assert read_selection(query) == {
        "nodes": {
            "__typename": {},
            "... on User": {"login": {}, "followers": {"totalCount": {}}},
        },
        "rateLimit": {"cost": {}},
    }


@pytest.mark.parametrize("query", ["", "query", "{", "{ nodes { id }", "{ }", "query Q($a: B)"])
def test_what_is_no_query_is_a_fault(query: str) -> None:
    with pytest.raises(SyntaxFault):
        read_selection(query)
