"""The made-up users of the demo: what happens to them, and what must be reported."""

from __future__ import annotations

from collections import Counter

import pytest

from syncd.daemon.listeners import SPOTIFY, Listeners
from syncd.daemon.rehearsal import GITHUB, GitHubUsers, Rehearsal
from syncd.sandbox.person import AccountType


@pytest.mark.parametrize("users", [1, 4, 5, 20, 1_000])
def test_every_user_is_expected_once_in_each_pass(users: int) -> None:
    github = GitHubUsers(users, seed=1)
    kinds = Counter(map(github.population.account_type, range(users)))
    organizations, bots = kinds[AccountType.ORGANIZATION], kinds[AccountType.BOT]

    first = github.happen_before_first()
    second = github.happen_before_second()

    assert (first.seen, first.calls) == (users, users)
    assert second.seen == users - organizations
    assert (second.calls, second.saved) == (second.updated + second.failed + bots, bots)


def test_thousand_users_hold_every_kind_of_fate() -> None:
    github = GitHubUsers(1_000, seed=1)

    first, second = github.happen_before_first(), github.happen_before_second()

    assert set(first.failures) == {"not_found", "unsuitable"}
    assert second.failures == {"not_found": first.failures["not_found"] + 5}
    assert second.updated == 15


def test_import_files_name_everybody_as_they_were_before_anything_happened() -> None:
    rehearsal = Rehearsal(25, seed=3)
    logins = list(rehearsal.github.population.logins())

    files = list(rehearsal.import_files(10))

    rows = [row for file in files for row in file.splitlines()[1:]]
    assert [len(file.splitlines()) for file in files] == [11, 11, 6]
    assert {file.splitlines()[0] for file in files} == {
        ",".join(["key", GITHUB, *rehearsal.coders.standins])
    }
    assert [row.split(",")[1] for row in rows] == logins


def test_a_tenth_of_the_users_is_on_every_coding_platform_too() -> None:
    rehearsal = Rehearsal(30, seed=3)

    [file] = rehearsal.import_files(30)

    cells = [row.split(",")[2:] for row in file.splitlines()[1:]]
    assert [all(row) for row in cells[:3]] == [True] * 3
    assert [any(row) for row in cells[3:]] == [False] * 27
    assert {len(row) for row in cells} == {len(rehearsal.coders.standins)}


@pytest.mark.parametrize("users", [1, 2, 4, 20, 100])
def test_who_listens_is_expected_once_in_each_pass_but_for_whom_nobody_may_ask(users: int) -> None:
    listeners = Listeners(users, seed=1, scale=1)

    first, second = listeners.happen_before_first(), listeners.happen_before_second()

    assert first.seen == second.seen == users - 1
    assert (first.failed, second.failed) == (0, 0)
    assert second.updated + second.created >= bool(listeners.gap)
    assert len(listeners.import_file([f"u{n}" for n in range(users)]).splitlines()) == users


def test_same_seed_has_the_same_fate() -> None:
    one, other = Rehearsal(300, seed=9), Rehearsal(300, seed=9)

    fates = [(play.happen_before_first(), play.happen_before_second()) for play in (one, other)]

    assert fates[0] == fates[1]
    assert set(fates[0][0]) == {GITHUB, *one.coders.standins, SPOTIFY}
    assert list(one.import_files(300)) == list(other.import_files(300))
