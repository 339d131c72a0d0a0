from __future__ import annotations

import json
import tracemalloc

import pytest

from syncd.errors import BadInput, NotKnown
from syncd.sandbox.person import AccountType
from syncd.sandbox.population import Population


def test_same_seed_is_same_population() -> None:
    one, other = Population(7, 300), Population(7, 300)

    documents = [one.document(index) for index in range(300)]

    assert documents == [other.document(index) for index in reversed(range(300))][::-1]
    assert documents != [Population(8, 300).document(index) for index in range(300)]


def test_larger_population_begins_with_the_same_users() -> None:
    small, large = Population(7, 10), Population(7, 100_000)

    documents = [small.document(index) for index in range(10)]

    assert documents == [large.document(index) for index in range(10)]


def test_logins_and_ids_lead_back_to_their_user_and_are_unique() -> None:
    population = Population(3, 5_000)

    logins = [login.lower() for login in population.logins()]
    ids = [population.account_id(index) for index in range(5_000)]

    assert len(set(logins)) == len(set(ids)) == 5_000
    assert [population.find_login(login) for login in logins] == list(range(5_000))
    assert [population.find_id(account_id) for account_id in ids] == list(range(5_000))


@pytest.mark.parametrize("login", ["", "nobody", "ada999999", "9" * 5_000, "ada-0x", "[bot]", "0"])
def test_unknown_login_finds_nobody(login: str) -> None:
    population = Population(3, 1_000)

    found = population.find_login(login)

    assert found is None


@pytest.mark.parametrize("account_id", [0, -5, 1, 2**28, 10**12])
def test_unknown_id_finds_nobody(account_id: int) -> None:
    population = Population(3, 1_000)

    found = population.find_id(account_id)

    assert found is None


def test_logins_are_what_the_service_allows() -> None:
    population = Population(3, 20_000)

    bare = [login.removesuffix("[bot]") for login in population.logins()]

    assert all(len(login) <= 39 and login.replace("-", "").isalnum() for login in bare)
    assert all(login.isascii() and not login.startswith("-") for login in bare)


def test_population_has_the_variety_of_real_answers() -> None:
    population = Population(3, 2_000)

    documents = [population.document(index) for index in range(2_000)]

    types = [document["type"] for document in documents]
    assert 10 < types.count("Organization") < 100
    assert 0 < types.count("Bot") < 30
    for key in ("name", "company", "bio", "location", "email", "hireable"):
        assert {value is None for value in (document[key] for document in documents)} == {
            True,
            False,
        }
    assert any(document["blog"] == "" for document in documents)
    assert any(not (document["name"] or "").isascii() for document in documents)
    assert {"twitter_username" in document for document in documents} == {True, False}
    assert {"user_view_type" in document for document in documents} == {True, False}


def test_change_moves_followers_but_not_updated_at() -> None:
    population = Population(3, 10)
    before = population.document(4)

    population.change(4)

    after = population.document(4)
    assert after["followers"] > before["followers"]
    assert {**after, "followers": before["followers"]} == before
    assert population.version(4) == 1
    assert population.version(5) == 0


def test_change_some_changes_the_share_asked_for() -> None:
    population = Population(3, 1_000)

    changed = population.change_some(0.01)

    assert len(set(changed)) == 10
    assert [index for index in range(1_000) if population.version(index)] == changed


def test_renamed_user_is_found_by_the_new_login_and_by_id_only() -> None:
    population = Population(3, 10)
    old, account_id = population.login(4), population.account_id(4)

    population.rename(4, "Ada-New")

    assert population.find_login(old) is None
    assert population.find_login("ada-new") == population.find_id(account_id) == 4
    assert population.document(4)["login"] == "Ada-New"
    assert population.document(4)["id"] == account_id


def test_rename_to_a_login_in_use_is_refused() -> None:
    population = Population(3, 10)

    with pytest.raises(BadInput, match="is taken by index 5"):
        population.rename(4, population.login(5).upper())


def test_rename_may_change_the_spelling_alone() -> None:
    population = Population(3, 10)
    login = population.login(4)

    population.rename(4, login.swapcase())

    assert population.find_login(login) == 4
    assert population.login(4) == login.swapcase()


def test_taken_over_login_belongs_to_a_stranger_with_another_id() -> None:
    population = Population(3, 10)
    login, account_id = population.login(4), population.account_id(4)

    stranger = population.take_over(login)

    assert population.find_login(login) == stranger == 10
    assert population.account_id(stranger) != account_id
    assert population.find_id(account_id) == 4
    assert population.login(4) != login
    assert len(population) == 11
    assert population.size == 10


def test_vanished_user_frees_the_login() -> None:
    population = Population(3, 10)
    login = population.login(4)
    population.vanish(4)

    stranger = population.take_over(login)

    assert population.find_login(login) == stranger
    assert population.find_id(population.account_id(4)) is None
    with pytest.raises(BadInput, match="rename index 4 first"):
        population.restore(4)


def test_restored_user_is_as_before() -> None:
    population = Population(3, 10)
    before = population.document(4)
    population.suspend(4)

    population.restore(4)

    assert population.find_login(population.login(4)) == 4
    assert population.document(4) == before


def test_user_who_became_an_organization_has_its_type() -> None:
    population = Population(3, 10)

    population.become_organization(4)

    assert population.account_type(4) is AccountType.ORGANIZATION
    assert population.document(4)["type"] == "Organization"


def test_edit_overwrites_and_adds_keys() -> None:
    population = Population(3, 10)
    updated_at = population.document(4)["updated_at"]

    population.edit(4, {"bio": "\x00", "shoe_size": 44})

    assert population.document(4)["bio"] == "\x00"
    assert population.document(4)["shoe_size"] == 44
    assert population.document(4)["updated_at"] > updated_at


def test_nobody_outside_the_population_can_be_changed() -> None:
    population = Population(3, 10)

    with pytest.raises(NotKnown, match="nobody has index 10 in a population of 10"):
        population.vanish(10)


def test_memory_does_not_grow_with_the_users_looked_at() -> None:
    population = Population(3, 100_000)
    tracemalloc.start()

    for index in range(0, 100_000, 100):
        json.dumps(population.document(index))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 50_000
