"""Which fields a GraphQL query asks for: as much of the language as a question about nodes needs.

Arguments, variable definitions and aliases are read over; fragments stand in line (`... on User`).
https://spec.graphql.org/October2021/#sec-Selection-Sets
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Selection = dict[str, "Selection"]
"""The fields of a selection set, each with its own; `... on User` is a key of its own."""

TOKEN = re.compile(r"\.\.\.\s*on\s+(?P<type>\w+)|(?P<name>\w+)|(?P<sign>[{}()])|[^\w{}()]")


class SyntaxFault(ValueError):
    """The text is no query."""


def read_selection(query: str) -> Selection:
    """Return what a query asks for.

    Raises:
        SyntaxFault: a bracket has no partner, or nothing is asked for.
    """
    words = _without_arguments(query)
    for word in words:
        if word == "{":
            selection = _read_set(words)
            if selection:
                return selection
    raise SyntaxFault('Expected one of SCHEMA, "{", QUERY, actual: (none) ("") at [1, 1]')


def _without_arguments(query: str) -> Iterator[str]:
    depth = 0
    for match in TOKEN.finditer(query):
        sign = match["sign"]
        depth += (sign == "(") - (sign == ")")
        if depth or sign == ")":
            continue
        if match["type"]:
            yield f"... on {match['type']}"
        elif match["name"] or sign:
            yield match[0]


def _read_set(words: Iterator[str]) -> Selection:
    selection: Selection = {}
    last = ""
    for word in words:
        if word == "}":
            return selection
        if word == "{":
            selection[last] = _read_set(words)
        else:
            last = word
            selection.setdefault(word, {})
    raise SyntaxFault("Expected NAME, actual: (none) at end of query")
