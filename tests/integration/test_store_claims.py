"""What is due: oldest first, everybody once, and fast at any size."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, draft, running

from syncd.model.item import Claim, Failure
from syncd.model.run import RunId
from syncd.store.accounts import START, AccountStore, Position, Selection
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.sync import Batch

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
KIND = "profiles"
HOUR = timedelta(hours=1)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock(AT)) as world:
        yield world


def accounts(world: Running) -> AccountStore:
    return world.around.stores.accounts


def selection(began_at: datetime = AT, **changes: Any) -> Selection:
    return Selection(kind=KIND, platforms=(PLAY,), began_at=began_at, **changes)


async def link(world: Running, count: int, *, apart: timedelta = timedelta()) -> None:
    """Link accounts; with `apart` they had a success, each that much before the last."""
    await world.link(count)
    await accounts(world).enroll(KIND, [(PLAY, "main")])
    for number in range(count if apart else 0):
        at = AT - HOUR - number * apart
        await change(world, f"u{number:04}", attempted_at=at, succeeded_at=at)


async def change(world: Running, user: str, **columns: Any) -> None:
    """Write the state of a user's account as no run would."""
    for name, value in columns.items():
        table = "accounts" if name == "state" else "sync_state"
        key = "id" if name == "state" else "account_id"
        await world.rows(
            f"UPDATE {table} SET {name} = $2 WHERE {key} IN (SELECT accounts.id FROM accounts "  # noqa: S608
            "JOIN users ON users.id = user_id WHERE users.key = $1)",
            user,
            value,
        )


def users(claims: list[Claim]) -> list[str]:
    return [claim.account.user_key for claim in claims]


async def claim(world: Running, chosen: Selection, limit: int = 100) -> list[str]:
    return users(await accounts(world).claim(chosen, PLAY, 0, START, limit))


async def test_the_oldest_attempt_is_claimed_first_and_who_was_never_tried_before_all(
    world: Running,
) -> None:
    await link(world, 4, apart=HOUR)
    await world.link(1, first=4)
    await accounts(world).enroll(KIND, [(PLAY, "main")])

    assert await claim(world, selection()) == ["u0004", "u0003", "u0002", "u0001", "u0000"]


async def test_a_position_before_all_time_works_through_the_driver(world: Running) -> None:
    await link(world, 3)
    first = await accounts(world).claim(selection(), PLAY, 0, START, 1)
    place = Position(attempted_at=first[0].attempted_at, account_id=first[0].account.id)

    rest = await accounts(world).claim(selection(), PLAY, 0, place, 10)

    assert len(set(users(first + rest))) == 3


async def commit(world: Running, run_id: RunId, claims: list[Claim], at: datetime) -> None:
    items = [
        Failure(account=claim.account, outcome="transient", error="502", rest_seconds=0)
        for claim in claims
    ]
    await world.around.stores.sync.commit(
        Batch(
            run_id=run_id,
            kind=KIND,
            platform=PLAY,
            mapper_version=1,
            items=items,
            calls=0,
            saved=0,
            at=at,
        )
    )


async def test_pages_never_repeat_or_skip_an_account_while_others_are_committed(
    world: Running,
) -> None:
    await link(world, 97)
    run_id = await world.runs.create(draft(world.clock))
    await world.runs.begin(run_id, AT)
    position, seen, waiting = START, [], []

    while claims := await accounts(world).claim(selection(), PLAY, run_id, position, 10):
        seen += users(claims)
        position = Position(attempted_at=claims[-1].attempted_at, account_id=claims[-1].account.id)
        waiting.append(claims)
        if len(waiting) > 2:
            await commit(world, run_id, waiting.pop(1), AT + timedelta(seconds=len(seen)))

    assert len(seen) == len(set(seen)) == 97


async def test_what_a_run_attempted_is_not_due_in_it_again(world: Running) -> None:
    await link(world, 3)
    run_id = await world.runs.create(draft(world.clock))
    await world.runs.begin(run_id, AT)
    claims = await accounts(world).claim(selection(), PLAY, run_id, START, 2)
    await commit(world, run_id, claims, AT)

    left = await claim(world, selection())

    assert len(left) == 1
    assert await accounts(world).count_due(selection()) == {(PLAY, "main"): 1}


async def test_a_catch_up_takes_only_accounts_without_a_success_of_late(world: Running) -> None:
    await link(world, 3)
    await change(world, "u0000", attempted_at=AT - HOUR, succeeded_at=AT - HOUR)
    await change(world, "u0001", attempted_at=AT - HOUR, succeeded_at=AT - 13 * HOUR)

    chosen = selection(without_success_since=AT - 12 * HOUR)

    assert await claim(world, chosen) == ["u0002", "u0001"]
    assert await accounts(world).count_due(chosen) == {(PLAY, "main"): 2}


