"""A batch: its data, its items' state and the run's counts, all or nothing, told truthfully."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fakes.batches import AT, Desk, accounts_of, begin, changed, failure, success
from fakes.clock import FakeClock
from fakes.running import PLAY, running

from syncd.errors import LeaseLost
from syncd.model.item import Failure, Retry, Success
from syncd.model.profile import Unchanged
from syncd.model.run import Ending, Outcome
from syncd.store.database import Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with running(database, FakeClock(AT)) as world:
        await world.link(8)
        yield Desk(world, await begin(world), await accounts_of(world))


async def test_created_updated_and_unchanged_are_told_truthfully(desk: Desk) -> None:
    first, second, third, *_ = desk.accounts
    await desk.commit(success(first), success(second))

    told = await desk.commit(success(first), success(second, followers=5), success(third))

    assert (told.report.created, told.report.updated, told.report.unchanged) == (1, 1, 1)


async def test_a_key_that_changes_without_meaning_is_no_change(desk: Desk) -> None:
    account, *_ = desk.accounts
    volatile = frozenset({"seen_by"})
    await desk.commit(changed(success(account, seen_by=1), volatile=volatile))

    told = await desk.commit(changed(success(account, seen_by=2), volatile=volatile))

    assert told.report.unchanged == 1
    assert [row["raw"]["seen_by"] for row in await desk.profiles()] == [1]


async def test_a_new_mapping_rewrites_what_was_mapped_before(desk: Desk) -> None:
    account, *_ = desk.accounts
    await desk.commit(success(account))

    told = await desk.commit(changed(success(account), followers=7), mapper_version=2)

    assert told.report.updated == 1
    assert [row["followers"] for row in await desk.profiles()] == [7]


async def test_a_field_the_platform_did_not_send_is_stored_as_unknown(desk: Desk) -> None:
    account, *_ = desk.accounts

    await desk.commit(changed(success(account), name="Ada", followers=0))

    row = (await desk.profiles())[0]
    assert (row["name"], row["followers"], row["following"]) == ("Ada", 0, None)


async def test_a_batch_that_is_committed_again_changes_no_data(desk: Desk) -> None:
    items = [success(account) for account in desk.accounts]
    await desk.commit(*items)
    before = await desk.profiles()

    told = await desk.commit(*items)

    assert told.report.unchanged == len(items)
    assert await desk.profiles() == before


async def test_a_dry_run_keeps_the_counts_and_nothing_else(desk: Desk) -> None:
    first, second, *_ = desk.accounts

    await desk.commit(success(first), failure(second), dry_run=True)

    assert (await desk.report()).created == 1
    assert (await desk.report()).failures == {"transient": 1}
    assert await desk.profiles() == []
    assert (await desk.state(second))["fail_streak"] == 0
    assert await desk.world.value("SELECT count(*) FROM item_outcomes") == 0


@pytest.mark.parametrize("leaving", ["opts out", "is deleted", "disconnects", "links another"])
async def test_who_leaves_between_claim_and_commit_is_skipped_and_not_written(
    desk: Desk, leaving: str
) -> None:
    users, (first, second, *_) = desk.world.users, desk.accounts
    match leaving:
        case "opts out":
            await users.set_opted_out(first.user_key, opted_out=True)
        case "is deleted":
            await users.delete(first.user_key)
        case "disconnects":
            await desk.world.relink(first.user_key, "")
        case _:
            await desk.world.relink(first.user_key, "somebody-else")

    told = await desk.commit(success(first), success(second))

    assert (told.report.created, told.report.skipped) == (1, 1)
    assert told.report.failures == {"withdrawn": 1}
    assert [row["account_id"] for row in await desk.profiles()] == [second.id]


POISON = {
    "a NUL in a column": {"name": "a\0b"},
    "a NUL in the answer": {"raw": {"bio": "a\0b"}},
    "a lone surrogate": {"bio": "\ud800"},
    "a number that is too large": {"followers": 2**63},
    "a handle that is too long": {"handle": "h" * 301},
    "not a number": {"raw": {"rating": float("nan")}},
    "a boolean for a name": {"name": True},
}


@pytest.mark.parametrize("fields", POISON.values(), ids=POISON)
async def test_a_row_that_cannot_be_stored_fails_alone(desk: Desk, fields: dict[str, Any]) -> None:
    bad = desk.accounts[3]
    items = [
        changed(success(account), **fields) if account is bad else success(account)
        for account in desk.accounts
    ]

    told = await desk.commit(*items)

    assert (told.report.created, told.report.failures) == (7, {"schema_error": 1})
    assert told.report == await desk.report()
    assert told.report.calls == len(items)
    assert bad.id not in {row["account_id"] for row in await desk.profiles()}
    assert (await desk.state(bad))["outcome"] == "schema_error"


async def test_a_poisoned_error_text_does_not_stop_its_batch(desk: Desk) -> None:
    first, second, *_ = desk.accounts
    odd = Failure(account=first, outcome="transient", error="it said \0 and \ud800")

    told = await desk.commit(odd, success(second))

    assert (told.report.created, told.report.failed) == (1, 1)
    assert (await desk.state(first))["fail_streak"] == 1


async def test_the_longer_a_streak_of_failures_the_longer_the_rest_up_to_a_day(desk: Desk) -> None:
    account, *_ = desk.accounts
    rests: list[timedelta] = []

    for _ in range(6):
        await desk.commit(failure(account))
        rests.append((await desk.state(account))["due_at"] - AT)

    minutes = [rest.total_seconds() / 60 for rest in rests]
    assert minutes == [15, 60, 240, 960, 1440, 1440]
    assert (await desk.state(account))["fail_streak"] == 6


async def test_a_good_answer_ends_a_streak(desk: Desk) -> None:
    account, *_ = desk.accounts
    await desk.commit(failure(account))

    await desk.commit(Success(account=account, answer=Unchanged()))

    state = await desk.state(account)
    assert (state["fail_streak"], state["error"], state["due_at"]) == (0, "", None)
    assert state["succeeded_at"] == AT


async def test_an_account_that_is_tried_again_is_not_counted_yet(desk: Desk) -> None:
    account, *_ = desk.accounts
    due_at = AT + timedelta(seconds=2)
    again = Retry(account=account, outcome="transient", error="502", due_at=due_at, attempts=1)

    told = await desk.commit(again)

    claims = await desk.world.around.stores.accounts.claim_retries(desk.number, PLAY, 10)
    assert told.report.seen == 0
    assert [(at, claim.account.id, claim.attempts) for at, claim in claims] == [
        (due_at, account.id, 1)
    ]


async def test_changed_and_failed_items_are_listed_and_unchanged_ones_only_counted(
    desk: Desk,
) -> None:
    first, second, third, *_ = desk.accounts
    await desk.commit(success(first))
    later = await begin(desk.world)

    await desk.commit(success(first), success(second), failure(third), run_id=later)

    items = await desk.world.runs.items(later, None, 10)
    assert [(item["user_key"], item["outcome"]) for item in items] == [
        ("u0001", "created"),
        ("u0002", "transient"),
    ]


async def test_a_batch_of_a_run_that_was_taken_over_writes_nothing(desk: Desk) -> None:
    account, *_ = desk.accounts
    await desk.world.runs.finish(desk.number, Ending(outcome=Outcome.FAILED), AT)

    with pytest.raises(LeaseLost):
        await desk.commit(success(account))

    assert await desk.profiles() == []
    assert (await desk.state(account))["outcome"] == ""
