"""Fault 62: a grant that is refused, once, for ever, or because the platform refuses everybody."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.concert import Concert, Concerts
from fakes.waiting import until

from syncd.sandbox.faults import latency
from syncd.sandbox.spotify import TOKEN_PATH

pytestmark = pytest.mark.timeout(300)


async def platform(world: Concert) -> dict[str, Any]:
    told = (await world.daemon.get("/api/platforms"))["platforms"]
    return next(dict(each) for each in told if each["name"] == "spotify")


async def remembered(world: Concert) -> dict[str, Any]:
    """Return the platform once the daemon that begins remembers what it waits for."""

    async def found() -> dict[str, Any] | None:
        told = await platform(world)
        return told if told["waits_for"] else None

    return await until(found, what="the stored pause of Spotify")


async def why(world: Concert, index: int) -> dict[str, Any]:
    told = await world.daemon.get(f"/api/users/{world.spotify.key(index)}/why")
    return dict(told["accounts"][0])


async def test_user_who_took_the_app_away_is_asked_for_once_then_confirmed_and_the_others_go_on(
    concert: Concerts,
) -> None:
    users = range(6)
    async with concert(users=len(users)) as world:
        await world.grant(users)
        await world.run()
        world.standin.grants.withdraw(2)
        for index in users:
            world.standin.listeners.listen(index)
        await world.time_passes()
        before = world.refreshes(2)

        first = await world.run()
        doubted = (await world.states())["u2"]
        at_once = await world.run()
        asked = world.refreshes(2) - before
        await world.time_passes()
        for index in users:
            world.standin.listeners.listen(index)
        later = await world.run()
        confirmed = (await world.states())["u2"]
        asked_twice = world.refreshes(2) - before
        await world.time_passes()
        after = await world.run()

        told = await why(world, 2)
        listed = (await world.daemon.get("/api/tokens?state=reauth_required"))["tokens"]
        assert world.refreshes(2) - before == asked_twice == 2
        await world.grant_anew(2)
        again = await world.run()
        await world.check(users)

    assert (first["outcome"], first["updated"], first["failed"]) == ("partial", 5, 1), first
    assert (asked, doubted[0], doubted[2]) == (1, "active", "suspect"), at_once
    assert (later["updated"], later["failed"]) == (5, 1), later
    assert (confirmed[0], confirmed[2]) == ("reauth_required", "dead")
    assert "refused the refresh token" in confirmed[1]
    assert (after["outcome"], after["seen"]) == ("succeeded", 5), after
    assert told["state"] == "reauth_required"
    assert [each["key"] for each in listed] == ["u2"]
    assert (again["outcome"], again["seen"], again["updated"]) == ("succeeded", 6, 1), again


async def test_user_who_is_refused_once_by_mistake_loses_nothing(concert: Concerts) -> None:
    async with concert(users=4) as world:
        await world.grant(range(4))
        world.standin.accounts.refuse_refreshes("invalid_grant", index=1, times=1)

        first = await world.run()
        await world.time_passes()
        second = await world.run()
        states = await world.states()
        await world.check(range(4))

    assert (first["created"], first["failed"]) == (3, 1), first
    assert (second["outcome"], second["failed"]) == ("succeeded", 0), second
    assert {(state, health) for state, _, health in states.values()} == {("active", "ok")}


@pytest.mark.parametrize(
    "users", [1, 2, 12, *(pytest.param(many, marks=pytest.mark.full) for many in (3, 40))]
)
async def test_outage_that_refuses_everybody_loses_no_grant(concert: Concerts, users: int) -> None:
    async with concert(users=users) as world:
        await world.grant(range(users))
        await world.run()
        for index in range(users):
            world.standin.listeners.listen(index)
        await world.time_passes()
        # What it saw within ten minutes is long ago, and so it is with a daemon that begins.
        await world.daemon.restart()
        calls = world.standin.counters.refresh_calls
        world.standin.accounts.refuse_refreshes("invalid_grant")

        during = await world.run()
        await world.daemon.restart()
        asked = world.standin.counters.refresh_calls - calls
        paused, states = await (remembered if users > 1 else platform)(world), await world.states()
        world.standin.accounts.accept_refreshes()
        await world.time_passes()
        if users > 1:
            answer = await world.daemon.api("POST", "/api/platforms/spotify/resume", {})
            assert answer.status == 200, answer
        afterwards = await world.run()
        healed = await world.states()
        await world.check(range(users))

    # It was noticed before everybody was refused; who is one of many is not doubted for it.
    assert during["outcome"] == "partial", during
    # As many as show a share, and those that are under way by then.
    assert asked <= min(users, 10) + 4, asked
    assert {state for state, _, _ in states.values()} == {"active"}
    assert {health for _, _, health in states.values()} == {"suspect" if users == 1 else "ok"}
    if users > 1:
        assert "provider outage suspected" in paused["waits_for"], paused
        assert "provider outage suspected" in during["error"], during
    assert (afterwards["outcome"], afterwards["failed"]) == ("succeeded", 0), afterwards
    assert afterwards["plays"]["inserted"] >= users, afterwards
    assert {(state, health) for state, _, health in healed.values()} == {("active", "ok")}


async def test_answers_lost_at_once_by_several_are_no_outage_and_end_with_a_reason(
    concert: Concerts,
) -> None:
    users, lost = range(8), 3
    async with concert({"platforms.spotify": {"slots": lost}}, users=len(users)) as world:
        await world.grant(users)
        # All wait for their answers when it dies: it was slow for a while.
        world.standin.faults.add(latency(2), path=TOKEN_PATH)
        run_id = await world.trigger()
        await until(lambda: world.are_asked(lost), what="several refreshes under way")
        world.daemon_dies()
        await world.daemon.ended()
        world.standin.faults.clear()
        await world.time_passes()

        run = await world.goes_on()
        for _ in range(4):
            await world.time_passes()
            await world.daemon.restart()
            await world.run()
        calls = world.standin.counters.refresh_calls
        await world.time_passes()
        after = await world.run()
        states = await world.states()
        ended = [key for key, (state, _, _) in states.items() if state == "reauth_required"]
        for key in ended:
            await world.grant_anew(int(key.removeprefix("u")))
        await world.run()
        await world.check(users)

    assert run["id"] == run_id
    assert len(ended) == lost, states
    assert all("the answer to a refresh was lost" in states[key][1] for key in ended)
    assert (after["outcome"], after["seen"]) == ("succeeded", len(users) - lost), after
    assert calls + len(users) - lost == world.standin.counters.refresh_calls - lost
