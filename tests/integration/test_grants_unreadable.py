"""Stored tokens that cannot be opened: one user's trouble, or, without any key, everybody's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fakes.granted import change, entry, given, one, renewed, store_of

from syncd.errors import GrantUnreadable, KeysUnfit
from syncd.model.grant import Grant
from syncd.store.database import Database
from syncd.store.grants import GrantStore

BROKEN = {
    "truncated": "UPDATE oauth_tokens"
    " SET refresh_ct = substr(refresh_ct, 1, 20) WHERE account_id = $1",
    "shortened by a byte": "UPDATE oauth_tokens"
    " SET refresh_ct = substr(refresh_ct, 1, length(refresh_ct) - 1) WHERE account_id = $1",
    "empty": "UPDATE oauth_tokens SET refresh_ct = '' WHERE account_id = $1",
    "of an unknown key": "UPDATE oauth_tokens SET key_id = 'gone' WHERE account_id = $1",
    "of another user": "UPDATE oauth_tokens SET refresh_ct ="
    " (SELECT refresh_ct FROM oauth_tokens WHERE account_id <> $1 LIMIT 1) WHERE account_id = $1",
    "of another column": "UPDATE oauth_tokens SET access_ct = refresh_ct WHERE account_id = $1",
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_row_that_cannot_be_opened_is_that_users_trouble_only(
    grants: GrantStore, database: Database, broken: str
) -> None:
    ada, bob, eve = await given(grants, database, "ada", "bob", "eve")
    await change(database, BROKEN[broken], ada)

    loaded = await grants.load([ada, bob, eve])

    problem = loaded[ada]
    assert isinstance(problem, GrantUnreadable)
    assert str(problem).startswith(f"cannot read the stored tokens of account {ada}: ")
    assert "import the grant again" in str(problem.hint)
    assert "canary" not in f"{problem!r} {problem.hint}"
    assert all(isinstance(loaded[account], Grant) for account in (bob, eve))
    lent = await asyncio.gather(
        *(grants.begin_refresh(account, 1, "here") for account in (ada, bob)),
        return_exceptions=True,
    )
    assert [type(each) for each in lent] == [GrantUnreadable, Grant]
    # What its hint says mends it.
    await given(grants, database, "ada")
    assert (await one(grants, ada)).refresh_token == "canary-refresh-ada-0"


def moved(path: Path, to: Path | None = None) -> Path:
    return path.rename(to or path.with_name("away"))


async def test_without_the_key_file_nothing_is_read_and_no_fresh_key_is_made(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    [ada] = await given(grants, database, "ada")
    away = moved(key_file)
    restarted = store_of(database, key_file)

    with pytest.raises(KeysUnfit, match="there is no key file") as caught:
        await restarted.load([ada])
    with pytest.raises(KeysUnfit, match="there is no key file"):
        await restarted.put([entry("bob")], dry_run=False)

    assert "put it back from a backup" in str(caught.value.hint)
    # Who knows the keys still goes on, but seals nothing new that nobody could open later.
    assert (await one(grants, ada)).refresh_token == "canary-refresh-ada-0"
    with pytest.raises(KeysUnfit, match="there is no key file"):
        await grants.put([entry("bob")], dry_run=False)
    with pytest.raises(KeysUnfit, match="there is no key file"):
        await grants.rotate_key()
    moved(away, key_file)
    assert (await one(restarted, ada)).refresh_token == "canary-refresh-ada-0"


def test_no_value_shows_its_tokens() -> None:
    entries = entry("ada", access_token="canary-access-0")

    assert "canary" not in repr(entries)
    assert "canary" not in repr(renewed())
