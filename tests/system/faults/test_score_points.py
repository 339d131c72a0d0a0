"""kill -9 around the computing of scores: what a batch changed is never lost, with or without."""

from __future__ import annotations

import pytest
from fakes.perils import COMMIT, EVERYBODY, REPORT, Peril, Perils
from fakes.postgres_proxy import Point, When
from fakes.storm import USERS
from fakes.waiting import until

# GitHub rates nobody: everybody who answered is "unrated" there, which is a part all the same.
SCORED = {"score.github": {"rating_from": 0, "rating_to": 1, "solved_full": 1}}
STORED = "SELECT account_id FROM profiles"
WRITE, SETTLE = "INSERT INTO user_scores", "DELETE FROM score_due"

POINTS = {
    "inside the last batch": Point(sql=REPORT, when=When.COMMITTED, nth=2),
    "before the page is committed": Point(sql=COMMIT, within=WRITE),
    "after the page is committed": Point(sql=SETTLE, when=When.COMMITTED),
}


async def scored(peril: Peril) -> dict[str, str]:
    rows = await peril.world.daemon.fetch(
        "SELECT key, parts -> 'github' ->> 'reason' AS reason"
        " FROM user_scores JOIN users ON users.id = user_id"
    )
    return {row["key"]: row["reason"] for row in rows}


async def is_settled(peril: Peril) -> bool:
    [row] = await peril.world.daemon.fetch("SELECT count(*) AS due FROM score_due")
    return row["due"] == 0 and len(await scored(peril)) == len(USERS)


@pytest.mark.parametrize("point", POINTS)
async def test_scores_of_a_daemon_that_was_killed_are_computed_after_the_restart(
    perils: Perils, point: str
) -> None:
    async with perils(SCORED) as peril:
        await peril.world.link()
        await peril.dies_at(POINTS[point], peril.trigger)
        before, stored = await scored(peril), await peril.world.daemon.fetch(STORED)

        run, asked = await peril.goes_on()
        await until(lambda: is_settled(peril), what="every score")

        after = await scored(peril)
        await peril.check(run)

    # They are computed when the part of one platform ends: the other's may not have.
    if point != "inside the last batch":
        assert bool(before) == (point == "after the page is committed")
    assert set(after.values()) == {"unrated"}
    if point != "inside the last batch":
        assert sum(asked.values()) == EVERYBODY - len(stored), "scores cost no fetch"
        assert run["seen"] == EVERYBODY


async def test_a_reply_that_is_lost_while_scores_are_written_costs_no_score(
    perils: Perils,
) -> None:
    async with perils(SCORED) as peril:
        await peril.world.link()

        await peril.loses_reply_at(Point(sql=SETTLE, when=When.COMMITTED), peril.trigger)
        await until(lambda: is_settled(peril), what="every score")

        assert set((await scored(peril)).values()) == {"unrated"}


async def test_a_forced_computation_that_is_cut_off_is_taken_up_again_by_itself(
    perils: Perils,
) -> None:
    async with perils(SCORED) as peril:
        await peril.world.link()
        await peril.trigger()
        await until(lambda: is_settled(peril), what="every score")
        await peril.world.daemon.fetch("UPDATE user_scores SET total = 7 RETURNING user_id")

        fell = peril.proxy.strike(Point(sql=COMMIT, within=WRITE))
        await peril.world.daemon.api("POST", "/api/rescore", {})
        await peril.has_fallen(fell)

        async def is_right() -> bool:
            rows = await peril.world.daemon.fetch("SELECT total FROM user_scores")
            return {row["total"] for row in rows} == {0.0} and await is_settled(peril)

        await until(is_right, what="every score to be right again")
