from __future__ import annotations

import re
from typing import Any

import pytest

from syncd.store.traces import Traces, cleaned


def traces(*names: str) -> Traces:
    return Traces(
        key=names[0],
        user_id=1,
        is_mirrored=False,
        is_kept=False,
        accounts=(),
        rows={},
        names=frozenset(names),
        places=(),
    )


@pytest.mark.parametrize(
    ("name", "text", "clean"),
    [
        ("lovelace", "cannot read 'lovelace' on github", "cannot read '***' on github"),
        ("lovelace", "cannot GET /users/lovelace on github", "cannot GET /users/*** on github"),
        ("lovelace", "handle lovelace not found", "handle *** not found"),
        ("lovelace", "lovelaces and ada-lovelace", "lovelaces and ada-lovelace"),
        ("on", "cannot read 'on' on github", "cannot read '***' on github"),
        ("4812", "run 4812 asked /user/4812: 4812", "run 4812 asked /user/***: 4812"),
        ("a.b+c", "cannot read 'a.b+c', not 'aXb+c'", "cannot read '***', not 'aXb+c'"),
        ("zoë", "'zo\\xeb' and /users/zo%C3%AB", "'***' and /users/***"),
    ],
)
def test_name_is_found_where_errors_put_it_and_nowhere_else(
    name: str, text: str, clean: str
) -> None:
    assert re.sub(traces(name).pattern, "***", text) == clean


def test_of_a_document_only_what_is_about_people_is_cleaned() -> None:
    document: dict[str, Any] = {
        "only": ["github", "bob"],
        "platform": "github",
        "verdict": {"reasons": ["the canary 'github' is on no board"], "deletes": "github"},
    }

    told = cleaned(document, traces("github"), about_people=False)

    assert told == {
        "only": ["(forgotten)", "bob"],
        "platform": "github",
        "verdict": {
            "reasons": ["the canary '(forgotten)' is on no board"],
            "deletes": "github",
        },
    }
