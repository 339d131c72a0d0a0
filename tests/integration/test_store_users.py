"""Users as the platform tells us about them: what a name means later, and ten thousand at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.running import Running, running

from syncd.errors import BadInput
from syncd.model.account import UserEntry
from syncd.store.database import Database
from syncd.store.users import PutResult, UserStore

GITHUB = "github"
LOGIN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock()) as world:
        yield world


@pytest.fixture
def users(world: Running) -> UserStore:
    return world.users


def entry(key: str = "ada", github: str | None = "Ada-L", **changes: Any) -> UserEntry:
    accounts = {} if github is None else {GITHUB: github}
    return UserEntry(**({"key": key, "accounts": accounts} | changes))


def counts(result: PutResult) -> tuple[int, int, int]:
    return result.created, result.changed, result.same


async def account(users: UserStore, key: str = "ada") -> dict[str, Any]:
    user = await users.read(key)
    assert user is not None
    return user["accounts"][0] if user["accounts"] else {}


async def renamed(world: Running, name: str) -> None:
    """Let a sync find out that the account has another name today."""
    await world.rows("UPDATE accounts SET external_id = '7', handle = $1", name)


async def test_telling_a_user_again_changes_nothing(users: UserStore) -> None:
    first = await users.put([entry()])

    again = await users.put([entry()])

    assert (counts(first), counts(again)) == ((1, 0, 0), (0, 0, 1))
    assert (first.linked, again.linked, again.withdrawn) == (1, 0, frozenset())


async def test_a_platform_that_is_not_named_is_left_as_it_is(users: UserStore) -> None:
    await users.put([entry()])

    await users.put([entry(github=None)])

    assert (await account(users))["handle"] == "Ada-L"


async def test_an_empty_name_disconnects_with_everything_stored(
    users: UserStore, world: Running
) -> None:
    await users.put([entry()])

    result = await users.put([entry(github="")])

    assert (result.unlinked, len(result.withdrawn), counts(result)) == (1, 1, (0, 1, 0))
    assert await world.value("SELECT count(*) FROM accounts") == 0


@pytest.mark.parametrize("name", ["Ada-L", "ada-l", "new-name", "New-Name"])
async def test_after_a_rename_the_name_we_were_told_and_the_new_one_mean_the_same_account(
    users: UserStore, world: Running, name: str
) -> None:
    await users.put([entry()])
    await renamed(world, "new-name")

    result = await users.put([entry(github=name)])

    assert (counts(result), result.linked) == ((0, 0, 1), 0)
    assert (await account(users))["external_id"] == "7"


async def test_another_name_is_another_account_and_nothing_of_the_old_one_is_kept(
    users: UserStore, world: Running
) -> None:
    await users.put([entry()])
    await renamed(world, "new-name")

    result = await users.put([entry(github="somebody-else")])

    assert (result.linked, len(result.withdrawn), counts(result)) == (1, 1, (0, 1, 0))
    found = await account(users)
    assert (found["handle"], found["external_id"]) == ("somebody-else", None)


async def test_who_opts_out_is_left_alone_at_once_and_in_every_later_link(
    users: UserStore,
) -> None:
    await users.put([entry(github=None)])
    await users.set_opted_out("ada", opted_out=True)

    await users.put([entry()])

    assert (await account(users))["state"] == "opted_out"


async def test_opting_out_twice_changes_nothing_and_opting_in_undoes_it(users: UserStore) -> None:
    await users.put([entry()])

    first = await users.set_opted_out("ada", opted_out=True)
    again = await users.set_opted_out("ada", opted_out=True)
    back = await users.set_opted_out("ada", opted_out=False)

    assert (len(first), again, back) == (1, set(), first)
    assert (await account(users))["state"] == "active"


async def test_an_import_that_says_nothing_about_opting_out_leaves_it(users: UserStore) -> None:
    await users.put([entry(opted_out=True)])

    result = await users.put([entry(opted_out=None)])

    assert result.readmitted == frozenset()
    assert (await account(users))["state"] == "opted_out"


async def test_an_entry_that_opts_out_and_links_links_nothing_that_is_followed(
    users: UserStore,
) -> None:
    await users.put([entry(github=None)])

    result = await users.put([entry(opted_out=True)])

    assert (await account(users))["state"] == "opted_out"
    assert len(result.withdrawn) == 1


async def test_an_entry_that_opts_in_readmits_the_accounts(users: UserStore) -> None:
    await users.put([entry(opted_out=True)])

    result = await users.put([entry(opted_out=False)])

    assert len(result.readmitted) == 1
    assert (await account(users))["state"] == "active"


async def test_a_login_date_that_is_not_told_is_kept(users: UserStore) -> None:
    await users.put([entry(last_login_at=LOGIN)])

    result = await users.put([entry()])

    user = await users.read("ada")
    assert user is not None
    assert (user["last_login_at"], result.same) == (LOGIN, 1)


async def test_a_deleted_user_leaves_no_row_anywhere(users: UserStore, world: Running) -> None:
    await users.put([entry()])
    await world.around.stores.accounts.enroll("profiles", [(GITHUB, "main")])

    gone = await users.delete("ada")

    assert gone is not None
    assert len(gone) == 1
    for table in ("users", "accounts", "sync_state", "profiles"):
        assert await world.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
    assert await users.delete("ada") is None


async def test_a_user_without_accounts_is_deleted_too(users: UserStore) -> None:
    await users.put([entry(github=None)])

    assert await users.delete("ada") == frozenset()


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(users: UserStore) -> None:
    result = await users.put([entry(), entry("bo", "bo")], dry_run=True)

    assert (counts(result), result.linked) == ((2, 0, 0), 2)
    assert await users.count() == 0


async def test_the_same_user_put_by_two_callers_at_once_is_stored_once(users: UserStore) -> None:
    results = await asyncio.gather(*(users.put([entry()]) for _ in range(8)))

    assert sum(result.created for result in results) == 1
    assert sum(result.linked for result in results) == 1
    assert await users.count() == 1


async def test_ten_thousand_users_go_in_at_once_and_again(users: UserStore) -> None:
    entries = [entry(f"user-{n}", f"login-{n}", last_login_at=LOGIN) for n in range(10_000)]
    begun = perf_counter()

    first = await users.put(entries)
    again = await users.put(entries)

    assert (counts(first), first.linked) == ((10_000, 0, 0), 10_000)
    assert counts(again) == (0, 0, 10_000)
    assert perf_counter() - begun < 8


async def test_a_file_larger_than_a_statement_is_still_all_or_nothing(users: UserStore) -> None:
    entries = [entry(f"user-{n}", f"login-{n}") for n in range(2_500)]

    with pytest.raises(BadInput):
        await users.put([*entries, entry("zz\0")])

    assert await users.count() == 0
    assert counts(await users.put(entries, dry_run=True)) == (2_500, 0, 0)
    assert counts(await users.put([])) == (0, 0, 0)


@pytest.mark.parametrize(
    "unfit", [entry("a\0b"), entry("x" * 129), entry(github="\ud800"), entry(github="x" * 301)]
)
async def test_a_value_the_database_refuses_is_bad_input(
    users: UserStore, unfit: UserEntry
) -> None:
    with pytest.raises(BadInput) as told:
        await users.put([unfit])

    assert told.value.hint


async def test_every_instant_of_a_user_is_an_instant(users: UserStore, world: Running) -> None:
    await users.put([entry(last_login_at=LOGIN)])
    await world.around.stores.accounts.enroll("profiles", [(GITHUB, "main")])
    await world.rows("UPDATE sync_state SET succeeded_at = $1, attempted_at = $1", LOGIN)

    found = await account(users)

    assert (found["fresh_at"], found["attempted_at"]) == (LOGIN, LOGIN)


async def test_what_is_read_page_by_page_can_be_put_again_and_changes_nothing(
    users: UserStore,
) -> None:
    await users.put([entry(f"u{n}", f"login-{n}") for n in range(25)])
    await users.put([entry("u3", opted_out=True, github=None, last_login_at=LOGIN)])
    pages, after = [], ""

    while page := await users.read_page(after, 10):
        pages += page
        after = page[-1]["key"]
    result = await users.put([to_entry(user) for user in pages])

    assert [user["key"] for user in pages] == sorted(f"u{n}" for n in range(25))
    assert counts(result) == (0, 0, 25)


def to_entry(user: dict[str, Any]) -> UserEntry:
    return UserEntry(
        key=user["key"],
        accounts={each["platform"]: each["handle"] for each in user["accounts"]},
        opted_out=user["opted_out"],
        last_login_at=user["last_login_at"],
    )
