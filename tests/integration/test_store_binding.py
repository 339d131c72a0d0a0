"""Which account is asked for by which credential: settled in the database, and stable."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from time import perf_counter

import pytest
from fakes.batches import AT, KIND
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, running

from syncd.model.account import UserEntry
from syncd.store.accounts import START, Selection
from syncd.store.database import Database

ACCOUNTS = 600
HOUR = timedelta(hours=1)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock(AT)) as world:
        await world.link(ACCOUNTS)
        yield world


async def bind(world: Running, *names: str) -> dict[int, str]:
    """Let a run begin that has these credentials; return who is whose."""
    await world.around.stores.accounts.enroll(KIND, [(PLAY, name) for name in names])
    rows = await world.rows("SELECT account_id, credential FROM sync_state WHERE kind = $1", KIND)
    return {row["account_id"]: row["credential"] for row in rows}


async def versions(world: Running) -> dict[int, str]:
    """Return what changes with every write of a row."""
    rows = await world.rows("SELECT account_id, xmin::text AS version FROM sync_state")
    return {row["account_id"]: row["version"] for row in rows}


async def test_with_one_credential_everybody_is_bound_to_it(world: Running) -> None:
    bound = await bind(world, "main")

    assert Counter(bound.values()) == {"main": ACCOUNTS}


async def test_each_credential_gets_its_share(world: Running) -> None:
    shares = Counter((await bind(world, "a", "b", "c")).values())

    assert set(shares) == {"a", "b", "c"}
    assert all(150 < share < 250 for share in shares.values())


async def test_beginning_again_moves_and_writes_nobody_in_whatever_order_they_stand(
    world: Running,
) -> None:
    first = await bind(world, "a", "b", "c")
    written = await versions(world)

    second = await bind(world, "c", "a", "b")

    assert second == first
    assert await versions(world) == written


async def test_a_credential_that_goes_leaves_only_its_own_accounts_to_the_others(
    world: Running,
) -> None:
    before = await bind(world, "a", "b", "c")
    written = await versions(world)

    after = await bind(world, "a", "c")
    back = await bind(world, "a", "b", "c")

    moved = {number for number in before if after[number] != before[number]}
    assert moved == {number for number, name in before.items() if name == "b"}
    assert set(after.values()) == {"a", "c"}
    assert {n for n, v in (await versions(world)).items() if v != written[n]} == moved
    assert back == before


async def test_a_credential_that_comes_takes_its_share_and_moves_nobody_else(
    world: Running,
) -> None:
    before = await bind(world, "a", "b")

    after = await bind(world, "a", "b", "c")

    moved = {number for number in before if after[number] != before[number]}
    assert {after[number] for number in moved} == {"c"}
    assert 150 < len(moved) < 250


async def test_who_is_linked_later_is_bound_as_if_linked_before(world: Running) -> None:
    before = await bind(world, "a", "b", "c")
    await world.link(300, first=ACCOUNTS)

    after = await bind(world, "a", "b", "c")

    assert {number: after[number] for number in before} == before
    assert all(70 < share < 130 for share in Counter(list(after.values())[ACCOUNTS:]).values())


async def test_platforms_are_bound_by_their_own_credentials(world: Running) -> None:
    await world.users.put([UserEntry(key="u0000", accounts={"other": "x"})])
    outlets = [(PLAY, "a"), (PLAY, "b"), ("other", "c")]

    await world.around.stores.accounts.enroll(KIND, outlets)

    rows = await world.rows("SELECT platform, credential, count(*) FROM sync_state GROUP BY 1, 2")
    counts = {(row["platform"], row["credential"]): row["count"] for row in rows}
    assert set(counts) == set(outlets)
    assert counts["other", "c"] == 1


async def test_a_claim_is_of_one_credential_and_all_claims_together_are_everybody(
    world: Running,
) -> None:
    bound = await bind(world, "a", "b")
    claimed = {}
    for name in ("a", "b"):
        selection = Selection(kind=KIND, platforms=(PLAY,), began_at=AT, credential=name)
        claims = await world.around.stores.accounts.claim(selection, PLAY, 0, START, 1_000)
        claimed |= {claim.account.id: name for claim in claims}
    due = await world.around.stores.accounts.count_due(
        Selection(kind=KIND, platforms=(PLAY,), began_at=AT)
    )

    assert claimed == bound
    assert due == {(PLAY, name): share for name, share in Counter(bound.values()).items()}


async def test_the_next_retry_is_when_the_first_credential_may_be_used(world: Running) -> None:
    await bind(world, "a", "b")
    found = world.around.stores.accounts.next_retry

    at = await found(KIND, AT, {(PLAY, "a"): AT + 24 * HOUR, (PLAY, "b"): AT + HOUR})

    assert at == AT + HOUR


async def test_what_one_credential_cannot_see_is_not_missing_because_another_one_answers(
    world: Running,
) -> None:
    await bind(world, "a", "b")
    for past in (AT - 13 * HOUR, AT):
        await world.rows(
            "UPDATE sync_state SET attempted_at = $1::timestamptz, outcome = CASE credential "
            "WHEN 'a' THEN 'not_found' ELSE 'unchanged' END, "
            "detailed_at = CASE credential WHEN 'b' THEN $1::timestamptz END",
            past,
        )
        for name in ("a", "b"):
            selection = Selection(kind=KIND, platforms=(PLAY,), began_at=past, credential=name)
            gone = await world.around.stores.accounts.confirm_missing(selection, PLAY, 12 * HOUR)
            assert gone == []


async def test_that_a_hundred_thousand_accounts_are_bound_is_seen_in_a_moment(
    world: Running,
) -> None:
    await world.rows("INSERT INTO users (key) SELECT 'k' || n FROM generate_series(1, 100000) n")
    await world.rows(
        "INSERT INTO accounts (user_id, platform, handle, linked_as) "
        "SELECT id, $1, key, key FROM users WHERE key LIKE 'k%'",
        PLAY,
    )
    outlets = [(PLAY, name) for name in ("a", "b", "c")]
    await world.around.stores.accounts.enroll(KIND, outlets)
    await world.rows("ANALYZE")

    begun = perf_counter()
    await world.around.stores.accounts.enroll(KIND, outlets)
    again = perf_counter() - begun

    assert again < 2
