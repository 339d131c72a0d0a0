"""What a person is told to look at on the first screen."""

from __future__ import annotations

import pytest

from syncd.daemon.problems import redis_problems

AWAY = {"ok": False, "error": "cannot use Redis here: refused"}


@pytest.mark.parametrize(
    ("redis", "kind", "state", "told"),
    [
        (AWAY, "leaderboard", "ok", 1),
        (AWAY, "leaderboard", "off", 0),
        (AWAY, "profiles", "ok", 0),
        ({"ok": True, "error": ""}, "leaderboard", "ok", 0),
    ],
)
def test_redis_that_is_away_is_a_problem_where_a_job_reads_it(
    redis: dict[str, object], kind: str, state: str, told: int
) -> None:
    problems = redis_problems(redis, [{"kind": kind, "state": state}])

    assert [problem["what"] for problem in problems] == [AWAY["error"]] * told
