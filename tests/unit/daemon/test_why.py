from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes.clock import START

from syncd.daemon.why import Facts, Reader, holds, next_step, state_in_words
from syncd.model.pause import Pause, PauseScope

HOUR = timedelta(hours=1)
NOON = START + 12 * HOUR
READER = Reader(job="github-profiles", asks_at=NOON)


def about(**changes: Any) -> Facts:
    usual = {"user_key": "u1", "platform": "github", "attempted_at": START, "readers": (READER,)}
    return Facts(**{**usual, "state_since": START, **changes})


def reader(**changes: Any) -> dict[str, Any]:
    return {"readers": (Reader(**{"job": "github-profiles", "asks_at": NOON, **changes}),)}


def paused(scope: PauseScope, key: str = "", until: datetime | None = None) -> Pause:
    return Pause(
        scope=scope, key=key, why="moving house", until=until, actor="admin", paused_at=START
    )


def failing(streak: int, due_at: datetime) -> dict[str, Any]:
    return {"fail_streak": streak, "due_at": due_at}


RETRY = {"retries_at": START + 0.25 * HOUR}
ENDLESS = paused(PauseScope.JOB, "github-profiles")
PLATFORM = paused(PauseScope.PLATFORM, "github", START + 13 * HOUR)


@pytest.mark.parametrize(
    ("facts", "text", "at"),
    [
        ({}, "asked again with the run at 2026-01-01 12:00 UTC by github-profiles", NOON),
        (
            {"attempted_at": None},
            "asked for the first time with the run at 2026-01-01 12:00 UTC by github-profiles",
            NOON,
        ),
        (
            failing(1, START + HOUR),
            "tried again with the run at 2026-01-01 12:00 UTC by github-profiles",
            NOON,
        ),
        (
            {**failing(3, START + 4 * HOUR), **reader(**RETRY)},
            (
                "retried at 2026-01-01 04:00 UTC at the earliest by github-profiles "
                "(3rd failure in a row rests 4 h)"
            ),
            START + 4 * HOUR,
        ),
        (
            {**failing(5, START + 24 * HOUR), **reader(**RETRY)},
            "tried again with the run at 2026-01-01 12:00 UTC by github-profiles",
            NOON,
        ),
        (
            reader(**RETRY),
            "asked at 2026-01-01 00:15 UTC at the earliest by github-profiles",
            START + 0.25 * HOUR,
        ),
        (
            {**failing(1, START + HOUR), "retry_run": 12},
            "run 12 tries it again at 2026-01-01 01:00 UTC",
            START + HOUR,
        ),
        (
            {"is_in_flight": True},
            "its answer is stored when the request under way comes back",
            None,
        ),
        (
            reader(run_id=12),
            "asked by run 12 of github-profiles, which has not come to it yet",
            None,
        ),
        (
            {"state": "quarantined"},
            "looked at again with the run at 2026-01-01 12:00 UTC by github-profiles",
            NOON,
        ),
        ({"state": "opted_out"}, "nothing: opted out; `syncd users opt-out u1 --undo`", None),
        (
            {"state": "opted_out", "user_key": "the first; rm", "readers": ()},
            "nothing: opted out; `syncd users opt-out 'the first; rm' --undo`",
            None,
        ),
        ({"state": "paused"}, "nothing while the account is paused", None),
        ({"state": "reauth_required"}, "nothing until the user connects github again", None),
        (
            {"readers": ()},
            "nothing: no job reads github; name it in `platforms` of a job in config.toml",
            None,
        ),
        (
            reader(enabled=False),
            "nothing: switched off: github-profiles; `syncd enable github-profiles`",
            None,
        ),
        (
            reader(asks_at=None),
            (
                "nothing by itself: github-profiles runs only when triggered; "
                "`syncd trigger github-profiles --only u1`"
            ),
            None,
        ),
        (
            {**reader(asks_at=None), "is_firing": False},
            (
                "nothing by itself: [daemon] schedule = false; "
                "`syncd trigger github-profiles --only u1`"
            ),
            None,
        ),
        (reader(pause=ENDLESS), "nothing until `syncd resume github-profiles`", None),
        (reader(pause=paused(PauseScope.ALL)), "nothing until `syncd resume --all`", None),
        (
            {"pauses": (paused(PauseScope.PLATFORM, "github"),)},
            "nothing until `syncd resume --platform github`",
            None,
        ),
        (
            {"pauses": (paused(PauseScope.ACCOUNT, "github:ada"),)},
            "nothing while the account is paused",
            None,
        ),
        (
            {"pauses": (PLATFORM,)},
            (
                "asked again with the run at 2026-01-01 12:00 UTC by github-profiles, "
                "but not before 2026-01-01 13:00 UTC: github is paused"
            ),
            NOON,
        ),
        (
            {"server_pause": (START + HOUR, "quota")},
            "asked again with the run at 2026-01-01 12:00 UTC by github-profiles",
            NOON,
        ),
    ],
)
def test_what_happens_next_is_one_sentence(
    facts: dict[str, Any], text: str, at: datetime | None
) -> None:
    step = next_step(about(**facts))

    assert (step.text, step.at) == (text, at)


