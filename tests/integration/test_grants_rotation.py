"""Rotating keys: everything is sealed anew, whatever is killed or written meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from fakes.granted import NOW, change, given, one, renewed, store_of, values

from syncd.config.keyring import read_key_ring
from syncd.errors import KeysUnfit
from syncd.model.grant import Grant
from syncd.store.database import Database
from syncd.store.grants import GrantStore
from syncd.store.key_file import KeyFile


def key_ids(path: Path) -> list[str]:
    ring = read_key_ring(path)
    assert ring is not None
    return list(ring.keys)


async def test_every_grant_is_sealed_with_a_new_key_and_the_versions_stay(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    accounts = await given(grants, database, *(f"u{number}" for number in range(25)))
    await grants.commit_refresh(accounts[0], 1, renewed(), NOW)
    [old] = key_ids(key_file)

    rotated = await grants.rotate_key()

    assert key_ids(key_file) == [old, rotated.key_id]
    assert (rotated.is_new, rotated.resealed, rotated.unused) == (True, 25, (old,))
    assert await grants.keys_in_use() == {rotated.key_id: 25}
    found = await grants.load(accounts)
    assert all(isinstance(grant, Grant) for grant in found.values())
    grant = await one(grants, accounts[0])
    assert (grant.version, grant.access_token) == (2, "canary-access-1")
    # Without the old key a process that begins now reads everything.
    dropped(key_file, old)
    assert len(await store_of(database, key_file).load(accounts)) == 25


def dropped(path: Path, key_id: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(key_id)))


async def test_a_rotation_that_was_killed_midway_is_finished_by_the_next_with_the_same_key(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    accounts = await given(grants, database, *(f"u{number}" for number in range(25)))
    [old] = key_ids(key_file)
    KeyFile(key_file).add()
    killed = store_of(database, key_file)
    assert await killed.rotate(10) == 10
    [_, new] = key_ids(key_file)
    assert await killed.keys_in_use() == {old: 15, new: 10}
    between = await grants.load(accounts)
    assert all(isinstance(grant, Grant) for grant in between.values()), "both keys are known"

    rotated = await store_of(database, key_file).rotate_key()

    assert (rotated.key_id, rotated.is_new, rotated.resealed) == (new, False, 15)
    assert key_ids(key_file) == [old, new]
    assert await grants.keys_in_use() == {new: 25}
    assert await grants.rotate() == 0


async def test_cut_off_at_any_point_a_rotation_loses_nothing_and_goes_on(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    accounts = await given(grants, database, *(f"u{number}" for number in range(60)))
    KeyFile(key_file).add()
    [_, new] = key_ids(key_file)

    patience = 0.0
    while await grants.keys_in_use() != {new: 60}:
        rotating = store_of(database, key_file)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while await rotating.rotate(5):
                    pass
        found = await store_of(database, key_file).load(accounts)
        tokens = {grant.refresh_token for grant in found.values() if isinstance(grant, Grant)}
        assert len(tokens) == 60
        patience += 0.003


async def test_rows_that_cannot_be_opened_stay_and_hold_up_nobody(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    accounts = await given(grants, database, *(f"u{number}" for number in range(6)))
    [old] = key_ids(key_file)
    await change(
        database, "UPDATE oauth_tokens SET key_id = 'gone' WHERE account_id = $1", accounts[0]
    )
    broken = "UPDATE oauth_tokens SET refresh_ct = '' WHERE account_id = ANY($1::bigint[])"
    await change(database, broken, accounts[1:4])
    KeyFile(key_file).add()
    rotating = store_of(database, key_file)

    sizes = [await rotating.rotate(2) for _ in range(3)]

    assert sizes == [1, 1, 0]
    rotated = await rotating.rotate_key()
    assert (rotated.is_new, rotated.resealed) == (True, 2)
    assert rotated.left == {"gone": 1, old: 3}
    assert len(rotated.unused) == 1, "the one between"


async def test_a_row_that_is_refreshed_while_it_is_sealed_anew_keeps_what_was_refreshed(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    [ada] = await given(grants, database, "ada")
    before = await values(database, "SELECT refresh_ct FROM oauth_tokens")
    KeyFile(key_file).add()
    other = store_of(database, key_file)

    await other.commit_refresh(ada, 1, renewed(), NOW)

    assert await values(database, "SELECT refresh_ct FROM oauth_tokens") != before
    assert await other.rotate() == 0
    assert (await one(grants, ada)).refresh_token == "canary-refresh-new-1"


async def test_without_a_grant_rotating_makes_the_first_key(
    grants: GrantStore, key_file: Path
) -> None:
    rotated = await grants.rotate_key()

    assert key_ids(key_file) == [rotated.key_id]
    assert (rotated.is_new, rotated.resealed) == (True, 0)


async def test_where_the_keys_of_what_is_stored_are_gone_no_key_takes_their_place(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    await given(grants, database, "ada")
    gone(key_file)

    with pytest.raises(KeysUnfit, match="key"):
        await store_of(database, key_file).rotate_key()

    assert read_key_ring(key_file) is None


def gone(path: Path) -> None:
    path.unlink()


async def test_rotations_that_meet_lose_no_token(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    accounts = await given(grants, database, *(f"u{number}" for number in range(300)))

    await asyncio.gather(*(grants.rotate_key() for _ in range(3)))

    found = await store_of(database, key_file).load(accounts)
    unreadable = [str(grant) for grant in found.values() if not isinstance(grant, Grant)]
    assert unreadable == []
