"""Fault 61: kill -9 and lost answers between a new token and its commit; and in mid-run."""

from __future__ import annotations

import asyncio
import signal

import pytest
from fakes.concert import BEGIN, COMMIT, PLAYS_STORED, RENEW, Concert, Concerts
from fakes.postgres_proxy import Point, When
from fakes.waiting import until

pytestmark = pytest.mark.timeout(300)

USERS = range(4)
RUNS = 4

AROUND_REFRESH = {
    "before its turn is taken": Point(sql=BEGIN),
    "before its turn is committed": Point(sql=COMMIT, within=BEGIN),
    "when its turn is taken": Point(sql=COMMIT, within=BEGIN, when=When.COMMITTED),
    "before the new token is written": Point(sql=RENEW),
    "before the new token is committed": Point(sql=COMMIT, within=RENEW),
    "when the new token is committed": Point(sql=COMMIT, within=RENEW, when=When.COMMITTED),
}
AROUND_PLAYS = {
    "before they are written": Point(sql=PLAYS_STORED),
    "before they are committed": Point(sql=COMMIT, within=PLAYS_STORED),
    "when they are committed": Point(sql=COMMIT, within=PLAYS_STORED, when=When.COMMITTED),
}


async def settled(world: Concert) -> list[str]:
    """Let hours pass; return those who must grant anew. The others' tokens are good."""
    for _ in range(RUNS):
        await world.time_passes()
        run = await world.run()
        assert run["outcome"] in {"succeeded", "partial"}, run
    calls = world.standin.counters.refresh_calls
    states = await world.states()
    await world.time_passes()
    await world.run()

    lost = [key for key, (state, _, _) in states.items() if state == "reauth_required"]
    others = len(USERS) - len(lost)
    # Nobody is asked for in vain any more: one call for each who goes on.
    assert world.standin.counters.refresh_calls == calls + others
    assert {(state, health) for key, (state, _, health) in states.items() if key not in lost} <= {
        ("active", "ok")
    }
    return lost


async def hears(world: Concert) -> None:
    """Let everybody listen to something new, and have it stored."""
    for index in USERS:
        world.standin.listeners.listen(index)
    await world.time_passes()
    run = await world.run()
    assert (run["outcome"], run["updated"] + run["created"]) == ("succeeded", len(USERS)), run


async def test_daemon_killed_around_a_refresh_goes_on_with_a_good_token(
    concert: Concerts,
) -> None:
    async with concert(users=len(USERS)) as world:
        await world.grant(USERS)
        for name, point in AROUND_REFRESH.items():
            await world.dies_at(point)
            # The turn that was taken ends by itself, after a minute.
            await world.time_passes()

            run = await world.goes_on()

            # What was answered before the kill was kept, and nobody had to ask for it again.
            assert (run["outcome"], run["failed"]) == ("succeeded", 0), (name, run)
            assert world.standin.counters.refresh_refused == {}, name
            await world.time_passes()
        assert await settled(world) == []
        await hears(world)
        await world.check(USERS)


async def test_answer_that_nobody_saw_ends_in_a_new_consent_of_this_user_alone(
    concert: Concerts,
) -> None:
    async with concert(users=len(USERS)) as world:
        await world.grant(USERS)
        world.at_next_refresh(world.daemon_dies)
        await world.trigger()
        assert await world.daemon.ended() == -signal.SIGKILL
        [struck] = [index for index in USERS if world.refreshes(index)]
        await world.time_passes()

        run = await world.goes_on()
        doubted = await world.states()
        at_once = await world.run()
        calls = world.refreshes(struck)
        lost = await settled(world)
        state, reason, _ = (await world.states())[world.spotify.key(struck)]
        asked = world.refreshes(struck)
        await world.grant_anew(struck)
        await hears(world)
        await world.check(USERS)

    assert doubted[f"u{struck}"] == ("active", doubted[f"u{struck}"][1], "suspect")
    assert (run["outcome"], run["failed"]) == ("partial", 1), run
    assert calls == 2, at_once
    assert (state, lost) == ("reauth_required", [f"u{struck}"])
    assert "the answer to a refresh was lost" in reason
    assert asked <= 4


async def test_answer_that_nobody_saw_costs_nothing_where_refresh_tokens_stay(
    concert: Concerts,
) -> None:
    async with concert(users=len(USERS), rotates=False) as world:
        await world.grant(USERS)
        world.at_next_refresh(world.daemon_dies)
        await world.trigger()
        await world.daemon.ended()
        await world.time_passes()

        run = await world.goes_on()

        assert (run["outcome"], run["failed"]) == ("succeeded", 0), run
        assert await settled(world) == []
        await world.check(USERS)


@pytest.mark.parametrize("milliseconds", [0, pytest.param(3, marks=pytest.mark.full), 9])
async def test_daemon_killed_just_after_an_answer_ends_with_a_good_token_or_a_reason(
    concert: Concerts, milliseconds: int
) -> None:
    async with concert(users=len(USERS)) as world:
        await world.grant(USERS)
        world.at_next_refresh(world.daemon_dies, after_seconds=milliseconds / 1000)
        await world.trigger()
        assert await world.daemon.ended() == -signal.SIGKILL
        await world.time_passes()
        await world.goes_on()

        lost = await settled(world)
        states = await world.states()
        for key in lost:
            await world.grant_anew(int(key.removeprefix("u")))
        await hears(world)
        await world.check(USERS)

    assert len(lost) <= 1
    assert all("the answer to a refresh was lost" in states[key][1] for key in lost)


@pytest.mark.parametrize("how", [pytest.param("hang", marks=pytest.mark.full), "cut"])
async def test_answer_lost_on_the_wire_is_doubted_and_ends_with_a_reason(
    concert: Concerts, how: str
) -> None:
    async with concert(users=len(USERS)) as world:
        await world.grant(USERS)
        world.standin.fault_of(
            0, how, {"after": 10} if how == "cut" else None, 1, "/accounts/api/token"
        )
        run_id = await world.trigger()

        async def is_lost() -> bool:
            [row] = await world.daemon.fetch(
                "SELECT bool_or(interrupted_at IS NOT NULL) AS waits FROM oauth_tokens"
            )
            return bool(row["waits"]) and world.refreshes(0) == 1

        await until(is_lost, what="the lost answer")
        # Whether it waits for its own turn to end or not: that would be in a minute.
        await asyncio.sleep(2.5)
        await world.time_passes()
        run = await world.daemon.finished(run_id)

        lost = await settled(world)
        state, reason, _ = (await world.states())["u0"]
        await world.grant_anew(0)
        await hears(world)
        await world.check(USERS)

    assert (run["outcome"], run["created"]) == ("partial", len(USERS) - 1), run
    assert (state, lost) == ("reauth_required", ["u0"])
    assert "the answer to a refresh was lost" in reason


async def test_daemon_killed_around_a_page_of_plays_stores_every_play_once(
    concert: Concerts,
) -> None:
    async with concert(users=len(USERS), job_keys={"claim": 2}) as world:
        await world.grant(USERS)
        await world.run()
        for name, point in AROUND_PLAYS.items():
            for index in USERS:
                world.standin.listeners.listen(index, 5)
            await world.dies_at(point)

            run = await world.goes_on()

            await world.check(USERS)
            assert (run["outcome"], run["resumed"]) == ("succeeded", 1), (name, run)
            assert run["seen"] == run["created"] + run["updated"] == len(USERS), name
            assert run["plays"]["inserted"] == 5 * len(USERS), name