async def test_a_retry_leaves_out_who_failed_and_still_rests(world: Running) -> None:
    await link(world, 3, apart=HOUR)
    await change(world, "u0000", fail_streak=1, due_at=AT + HOUR)
    await change(world, "u0001", fail_streak=1, due_at=AT)

    assert await claim(world, selection(rested=True)) == ["u0002", "u0001"]


async def test_only_takes_these_users_and_a_limit_caps_them(world: Running) -> None:
    await link(world, 5)

    assert sorted(await claim(world, selection(only=("u0001", "u0003")))) == ["u0001", "u0003"]
    assert len(await claim(world, selection(), limit=2)) == 2
    assert await claim(world, selection(only=("nobody",))) == []


@pytest.mark.parametrize("state", ["gone", "quarantined"])
async def test_an_account_that_is_out_is_looked_at_once_a_week_or_when_asked_for(
    world: Running, state: str
) -> None:
    await link(world, 2, apart=HOUR)
    await change(world, "u0000", state=state, attempted_at=AT - timedelta(days=6, hours=23))
    await change(world, "u0001", state=state, attempted_at=AT - timedelta(days=7, hours=1))

    assert await claim(world, selection()) == ["u0001"]
    assert await claim(world, selection(only=("u0000",))) == ["u0000"]


@pytest.mark.parametrize("state", ["opted_out", "paused", "reauth_required"])
async def test_an_account_that_must_not_be_asked_for_is_never_due(
    world: Running, state: str
) -> None:
    await link(world, 1)
    await change(world, "u0000", state=state)

    assert await claim(world, selection()) == []
    assert await claim(world, selection(only=("u0000",))) == []


async def test_the_next_retry_is_when_the_first_failed_account_has_rested(world: Running) -> None:
    await link(world, 3, apart=HOUR)
    cycle = AT - 10 * HOUR
    await change(world, "u0000", succeeded_at=cycle - HOUR, fail_streak=1, due_at=AT + 2 * HOUR)
    await change(world, "u0001", succeeded_at=None, fail_streak=1, due_at=AT + HOUR)
    found = accounts(world).next_retry

    assert await found(KIND, cycle, {(PLAY, "main"): AT}) == AT + HOUR
    assert await found(KIND, cycle, {(PLAY, "main"): AT + 3 * HOUR}) == AT + 3 * HOUR
    assert await found(KIND, cycle, {("elsewhere", "main"): AT}) is None
    assert await found(KIND, cycle, {(PLAY, "other"): AT}) is None


async def test_freshness_counts_who_is_followed_and_who_had_a_success(world: Running) -> None:
    await link(world, 4, apart=HOUR)
    await world.link(1, first=4)
    await change(world, "u0003", state="opted_out")

    found = await accounts(world).freshness(KIND, [PLAY], AT - 2 * HOUR)

    assert (found[PLAY]["followed"], found[PLAY]["fresh"]) == (4, 2)


async def test_at_twenty_thousand_accounts_a_claim_walks_the_index_and_is_quick(
    world: Running,
) -> None:
    await world.rows("INSERT INTO users (key) SELECT 'k' || n FROM generate_series(1, 20000) n")
    await world.rows(
        "INSERT INTO accounts (user_id, platform, handle, linked_as) "
        "SELECT id, $1, key, key FROM users",
        PLAY,
    )
    await accounts(world).enroll(KIND, [(PLAY, "main")])
    await world.rows(
        "UPDATE sync_state SET attempted_at = $1::timestamptz - account_id * interval '1 s'",
        AT,
    )
    await world.rows("ANALYZE")
    middle = Position(attempted_at=AT - timedelta(seconds=10_000), account_id=0)

    took = []
    for _ in range(20):
        begun = perf_counter()
        claims = await accounts(world).claim(selection(), PLAY, 0, middle, 25)
        took.append(perf_counter() - begun)

    plan = await explain(world, middle)
    assert len(claims) == 25
    assert "sync_state_oldest" in plan
    assert "Seq Scan" not in plan
    assert min(took) < 0.005


async def explain(world: Running, behind: Position) -> str:
    """Return the plan of a claim as PostgreSQL prepares it for any values."""
    values = (
        KIND,
        PLAY,
        AT,
        None,
        False,
        None,
        behind.attempted_at,
        behind.account_id,
        25,
        0,
        "main",
        "sync",
        AT,
    )
    async with world.database.connection() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        rows = await connection.fetchval(
            f"EXPLAIN (FORMAT JSON) {load_blocks('accounts')['claim_due']}", *values
        )
        await connection.execute("RESET plan_cache_mode")
    return json.dumps(json.loads(rows))
