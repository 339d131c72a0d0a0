"""Faults 60 and 63: one grant refreshed by many at once, and access tokens that end in mid-run."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from fakes.concert import Concert, Concerts
from fakes.refreshing import digest, refreshing
from fakes.waiting import until

from syncd.sandbox.faults import latency
from syncd.sandbox.spotify import TOKEN_PATH
from syncd.sandbox.spotify_faults import PLAYED

pytestmark = pytest.mark.timeout(300)

TASKS = 50


def configured(world: Concert, folder: Path) -> Path:
    """Return the config of another process that has its own state and the same keys."""
    folder.mkdir()
    daemon = world.daemon
    state = folder / "state"
    state.mkdir(mode=0o700)
    shutil.copy2(daemon.state_dir / "token-keys", state)
    return Path(shutil.copy2(daemon.config, folder))


async def test_fifty_refreshes_of_one_grant_over_two_processes_are_one_call(
    concert: Concerts, tmp_path: Path
) -> None:
    async with concert(users=1) as world:
        await world.grant([0])
        # The others come while it is under way.
        world.standin.faults.add(latency(0.5), path=TOKEN_PATH)
        configs = [configured(world, tmp_path / name) for name in ("one", "other")]
        async with (
            refreshing(configs[0], "u0", TASKS // 2) as one,
            refreshing(configs[1], "u0", TASKS // 2) as other,
        ):
            await asyncio.gather(one.is_ready(), other.is_ready())

            got = await asyncio.gather(one.begins(), other.begins())

        calls = world.standin.counters.refresh_calls
        run = await world.run()
        await world.check([0])

    tokens = [token for each in got for token in each]
    assert len(tokens) == TASKS
    assert len(set(tokens)) == 1
    assert calls == 1
    # It is stored too: the daemon goes on with it.
    assert (run["outcome"], run["calls"]) == ("succeeded", 1), run
    assert digest("") not in tokens


async def test_process_that_asks_while_the_other_was_killed_in_its_turn_gets_a_good_token(
    concert: Concerts, tmp_path: Path
) -> None:
    async with concert(users=1, rotates=False) as world:
        await world.grant([0])
        world.at_next_refresh(world.daemon_dies)
        await world.trigger()
        await world.daemon.ended()
        config = configured(world, tmp_path / "other")

        async with refreshing(config, "u0", 2) as other:
            await other.is_ready()
            begun = asyncio.ensure_future(other.begins())
            await asyncio.sleep(1)
            waited = not begun.done()
            await world.time_passes()
            tokens = await begun

        await world.daemon.start()
        assert waited
        assert len(set(tokens)) == 1
        assert world.standin.counters.refresh_calls == 2


async def test_access_token_that_is_not_taken_in_mid_run_costs_one_refresh_and_no_play(
    concert: Concerts,
) -> None:
    users = range(6)
    async with concert(users=len(users)) as world:
        await world.grant(users)
        await world.run()
        for index in users:
            world.standin.listeners.listen(index, 3)
        for index in (1, 4):
            world.standin.grants.expire_access(index)
        before = {index: world.refreshes(index) for index in users}

        run = await world.run()

        await world.check(users)
        asked = {index: world.refreshes(index) - before[index] for index in users}
        fetches = {index: world.standin.counters.fetches(index) for index in users}

    assert (run["outcome"], run["failed"]) == ("succeeded", 0), run
    assert run["plays"]["inserted"] == 3 * len(users)
    assert asked == {index: int(index in {1, 4}) for index in users}
    assert set(fetches.values()) == {2}


async def test_everybodys_access_that_ends_in_mid_run_is_renewed_once_for_each(
    concert: Concerts,
) -> None:
    users = range(20)
    over = {"platforms.spotify": {"slots": 4, "rate": "10/s", "burst": 1}}
    async with concert(over, users=len(users), job_keys={"claim": 5}) as world:
        await world.grant(users, has_access=True)
        run_id = await world.trigger()
        await world.daemon.reached(run_id, 5)
        world.standin.grants.expire_access()

        run = await world.daemon.finished(run_id)

        await world.check(users)
        refreshes = [world.refreshes(index) for index in users]

    assert (run["outcome"], run["failed"]) == ("succeeded", 0), run
    assert run["seen"] == run["created"] + run["unchanged"] == len(users)
    assert set(refreshes) <= {0, 1}
    assert 1 in refreshes


async def test_access_token_that_is_never_taken_ends_in_a_new_consent_not_in_a_loop(
    concert: Concerts,
) -> None:
    async with concert(users=3) as world:
        await world.grant(range(3))
        world.standin.fault_of(0, "access_expired")

        run = await world.run()
        calls, fetches = world.refreshes(0), world.standin.counters.fetches(0)
        states = await world.states()
        again = await world.run()
        asked = world.refreshes(0) - calls
        world.standin.cure()
        await world.grant_anew(0)
        await world.run()
        await world.check(range(3))

    assert (run["created"], run["failed"]) == (2, 1), run
    assert (calls, fetches) == (2, 2)
    assert states["u0"][0] in {"active", "reauth_required"}, states
    assert asked <= 1, again


@pytest.mark.parametrize("moment", ["a page", "a refresh"])
async def test_daemon_that_is_stopped_in_mid_run_keeps_what_it_was_told(
    concert: Concerts, moment: str
) -> None:
    users = range(4)
    async with concert(users=len(users)) as world:
        await world.grant(users)
        path = PLAYED if moment == "a page" else TOKEN_PATH
        world.standin.faults.add(latency(1), path=path, times=1)
        await world.trigger()
        await until(lambda: world.are_asked(1), what="a refresh")

        code = await world.daemon.stop()
        run = await world.goes_on()

        await world.check(users)
        refreshes = [world.refreshes(index) for index in users]

    assert code == 0
    assert (run["outcome"], run["failed"]) == ("succeeded", 0), run
    assert set(refreshes) == {1}
