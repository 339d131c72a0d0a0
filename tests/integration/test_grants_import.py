"""Grants handed over by the platform's own site: all or nothing, and again without harm."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.granted import CONSENT, NOW, change, entry, given, ids, one, renewed, states, values

from syncd.errors import BadInput
from syncd.model.account import UserEntry
from syncd.model.grant import Health
from syncd.store.database import Database
from syncd.store.grant_import import GrantResult
from syncd.store.grants import GrantStore
from syncd.store.users import UserStore

LATER = CONSENT + timedelta(days=10)
ENDS = "SELECT refresh_expires_at FROM oauth_tokens"


def counts(result: GrantResult) -> tuple[int, int, int]:
    assert not result.problems
    return result.created, result.renewed, result.same


async def test_users_and_accounts_that_a_file_names_are_made_and_linked(
    grants: GrantStore, database: Database
) -> None:
    await UserStore(database).put([UserEntry(key="bob", accounts={"spotify": "bob-there"})])

    result = await grants.put([entry("ada"), entry("bob", handle="")], dry_run=False)

    assert counts(result) == (2, 0, 0)
    assert len(result.readmitted) == 2
    listed = {each.user_key: each.handle for each in await grants.read()}
    assert listed == {"ada": "ada-there", "bob": "bob-there"}


async def test_a_file_of_thousands_is_stored_whole(grants: GrantStore, database: Database) -> None:
    entries = [entry(f"u{number:04}") for number in range(2_500)]

    assert counts(await grants.put(entries, dry_run=False)) == (2_500, 0, 0)

    assert await values(database, "SELECT count(*) FROM oauth_tokens") == [2_500]
    assert counts(await grants.put(entries, dry_run=False)) == (0, 0, 2_500)


async def test_one_entry_that_is_wrong_keeps_all_out_and_every_problem_is_told_by_its_place(
    grants: GrantStore, database: Database
) -> None:
    users = UserStore(database)
    await users.put([UserEntry(key="out", accounts={"spotify": "x"}, opted_out=True)])
    entries = [entry("zoe"), entry("out", handle=""), entry("ada", handle=""), entry("bob")]

    result = await grants.put(entries, dry_run=False)

    assert (result.created, result.readmitted) == (0, frozenset())
    assert result.problems == [
        (1, "its user opted out, and may be asked for nothing: let them opt in first"),
        (2, "handle: is missing, and no spotify account of this user is linked yet"),
    ]
    assert await values(database, "SELECT key FROM users") == ["out"]
    assert await values(database, "SELECT 1 FROM oauth_tokens") == []


async def test_problems_far_apart_in_a_long_file_are_told_together(grants: GrantStore) -> None:
    entries = [entry(f"u{number:04}") for number in range(2_200)]
    entries[3] = entry("u0003", handle="")
    entries[2_150] = entry("u2150", handle="")

    result = await grants.put(entries, dry_run=True)

    assert [place for place, _ in result.problems] == [3, 2_150]


async def test_a_user_who_stands_there_twice_is_refused_by_the_second_place(
    grants: GrantStore,
) -> None:
    result = await grants.put([entry("ada"), entry("bob"), entry("ada", 1)], dry_run=False)

    assert result.problems == [(2, "spotify of this user was given before, by entry 1")]


async def test_what_the_database_refuses_is_told_in_a_sentence_without_it(
    grants: GrantStore,
) -> None:
    with pytest.raises(BadInput, match="refuses a key, a handle, scopes or a date") as caught:
        await grants.put([entry("ada", scopes="canary-\0")], dry_run=False)

    assert "canary" not in repr(caught.value)


async def test_a_dry_run_says_what_would_come_of_it_and_writes_nothing_not_even_a_key(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    result = await grants.put([entry("ada")], dry_run=True)

    assert counts(result) == (1, 0, 0)
    assert result.readmitted == frozenset()
    assert await values(database, "SELECT key FROM users") == []
    assert not exists(key_file)


def exists(path: Path) -> bool:
    return path.exists()


async def test_the_first_import_makes_the_key_file_for_us_alone(
    grants: GrantStore, key_file: Path
) -> None:
    await grants.put([entry("ada")], dry_run=False)

    assert mode(key_file) == 0o600


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_the_same_file_again_changes_nothing_also_where_tokens_were_refreshed_since(
    grants: GrantStore, database: Database
) -> None:
    ada, _ = await given(grants, database, "ada", "bob")
    await grants.commit_refresh(ada, 1, renewed(), NOW)
    before = await values(database, "SELECT oauth_tokens::text FROM oauth_tokens ORDER BY 1")

    result = await grants.put([entry("ada"), entry("bob")], dry_run=False)

    assert counts(result) == (0, 0, 2)
    after = await values(database, "SELECT oauth_tokens::text FROM oauth_tokens ORDER BY 1")
    assert after == before
    assert (await one(grants, ada)).refresh_token == "canary-refresh-new-1"


async def test_another_token_is_taken_and_ends_what_was_under_way(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "here")

    result = await grants.put([entry("ada", 1)], dry_run=False)

    assert counts(result) == (0, 1, 0)
    assert await grants.commit_refresh(ada, 1, renewed(), NOW) is None
    grant = await one(grants, ada)
    assert (grant.refresh_token, grant.version) == ("canary-refresh-ada-1", 2)
    assert await grants.begin_refresh(ada, 2, "here") is not None


async def test_a_token_of_an_older_consent_does_not_undo_a_newer_one(
    grants: GrantStore, database: Database
) -> None:
    await grants.put([entry("ada", 1, granted_at=LATER)], dry_run=False)

    assert counts(await grants.put([entry("ada", 0)], dry_run=False)) == (0, 0, 1)

    assert await values(database, "SELECT granted_at FROM oauth_tokens") == [LATER]


async def test_a_newer_consent_moves_the_calendar_and_lets_notices_be_given_again(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    ends = datetime(2027, 5, 1, 9, 30, tzinfo=UTC)
    assert await values(database, ENDS) == [ends]
    await change(database, "UPDATE oauth_tokens SET noticed_days = 30")
    await grants.commit_refresh(ada, 1, renewed(), NOW)

    result = await grants.put([entry("ada", granted_at=LATER)], dry_run=False)

    assert counts(result) == (0, 1, 0)
    assert await values(database, ENDS) == [ends + timedelta(days=10)]
    assert await values(database, "SELECT noticed_days FROM oauth_tokens") == [None]
    # The site knows the token that was exchanged since by its old name only.
    assert (await one(grants, ada)).refresh_token == "canary-refresh-new-1"
    assert counts(await grants.put([entry("ada", granted_at=LATER)], dry_run=False)) == (0, 0, 1)


@pytest.mark.parametrize("changes", [{"number": 1}, {"granted_at": LATER}])
async def test_a_dead_grant_is_good_again_by_another_token_or_a_newer_consent_only(
    grants: GrantStore, database: Database, changes: dict[str, int | datetime]
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.commit_refresh(ada, 1, renewed(), NOW)
    await grants.mark_dead(ada, 2, "refused twice", NOW)
    await change(
        database,
        "INSERT INTO sync_state (account_id, kind, platform, fail_streak, due_at)"
        " VALUES ($1, 'listening', 'spotify', 3, now() + interval '1 day')",
        ada,
    )
    assert counts(await grants.put([entry("ada")], dry_run=False)) == (0, 0, 1)
    assert (await states(database))["ada"] == ("reauth_required", "refused twice")

    result = await grants.put([entry("ada", **changes)], dry_run=False)

    assert counts(result) == (0, 1, 0)
    assert result.readmitted == {ada}
    assert (await states(database))["ada"] == ("active", "")
    grant = await one(grants, ada)
    assert (grant.health, grant.refresh_token[:18]) == (Health.OK, "canary-refresh-ada")
    assert await values(database, "SELECT fail_streak FROM sync_state") == [0], "it rests no more"


async def test_of_two_imports_at_once_both_come_through(
    grants: GrantStore, database: Database
) -> None:
    names = [f"u{number}" for number in range(200)]
    files = [[entry(name) for name in names], [entry(name, 1) for name in reversed(names)]]

    results = await asyncio.gather(*(grants.put(file, dry_run=False) for file in files))

    assert sorted(counts(result) for result in results) == [(0, 200, 0), (200, 0, 0)]
    assert await values(database, "SELECT count(*) FROM oauth_tokens") == [200]


async def test_an_access_token_that_came_along_is_used_until_it_ends(
    grants: GrantStore, database: Database
) -> None:
    expires = NOW + timedelta(minutes=20)
    access = entry("ada", access_token="canary-access-0", access_expires_at=expires)
    await grants.put([access], dry_run=False)
    [ada] = [each.account_id for each in await grants.read()]

    grant = await one(grants, ada)

    assert (grant.access_token, grant.access_expires_at) == ("canary-access-0", expires)


async def test_an_answer_for_a_grant_that_was_removed_changes_nothing_of_the_next_one(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    users = UserStore(database)
    assert await grants.begin_refresh(ada, 1, "slow") is not None
    await users.set_opted_out("ada", opted_out=True)
    await users.set_opted_out("ada", opted_out=False)
    await grants.put([entry("ada", 1)], dry_run=False)

    assert await grants.commit_refresh(ada, 1, renewed(), NOW) is None

    assert (await ids(database))["ada"] == ada
    assert (await one(grants, ada)).refresh_token == "canary-refresh-ada-1"