def test_the_job_that_asks_first_is_named() -> None:
    late, early = READER, Reader(job="backup", asks_at=NOON - HOUR)
    off = Reader(job="off", enabled=False, asks_at=START)

    step = next_step(about(readers=(off, late, early)))

    assert (step.job, step.at) == ("backup", NOON - HOUR)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "followed"),
        (
            {"state": "quarantined", "state_reason": "is an organization"},
            (
                "quarantined since 2026-01-01 00:00 UTC: is an organization; "
                "looked at again once a week"
            ),
        ),
        (
            {"state": "gone", "state_reason": "not found twice"},
            "gone since 2026-01-01 00:00 UTC: not found twice; looked at again once a week",
        ),
        ({"state": "opted_out"}, "opted out since 2026-01-01 00:00 UTC"),
        ({"state": "paused"}, "paused since 2026-01-01 00:00 UTC: no reason on record"),
    ],
)
def test_a_state_is_said_in_words(facts: dict[str, Any], words: str) -> None:
    assert state_in_words(about(**facts)) == words


def test_everything_that_holds_an_account_back_is_named_with_who_and_why() -> None:
    facts = about(
        **failing(2, START + HOUR),
        **reader(pause=ENDLESS, enabled=False),
        is_in_flight=True,
        pauses=(PLATFORM,),
        server_pause=(START + HOUR, "secondary limit"),
    )

    assert holds(facts, START) == [
        "a run asks for it right now",
        "github is paused until 2026-01-01 13:00 UTC by admin: moving house",
        "github asked syncd to wait until 2026-01-01 01:00 UTC (secondary limit)",
        "github-profiles is off",
        "github-profiles is paused until resumed by admin: moving house",
        (
            "retries wait until 2026-01-01 01:00 UTC (2nd failure in a row rests 1 h); "
            "other runs do not"
        ),
    ]


def test_an_account_that_is_to_be_looked_at_sooner_is_not_held_back_by_that() -> None:
    facts = about(due_at=START + HOUR, is_hasty=True, **reader(retries_at=START + HOUR))

    assert holds(facts, START) == []
    assert next_step(facts).text == (
        "asked again at 2026-01-01 01:00 UTC at the earliest by github-profiles, "
        "sooner than others: plays may be lost"
    )


def test_nothing_holds_back_an_account_whose_rest_is_over() -> None:
    assert holds(about(**failing(1, START)), START) == []


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("gone", "it is gone"),
        ("quarantined", "it is quarantined"),
        ("opted_out", "the user opted out"),
        ("paused", "it is paused"),
        ("reauth_required", "it has to be connected again"),
    ],
)
def test_a_state_that_is_not_followed_holds_an_account_back(state: str, word: str) -> None:
    assert holds(about(state=state, **failing(1, START + HOUR)), START) == [word]
