"""Who may follow whom: links told again, changed, and claimed by several users."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing
from fakes.waiting import until

from syncd.model.run import Outcome
from syncd.sandbox.population import Population
from syncd.store.database import Database


async def test_linking_the_old_login_again_does_not_move_to_the_stranger_who_has_it(
    world: Syncing, population: Population
) -> None:
    known = await world.account("ada")
    population.take_over(known["handle"])
    await world.run()

    await world.link({"ada": known["handle"]})
    await world.run()

    after = await world.account("ada")
    assert (after["id"], after["external_id"]) == (known["id"], known["external_id"])
    assert after["raw"]["id"] == population.account_id(1)


async def test_linking_another_login_is_another_account(
    world: Syncing, population: Population
) -> None:
    known = await world.account("ada")

    await world.link({"ada": population.login(3)})
    await world.run()

    after = await world.account("ada")
    assert after["id"] != known["id"]
    assert after["raw"]["id"] == population.account_id(3)


async def test_second_user_of_one_account_is_quarantined_with_a_sentence(
    world: Syncing, population: Population
) -> None:
    await world.link({"eve": population.login(1).upper()})

    await world.run()

    eve = await world.account("eve")
    assert eve["state"] == "quarantined"
    assert eve["state_reason"] == "the account is linked already, to user 'ada'"
    assert (eve["external_id"], eve["raw"]) == (None, None)
    assert (await world.account("ada"))["state"] == "active"


@pytest.mark.parametrize("rate", ["10/s", "1000/s"])
async def test_many_users_who_link_one_account_at_once_leave_one_of_them_active(
    database: Database,
    tmp_path: Path,
    base_url: str,
    clock: FakeClock,
    population: Population,
    rate: str,
) -> None:
    users = [f"user-{number:02}" for number in range(80)]
    async with syncing(database, tmp_path, base_url, clock=clock, rate=rate) as world:
        await world.link(dict.fromkeys(users, population.login(5)))

        run = await world.run()

        rows = {user: await world.account(user) for user in users}
    [holder] = [user for user, row in rows.items() if row["external_id"]]
    refused = [row for row in rows.values() if row["state"] == "quarantined"]
    assert (run.outcome, run.report.created, run.error) == (Outcome.PARTIAL, 1, "")
    assert len(refused) == 79
    reasons = {row["state_reason"] for row in refused}
    assert reasons == {f"the account is linked already, to user '{holder}'"}


async def test_account_that_somebody_else_gets_while_it_is_stored_is_theirs(
    world: Syncing, population: Population, database: Database
) -> None:
    await world.link({"eve": population.login(5), "first": population.login(6)})
    await world.run("nobody")
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE accounts SET external_id = $1 WHERE handle = $2",
            str(population.account_id(5)),
            population.login(6),
        )
        run = asyncio.ensure_future(world.run("eve"))
        await until(partial(is_blocked, database), what="the commit to wait for us")

    ended = await run

    assert (ended.outcome, ended.error) == (Outcome.PARTIAL, "")
    eve = await world.account("eve")
    assert eve["state_reason"] == "the account is linked already, to user 'first'"


async def is_blocked(database: Database) -> bool:
    async with database.connection() as connection:
        return await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
