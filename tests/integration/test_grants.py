"""Grants on a real PostgreSQL: one refresh at a time, and nothing lost or written over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.granted import (
    CONSENT,
    NOW,
    change,
    entry,
    given,
    ids,
    one,
    renewed,
    states,
    store_of,
    values,
)

from syncd.clock import SystemClock
from syncd.errors import LeaseLost
from syncd.model.account import AccountId, UserEntry
from syncd.model.grant import Grant, Health
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.grants import GrantStore
from syncd.store.key_file import KeyFile
from syncd.store.sealing import Sealer
from syncd.store.users import UserStore

LAPSE = "UPDATE oauth_tokens SET refresh_until = now() - interval '1 second'"


async def test_what_was_granted_is_read_back_and_lies_sealed_in_the_database(
    grants: GrantStore, database: Database
) -> None:
    expires = NOW + timedelta(hours=1)
    await grants.put(
        [entry("ada", access_token="canary-access-0", access_expires_at=expires, scopes="a b")],
        dry_run=False,
    )
    [ada] = (await ids(database)).values()

    grant = await one(grants, ada)

    assert (grant.refresh_token, grant.access_token) == ("canary-refresh-ada-0", "canary-access-0")
    assert (grant.access_expires_at, grant.version, grant.health) == (expires, 1, Health.OK)
    [row] = await values(database, "SELECT row_to_json(oauth_tokens)::text FROM oauth_tokens")
    assert "canary" not in row
    [refresh] = await values(database, "SELECT refresh_ct FROM oauth_tokens")
    assert b"canary" not in refresh


async def test_of_fifty_that_refresh_one_grant_over_two_processes_one_may(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    [ada] = await given(grants, database, "ada")
    async with Database(database.settings, SystemClock()) as elsewhere:
        other = store_of(elsewhere, key_file)

        lent = await asyncio.gather(
            *((grants, other)[n % 2].begin_refresh(ada, 1, f"task {n}") for n in range(50))
        )

    [grant] = [each for each in lent if each is not None]
    assert grant.refresh_token == "canary-refresh-ada-0"
    assert grant.interrupted_at is None


async def test_an_answer_is_stored_once_and_the_next_refresh_knows_its_version(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "here")

    assert await grants.commit_refresh(ada, 1, renewed(1, scopes="c"), NOW) == 2

    grant = await one(grants, ada)
    assert (grant.refresh_token, grant.access_token) == ("canary-refresh-new-1", "canary-access-1")
    assert grant.access_expires_at == NOW + timedelta(hours=1)
    assert await grants.commit_refresh(ada, 1, renewed(2), NOW) is None
    assert await grants.begin_refresh(ada, 1, "slow") is None
    assert await grants.begin_refresh(ada, 2, "next") is not None
    [standing] = await grants.read()
    assert (standing.scopes, standing.refreshed_at) == ("c", NOW)


async def test_an_answer_without_a_refresh_token_keeps_the_old_one(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    [ada] = await given(grants, database, "ada")
    KeyFile(key_file).add()

    assert await grants.commit_refresh(ada, 1, renewed(refresh_token=""), NOW) == 2

    assert (await one(grants, ada)).refresh_token == "canary-refresh-ada-0"


async def test_of_several_answers_that_come_together_each_reaches_its_own_grant(
    grants: GrantStore, database: Database
) -> None:
    accounts = await given(grants, database, *(f"u{n}" for n in range(40)))

    versions = await asyncio.gather(
        *(
            grants.commit_refresh(account, 1, renewed(n), NOW)
            for n, account in enumerate([*accounts, accounts[0]])
        ),
        grants.commit_refresh(AccountId(999_999), 1, renewed(99), NOW),
    )

    assert versions == [2] * 40 + [None, None]
    loaded = await grants.load(accounts)
    tokens = [grant.access_token for grant in loaded.values() if isinstance(grant, Grant)]
    assert sorted(tokens) == sorted(f"canary-access-{n}" for n in range(40))


async def test_who_gives_the_right_back_lets_the_next_one_in_at_once(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "here")
    assert await grants.begin_refresh(ada, 1, "there") is None

    await grants.release_refresh(ada, 1)

    grant = await grants.begin_refresh(ada, 1, "there")
    assert grant is not None
    assert grant.interrupted_at is None


async def test_a_lease_that_lapsed_is_the_next_ones_who_knows_that_an_answer_may_be_lost(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "killed")
    [began_at] = await values(database, "SELECT refresh_began_at FROM oauth_tokens")
    assert (await one(grants, ada)).interrupted_at is None, "it is under way"
    await change(database, LAPSE)
    assert (await one(grants, ada)).interrupted_at == began_at

    taken = await grants.begin_refresh(ada, 1, "next")

    assert taken is not None
    assert taken.interrupted_at == began_at
    # A request that fails for a passing reason says nothing about the answer that was lost.
    await grants.release_refresh(ada, 1)
    again = await grants.begin_refresh(ada, 1, "later")
    assert again is not None
    assert again.interrupted_at == began_at
    await grants.commit_refresh(ada, 1, renewed(), NOW)
    assert (await one(grants, ada)).interrupted_at is None


async def test_an_answer_that_comes_after_its_lease_counts_as_long_as_nobody_was_faster(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "slow")
    await change(database, LAPSE)
    await grants.begin_refresh(ada, 1, "next")

    assert await grants.commit_refresh(ada, 1, renewed(1), NOW) == 2
    assert await grants.commit_refresh(ada, 1, renewed(2), NOW) is None

    assert (await one(grants, ada)).refresh_token == "canary-refresh-new-1"


async def test_who_leads_no_more_begins_nothing_but_still_stores_an_answer(
    database: Database, key_file: Path
) -> None:
    fence = Fence()
    grants = GrantStore(database, fence, Sealer(KeyFile(key_file)))
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "here")

    fence.close()

    with pytest.raises(LeaseLost):
        await grants.begin_refresh(ada, 1, "here")
    with pytest.raises(LeaseLost):
        await grants.mark_dead(ada, 1, "refused", NOW)
    with pytest.raises(LeaseLost):
        await grants.put([entry("bob")], dry_run=False)
    assert await grants.commit_refresh(ada, 1, renewed(), NOW) == 2


async def test_a_suspect_stays_one_since_the_first_refusal_until_an_answer_comes(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.begin_refresh(ada, 1, "here")

    assert await grants.mark_suspect(ada, 1, "refused", NOW) == NOW

    later = NOW + timedelta(hours=1)
    assert await grants.mark_suspect(ada, 1, "refused", later) == NOW
    grant = await one(grants, ada)
    assert (grant.health, grant.suspect_since) == (Health.SUSPECT, NOW)
    assert (await states(database))["ada"] == ("active", "")
    assert await grants.begin_refresh(ada, 1, "again") is not None, "the lease was given back"
    await grants.commit_refresh(ada, 1, renewed(), later)
    grant = await one(grants, ada)
    assert (grant.health, grant.suspect_since) == (Health.OK, None)
    await grants.mark_suspect(ada, 1, "a slow one", later)
    assert (await one(grants, ada)).health is Health.OK


async def test_an_outage_takes_back_the_marks_that_were_made_in_it(
    grants: GrantStore, database: Database
) -> None:
    ada, bob, eve = await given(grants, database, "ada", "bob", "eve")
    await grants.mark_suspect(ada, 1, "refused", NOW - timedelta(hours=2))
    await grants.mark_suspect(bob, 1, "refused", NOW)
    await grants.mark_suspect(eve, 1, "refused", NOW)

    assert await grants.clear_suspects(NOW - timedelta(minutes=10)) == 2

    health = {account: (await one(grants, account)).health for account in (ada, bob, eve)}
    assert health == {ada: Health.SUSPECT, bob: Health.OK, eve: Health.OK}


async def test_a_dead_grant_stops_its_account_with_a_reason_and_nobody_elses(
    grants: GrantStore, database: Database
) -> None:
    ada, bob = await given(grants, database, "ada", "bob")

    assert not await grants.mark_dead(ada, 7, "refused twice", NOW)
    assert await grants.mark_dead(ada, 1, "refused twice", NOW)
    assert not await grants.mark_dead(ada, 1, "refused twice", NOW)

    assert await states(database) == {
        "ada": ("reauth_required", "refused twice"),
        "bob": ("active", ""),
    }
    assert set(await grants.load([ada, bob])) == {bob}
    assert await grants.begin_refresh(ada, 1, "here") is None
    [kept] = await values(
        database, "SELECT refresh_ct IS NOT NULL FROM oauth_tokens WHERE health = 'dead'"
    )
    assert kept, "the ciphertext stays"


async def test_refreshes_are_counted_by_platform_and_time(
    grants: GrantStore, database: Database
) -> None:
    ada, bob = await given(grants, database, "ada", "bob")
    await grants.commit_refresh(ada, 1, renewed(), NOW)
    await grants.commit_refresh(bob, 1, renewed(), NOW - timedelta(hours=2))

    assert await grants.refreshed_since("spotify", NOW - timedelta(hours=1)) == 1
    assert await grants.refreshed_since("spotify", NOW - timedelta(hours=2)) == 2
    assert await grants.refreshed_since("another", NOW - timedelta(hours=3)) == 0


async def test_grants_are_listed_by_page_and_state_without_a_token(
    grants: GrantStore, database: Database
) -> None:
    ada, bob, _ = await given(grants, database, "ada", "bob", "eve")
    await grants.mark_dead(ada, 1, "refused twice", NOW)
    await grants.mark_suspect(bob, 1, "refused", NOW)

    first = await grants.read("", 2)
    rest = await grants.read(first[-1].user_key, 2)

    assert [standing.user_key for standing in (*first, *rest)] == ["ada", "bob", "eve"]
    assert (first[0].state, first[0].state_reason) == ("reauth_required", "refused twice")
    assert (first[1].health, first[1].state_reason) == (Health.SUSPECT, "refused")
    assert rest[0].granted_at == CONSENT
    assert "canary" not in repr((first, rest))
    for state, keys in {"dead": ["ada"], "suspect": ["bob"], "active": ["bob", "eve"]}.items():
        assert [each.user_key for each in await grants.read("", 9, state)] == keys


async def test_who_opts_out_or_is_removed_leaves_no_token_behind(
    grants: GrantStore, database: Database
) -> None:
    await given(grants, database, "ada", "bob", "eve", "zoe")
    users = UserStore(database)

    await users.set_opted_out("ada", opted_out=True)
    await users.put([UserEntry(key="bob", accounts={"spotify": ""})])
    await users.delete("eve")

    assert [standing.user_key for standing in await grants.read()] == ["zoe"]
    assert len(await values(database, "SELECT account_id FROM oauth_tokens")) == 1
