"""The journal of refreshes: an answer that came is not lost, whatever dies before it is stored."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fakes.granted import NOW, change, given, one, renewed, states, store_of

from syncd.model.account import AccountId
from syncd.store.database import Database
from syncd.store.grant_refreshes import Answered
from syncd.store.grants import GrantStore
from syncd.store.key_file import KeyFile
from syncd.store.refresh_journal import RefreshJournal
from syncd.store.sealing import SealBroken, Sealer


def answer(account: int, version: int = 1, number: int = 1, **changes: Any) -> Answered:
    return Answered(
        account_id=AccountId(account), version=version, renewed=renewed(number, **changes), at=NOW
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "refreshed.journal"


@pytest.fixture
async def journal(path: Path, key_file: Path) -> RefreshJournal:
    await Sealer(KeyFile(key_file)).make()
    return await begun(path, key_file)


async def begun(path: Path, key_file: Path) -> RefreshJournal:
    """The journal as a process finds it that has just begun."""
    sealer = Sealer(KeyFile(key_file))
    await sealer.load()
    return RefreshJournal(path, sealer)


async def answers(journal: RefreshJournal) -> list[Answered]:
    return [await journal.open(entry) for entry in await journal.entries()]


def size(path: Path) -> int:
    return path.stat().st_size


async def test_an_answer_is_on_disk_sealed_before_anything_else_is_done_with_it(
    journal: RefreshJournal, path: Path, key_file: Path
) -> None:
    kept = answer(7, 3, scopes="a b")

    await journal.keep(kept)

    assert mode(path) == 0o600
    assert "canary" not in content(path)
    assert "canary" not in repr(await journal.entries())
    assert await answers(await begun(path, key_file)) == [kept]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def content(path: Path) -> str:
    return path.read_text()


async def test_what_is_stored_is_dropped_and_an_empty_journal_is_an_empty_file(
    journal: RefreshJournal, path: Path, key_file: Path
) -> None:
    await asyncio.gather(*(journal.keep(answer(number)) for number in range(50)))
    assert len(await journal.entries()) == 50

    await journal.drop(AccountId(3), 1)
    await journal.drop(AccountId(3), 2)
    assert [each.account_id for each in await journal.entries(AccountId(3))] == []
    assert [each.account_id for each in await journal.entries(AccountId(4))] == [4]
    await asyncio.gather(*(journal.drop(AccountId(number), 1) for number in range(50)))

    assert size(path) == 0
    assert await (await begun(path, key_file)).entries() == []


async def test_a_journal_that_never_empties_does_not_grow_for_ever(
    journal: RefreshJournal, path: Path, key_file: Path
) -> None:
    long = "canary-" + "x" * 50_000

    for number in range(40):
        await journal.keep(answer(number, access_token=long))
        if number:
            await journal.drop(AccountId(number - 1), 1)

    assert size(path) < 1_200_000
    left = await answers(await begun(path, key_file))
    assert left[-1] == answer(39, access_token=long)


@pytest.mark.parametrize("cut", [1, 2, 40, 100])
async def test_a_line_that_was_cut_off_costs_itself_alone_also_where_more_follow(
    journal: RefreshJournal, path: Path, key_file: Path, cut: int
) -> None:
    await journal.keep(answer(1))
    await journal.keep(answer(2))
    torn(path, cut)

    restarted = await begun(path, key_file)
    expected = [answer(1)] if cut > 1 else [answer(1), answer(2)]
    assert await answers(restarted) == expected
    await restarted.keep(answer(3))

    assert await answers(await begun(path, key_file)) == [*expected, answer(3)]


def torn(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])


async def test_an_answer_moved_to_another_account_or_version_is_not_opened(
    journal: RefreshJournal, path: Path, key_file: Path
) -> None:
    await journal.keep(answer(1, 5))
    line = json.loads(content(path))
    changed(path, [{**line, "account": 2}, {**line, "version": 6}])

    restarted = await begun(path, key_file)

    for entry in await restarted.entries():
        with pytest.raises(SealBroken) as caught:
            await restarted.open(entry)
        assert "canary" not in repr(caught.value)


def changed(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


async def test_an_answer_whose_key_is_gone_stays_until_it_is_back(
    journal: RefreshJournal, path: Path, key_file: Path, tmp_path: Path
) -> None:
    await journal.keep(answer(1))
    away = key_file.rename(tmp_path / "away")  # noqa: ASYNC240 - what a person does
    await Sealer(KeyFile(key_file)).make()
    restarted = await begun(path, key_file)
    [entry] = await restarted.entries()
    with pytest.raises(SealBroken, match="is not in"):
        await restarted.open(entry)

    away.rename(key_file)

    assert await restarted.open(entry) == answer(1)


async def test_a_disk_that_takes_nothing_is_no_reason_not_to_store_the_answer(
    tmp_path: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await Sealer(KeyFile(key_file)).make()
    journal = await begun(tmp_path / "nowhere" / "refreshed.journal", key_file)

    await journal.keep(answer(1))

    told = capsys.readouterr().out
    assert "refresh_journal.not_written" in told
    assert "canary" not in told


async def test_after_a_crash_before_the_commit_the_answer_is_stored_from_the_journal(
    journal: RefreshJournal, path: Path, key_file: Path, database: Database, grants: GrantStore
) -> None:
    ada, bob = await given(grants, database, "ada", "bob")
    for account in (ada, bob):
        await grants.begin_refresh(account, 1, "killed")
        await journal.keep(answer(account, 1, account))
    # Bob's was stored, and nobody had the time to say so; he has been refreshed again since.
    await grants.commit_refresh(bob, 1, renewed(90), NOW)
    await grants.commit_refresh(bob, 2, renewed(91), NOW)
    restarted, store = await begun(path, key_file), store_of(database, key_file)

    versions = []
    for each in await answers(restarted):
        versions.append(await store.commit_refresh(*each.key, each.renewed, each.at))
        await restarted.drop(*each.key)

    assert versions == [2, None]
    assert (await one(store, ada)).refresh_token == f"canary-refresh-new-{ada}"
    assert (await one(store, bob)).refresh_token == "canary-refresh-new-91"
    assert size(path) == 0


async def test_an_answer_that_was_left_brings_back_a_grant_that_was_given_up_for_want_of_it(
    database: Database, grants: GrantStore
) -> None:
    ada, bob = await given(grants, database, "ada", "bob")
    answers = [answer(account, 1, account) for account in (ada, bob)]
    for account in (ada, bob):
        await grants.begin_refresh(account, 1, "killed")
        # Another machine goes on, and the platform refuses what it knows.
        await grants.mark_dead(account, 1, "refused twice", NOW)
    ended = "UPDATE oauth_tokens SET refresh_expires_at = $2 WHERE account_id = $1"
    await change(database, ended, bob, NOW)

    versions = [await grants.commit_refresh(*left.key, left.renewed, left.at) for left in answers]

    assert [version is None for version in versions] == [False, True]
    found = await states(database)
    assert found == {"ada": ("active", ""), "bob": ("reauth_required", "refused twice")}
    assert (await one(grants, ada)).refresh_token == f"canary-refresh-new-{ada}"
