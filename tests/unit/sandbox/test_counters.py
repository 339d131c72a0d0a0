from __future__ import annotations

from syncd.sandbox.counters import Counters


def test_counters_name_who_was_asked_for_more_than_once() -> None:
    counters = Counters()

    for index in (3, 1, 3):
        counters.count_fetch(index)

    assert counters.fetched() == [1, 3]
    assert counters.fetched(at_least=2) == [3]
    assert (counters.fetches(3), counters.fetches(0), counters.fetches(99)) == (2, 0, 0)
    assert counters.as_json()["users_by_fetches"] == {"2": 1, "1": 1}


def test_cleared_counters_begin_again() -> None:
    counters = Counters()
    counters.count_fetch(3)
    counters.count_arrival(5, 6, 7)
    counters.by_status[200] += 1

    counters.clear()

    assert counters.as_json() == Counters().as_json()
    assert counters.most_in_a_minute == 0
