"""Who an account is: ids and names that change, are taken twice, or vanish."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from fakes.batches import AT, KIND, Desk, accounts_of, begin, changed, failure, success
from fakes.clock import FakeClock
from fakes.running import PLAY, running

from syncd.model.item import Item
from syncd.store.accounts import Selection
from syncd.store.database import Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with running(database, FakeClock(AT)) as world:
        await world.link(8)
        yield Desk(world, await begin(world), await accounts_of(world))


async def test_an_id_that_another_user_holds_quarantines_the_second_account(desk: Desk) -> None:
    first, second, *_ = desk.accounts
    await desk.commit(success(first))

    told = await desk.commit(changed(success(second), external_id="id-h0000"))

    assert [letter.failure.account.id for letter in told.letters] == [second.id]
    state = await desk.state(second)
    assert (state["state"], state["state_reason"]) == (
        "quarantined",
        "the account is linked already, to user 'u0000'",
    )


async def test_an_id_that_comes_twice_in_a_batch_is_stored_once(desk: Desk) -> None:
    first, second, *_ = desk.accounts

    told = await desk.commit(success(first), changed(success(second), external_id="id-h0000"))

    assert (told.report.created, told.report.failures) == (1, {"unsuitable": 1})
    assert len(await desk.profiles()) == 1


async def test_a_rename_is_kept_with_the_account(desk: Desk) -> None:
    account, *_ = desk.accounts
    await desk.commit(success(account))

    await desk.commit(changed(success(account), handle="new-name"))

    assert (await desk.state(account))["handle"] == "new-name"


async def test_an_account_is_gone_when_it_was_missing_twice_twelve_hours_apart(desk: Desk) -> None:
    once = await found_missing(desk, AT)
    soon = await found_missing(desk, AT + timedelta(hours=11, minutes=59))
    late = await found_missing(desk, AT + timedelta(hours=12))

    assert (once, soon, late) == ([], [], ["u0000"])
    assert (await desk.state(desk.accounts[0]))["state"] == "gone"


async def test_nobody_is_gone_while_the_platform_answers_for_nobody(desk: Desk) -> None:
    await found_missing(desk, AT)

    silent = await found_missing(desk, AT + timedelta(hours=24), others_answer=False)

    assert silent == []
    assert (await desk.state(desk.accounts[0]))["state"] == "active"


async def test_a_good_answer_in_between_starts_the_count_anew(desk: Desk) -> None:
    await found_missing(desk, AT)
    await desk.commit(success(desk.accounts[0]), at=AT + timedelta(hours=6))

    assert await found_missing(desk, AT + timedelta(hours=13)) == []


async def test_an_account_that_answers_again_is_followed_again(desk: Desk) -> None:
    account = desk.accounts[0]
    await found_missing(desk, AT)
    await found_missing(desk, AT + timedelta(hours=12))

    await desk.commit(success(account))

    assert (await desk.state(account))["state"] == "active"


async def found_missing(desk: Desk, at: datetime, *, others_answer: bool = True) -> list[str]:
    """Let a run find the first account missing, and return whom that made gone."""
    first, second, *_ = desk.accounts
    items: list[Item] = [failure(first, "not_found")]
    if others_answer:
        items.append(success(second))
    number = await begin(desk.world, at)
    await desk.commit(*items, run_id=number, at=at)
    selection = Selection(kind=KIND, platforms=(PLAY,), began_at=at)
    accounts = desk.world.around.stores.accounts
    gone = await accounts.confirm_missing(selection, PLAY, timedelta(hours=12))
    assert await accounts.confirm_missing(selection, PLAY, timedelta(hours=12)) == []
    return [each["user_key"] for each in gone]
