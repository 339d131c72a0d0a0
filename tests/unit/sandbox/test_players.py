from __future__ import annotations

import re

import pytest

from syncd.errors import BadInput, NotKnown
from syncd.sandbox.players import NOBODY, Players

# What the strictest of the sites takes: small letters and digits, 3 to 16 of them (AtCoder).
EVERYWHERE = re.compile(r"[a-z][a-z0-9]{2,15}")


def test_handles_are_good_on_every_site_and_nobodys_twice() -> None:
    players = Players(7, 10_000)

    handles = list(players.handles())

    assert len(set(handles)) == 10_000
    assert [handle for handle in handles if not EVERYWHERE.fullmatch(handle)] == []
    assert EVERYWHERE.fullmatch(NOBODY)
    assert players.find(NOBODY) is None


def test_same_seed_is_the_same_people_and_another_one_is_not() -> None:
    one, same, other = Players(7, 50), Players(7, 50, is_cased=True), Players(8, 50)

    for index in range(50):
        assert one.handle(index) == same.handle(index).lower()
        assert one.player(index).solved == same.player(index).solved
    assert [*one.handles()] != [*other.handles()]


def test_everybody_is_found_in_any_spelling() -> None:
    players = Players(7, 100, is_cased=True)

    for index, handle in enumerate(players.handles()):
        assert players.find(handle) == players.find(handle.upper()) == index


@pytest.mark.parametrize("handle", ["", "ada", "3", "x\u0663", "ada99999999999999"])
def test_what_nobody_is_called_is_not_found(handle: str) -> None:
    assert Players(7, 100).find(handle) is None


def test_some_never_took_part_in_a_contest() -> None:
    players = [Players(7, 200).player(index) for index in range(200)]

    unrated = [player for player in players if player.rating(0, 3000) is None]

    assert 20 < len(unrated) < 60
    assert {player.contests for player in unrated} == {0}
    assert all(0 <= (player.rating(0, 3000) or 0) <= 3000 for player in players)


def test_change_moves_what_is_solved_and_what_is_rated() -> None:
    players = Players(7, 10)
    before = players.player(3)

    players.change(3)

    after = players.player(3)
    assert (after.solved, after.moves) == (before.solved + 1, 1)
    assert after.rating(0, 3000) != before.rating(0, 3000)
    assert after.number == before.number


def test_change_some_changes_the_share_that_was_asked_for() -> None:
    players = Players(7, 100)

    chosen = players.change_some(0.2)

    assert len(chosen) == 20
    assert [index for index in range(100) if players.player(index).moves] == chosen


def test_renamed_player_is_found_under_the_new_handle_and_remembered_under_the_old() -> None:
    players = Players(7, 10)
    before = players.handle(3)

    players.rename(3, "newname")

    assert (players.find("NewName"), players.find(before)) == (3, None)
    assert players.find_former(before.upper()) == 3
    assert players.player(3).renames == 1


def test_former_handle_that_somebody_else_took_leads_to_them_alone() -> None:
    players = Players(7, 10)
    before = players.handle(3)
    players.rename(3, "newname")

    players.rename(4, before)

    assert (players.find(before), players.find_former(before)) == (4, None)


def test_handle_of_another_cannot_be_taken() -> None:
    players = Players(7, 10)

    with pytest.raises(BadInput, match="is taken by index 4"):
        players.rename(3, players.handle(4))


def test_who_vanished_is_nowhere_until_restored() -> None:
    players = Players(7, 10)
    handle = players.handle(3)

    players.vanish(3)
    gone = players.find(handle)
    players.restore(3)

    assert (gone, players.find(handle)) == (None, 3)


def test_who_vanished_cannot_come_back_under_a_handle_that_is_taken() -> None:
    players = Players(7, 10)
    handle = players.handle(3)
    players.vanish(3)
    players.rename(4, handle)

    with pytest.raises(BadInput, match="rename index 3 first"):
        players.restore(3)


def test_who_was_renamed_and_vanished_is_nobodys_former_self() -> None:
    players = Players(7, 10)
    before = players.handle(3)
    players.rename(3, "newname")
    players.vanish(3)

    assert players.find_former(before) is None


@pytest.mark.parametrize("index", [-1, 10])
def test_nobody_outside_the_population_can_be_asked_for(index: int) -> None:
    with pytest.raises(NotKnown, match="among 10 players"):
        Players(7, 10).player(index)
